"""Where a trial is made: a folder of its own, the tools of the checkout that is tried, numbers drawn from the seed."""

import os
import shlex
import subprocess
import sys
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tools.fault_checks.case import Result, Skipped
from tools.fault_checks.process import Started

SPACE = 6 << 30  # bytes of address space of a process, so that no fault takes the machine with it
TIMEOUT = 90  # seconds
# a user's own settings must not decide what is found
OURS = ("DATA", "WEIGHTS", "HDF5", "GPU", "SHARD_MB", "FETCH_MIRROR", "MPLBACKEND", "PYTHONPATH")
PREFIXES = ("CAFFE_", "OMP_", "OPENBLAS_", "OPENCV_", "HDF5_", "GOMP_", "IDN_")


class Lab:
    """One trial's place.

    Parameters
    ----------
    checkout : Path
        Whose tools are tried.
    folder : Path
        Made for the trial; `work` and `logs` lie in it.
    kind : str
    seed : int
    cases : int or None
        How many random cases are drawn; None: as many as the trial thinks right.
    long : bool
    material : Material
        What trials share.
    """

    def __init__(self, checkout, folder, kind, seed=1, cases=None, long=False, material=None):
        self.checkout, self.kind, self.long, self.material = checkout, kind, long, material
        self.folder, self.logs = folder / "work", folder / "logs"
        self._cases, self._disks = cases, 0
        # what is drawn for a kind does not depend on which other kinds are tried
        self.rng = np.random.default_rng([seed, zlib.crc32(kind.encode())])
        for path in (self.folder / "tmp", self.logs):
            path.mkdir(parents=True, exist_ok=True)

    def cases(self, short, long):
        """How many random cases to draw (int)."""
        return self._cases or (long if self.long else short)

    def environment(self, changes=None):
        """Environment (dict) of a tool; None as a value takes a variable away."""
        env = {k: v for k, v in os.environ.items() if k not in OURS and not k.startswith(PREFIXES)}
        env.update(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive", TMPDIR=str(self.folder / "tmp"))
        env["PYTHONIOENCODING"] = "utf-8:strict"  # as in a UTF-8 locale, whichever is installed here
        env.update(changes or {})
        return {k: v for k, v in env.items() if v is not None}

    def start(self, *command, env=None, memory=SPACE, stdin=subprocess.DEVNULL):
        """Start any command in the folder; gives a Started."""
        words = [os.fspath(word) if isinstance(word, (str, bytes, os.PathLike)) else str(word) for word in command]
        shown = self._shown([f"{k}={v}" for k, v in (env or {}).items() if v is not None] + words)
        return Started(words, self.folder, self.logs, self.environment(env), memory, shown, stdin)

    def _shown(self, words):
        plain = [os.fsencode(word).decode("utf-8", "backslashreplace") for word in words]
        plain = [self._without_places(word) for word in plain]
        return " ".join(shlex.quote(word if len(word) < 400 else f"{word[:400]}...") for word in plain)

    def _without_places(self, text):
        """A text without the names of folders of this machine."""
        # PATH first: it may hold the checkout's own environment
        places = {os.environ["PATH"]: "$PATH", f"{self.checkout}/": "", str(self.checkout): "."}
        places[str(self.folder)] = "FOLDER"
        if self.material:
            places[str(self.material.folder)] = "MATERIAL"
        for place, name in places.items():
            text = text.replace(place, name)
        return text

    def begin(self, name, *arguments, **options):
        """Start the tool tools/NAME.py; gives a Started."""
        return self.start(self.checkout / "tools" / f"{name}.py", *arguments, **options)

    def tool(self, name, *arguments, timeout=TIMEOUT, **options):
        """Run the tool tools/NAME.py to its end; gives a Run."""
        return self.begin(name, *arguments, **options).wait(timeout)

    def python(self, *arguments, timeout=TIMEOUT, **options):
        """Run the checkout's own Python (a module, or -c CODE); gives a Run."""
        env = {"PYTHONPATH": str(self.checkout), **(options.pop("env", None) or {})}
        return self.start(self.checkout / ".venv/bin/python", *arguments, env=env, **options).wait(timeout)

    def result(self, case, faults, run=None):
        """The Result of a case of this lab's kind."""
        command = run.command if run is not None else ""
        faults = tuple(map(self._without_places, faults))
        return Result(self.kind, case, faults, command)

    def write(self, name, content):
        """Write bytes or text to a file of the folder; gives its Path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    @contextmanager
    def small_disk(self, kilobytes):
        """A disk of that size (yields Path), which is gone when the block ends; raises Skipped where one cannot be."""
        if os.geteuid() != 0 or not sys.platform.startswith("linux"):
            raise Skipped("a small disk needs root")
        self._disks += 1
        place = self.folder / f"disk{self._disks}_{kilobytes}"
        place.mkdir()
        options = f"size={kilobytes}k,mode=777"
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], capture_output=True, text=True)
        if made.returncode:
            place.rmdir()
            raise Skipped(f"no small disk here ({made.stderr.strip()})")
        try:
            yield place
        finally:
            subprocess.run(["umount", "-l", place], capture_output=True)


def copied(source, target):
    """Give `target` (Path) the content of the file `source` without taking its room twice; gives `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    os.link(source, target)
    return target


def resized(folder, kilobytes):
    """Give a small disk another size."""
    subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", Path(folder)], check=True, capture_output=True)
