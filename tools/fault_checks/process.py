"""Start a tool as a user does, under a time limit and a memory limit, and see all that it leaves behind."""

import contextlib
import os
import resource
import shlex
import signal
import subprocess
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

MARK = "FAULT_CHECK_MARK"  # stands in the environment of all that a trial starts, children of children too
LOOK = 0.02  # seconds between two looks at a process
GRACE = 2.0  # seconds that its children have to end after it
FOREIGN = frozenset((".ses",))  # what a library keeps in the folder of temporary files by design: ONNX Runtime
TEXT = 1 << 20  # bytes of output that are kept
STOP = threading.Event()  # set when all is to end: nothing is waited for any more


@dataclass(frozen=True)
class Run:
    """How a process ended.

    Attributes
    ----------
    command : str
        As one would type it.
    status : int
        Exit status, or a signal's number below zero.
    out, err : str
        What it wrote.
    seconds : float
    peak_mb : int
        Largest resident memory, MB of 2^20 bytes.
    late : bool
        It was ended because its time was up.
    children : tuple of str
        Command lines that were still running when it had ended; they were ended.
    left : tuple of str
        Temporary files that it left, relative to the trial's folder.
    """

    command: str
    status: int
    out: str = ""
    err: str = ""
    seconds: float = 0.0
    peak_mb: int = 0
    late: bool = False
    children: tuple = ()
    left: tuple = ()

    @property
    def lines(self):
        """Lines (list of str) of standard error that are not blank; of a line written over, what one sees last."""
        seen = (line.rstrip("\r").rpartition("\r")[2] for line in self.err.split("\n"))
        return [line for line in seen if line.strip()]


def temporary_files(folder):
    """Files below `folder` (Path) that look like somebody's temporary ones (set of Path)."""
    found = set()
    for base, _, names in os.walk(folder):
        inside = Path(base).relative_to(folder)
        for name in set(names) - FOREIGN:
            hidden = name.startswith(".") and (".part" in name or ".tmp" in name)
            if hidden or name.endswith((".part", ".tmp")) or inside.parts[:1] == ("tmp",) or ".part" in inside.parts:
                found.add(Path(base) / name)
    return found


class Started:
    """A process on its way; `wait` it, or send it signals first.

    Parameters
    ----------
    command : list of str
    folder : Path
        The trial's folder, where the process starts and where temporary files are looked for.
    logs : Path
        Folder for its output, outside of `folder`.
    env : dict of str to str
    memory : int
        Bytes of address space that it may take.
    shown : str
        The command for a reader.
    stdin : file or int
    """

    def __init__(self, command, folder, logs, env, memory, shown=None, stdin=subprocess.DEVNULL):
        self.mark = uuid.uuid4().hex
        self.folder = folder
        self.shown = shown or shlex.join(map(str, command))
        self.before = temporary_files(folder)
        self.paths = [logs / f"{self.mark}.{name}" for name in ("out", "err")]
        self.began = time.monotonic()
        with self.paths[0].open("wb") as out, self.paths[1].open("wb") as err:
            self.process = subprocess.Popen(
                [os.fspath(word) for word in command], cwd=folder, stdin=stdin, stdout=out, stderr=err,
                env={**env, MARK: self.mark}, start_new_session=True,
            )
        with contextlib.suppress(ProcessLookupError, PermissionError):
            resource.prlimit(self.process.pid, resource.RLIMIT_AS, (memory, memory))
        self.peak = 0

    def look(self):
        """Note the memory; gives whether it still runs."""
        self.peak = max(self.peak, peak_mb(self.process.pid))
        return self.process.poll() is None

    def sleep(self, seconds):
        """Wait so long, or until it ends; gives whether it still runs."""
        return not self.until(lambda: False, seconds) and self.process.poll() is None

    def until(self, true, seconds, look=LOOK):
        """Wait until `true()`, asked every `look` seconds, the process's end, or `seconds`; gives the last `true()`."""
        end = time.monotonic() + seconds
        while self.look() and time.monotonic() < end and not STOP.is_set():
            if true():
                return True
            time.sleep(look)
        return true()

    def until_writing(self, folder, count):
        """Wait until temporary file number `count` shows up below `folder` (or the end); gives whether it did."""
        seen = set()

        def another():
            seen.update(temporary_files(folder) if folder.exists() else ())
            return len(seen) >= count

        return self.until(another, 60, look=0.0005)

    def send(self, number):
        """Send the process (not its children) a signal."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def wait(self, timeout):
        """Wait for its end; gives the Run. What it left running is ended."""
        end = self.began + timeout
        while self.look() and time.monotonic() < end and not STOP.is_set():
            time.sleep(LOOK)
        late = self.process.poll() is None
        seconds = time.monotonic() - self.began
        if late:
            self.process.kill()
            self.process.wait()
        children = () if late else self._children()
        end_marked(self.mark)
        out, err = (path.read_bytes()[:TEXT].decode("utf-8", "backslashreplace") for path in self.paths)
        for path in self.paths:
            path.unlink()
        left = sorted(str(path.relative_to(self.folder)) for path in temporary_files(self.folder) - self.before)
        left = tuple(name.encode("utf-8", "backslashreplace").decode() for name in left)
        return Run(self.shown, self.process.returncode, out, err, seconds, self.peak, late, children, left)

    def _children(self):
        """Command lines of what still runs after the grace."""
        end = time.monotonic() + GRACE
        while (found := marked(self.mark)) and time.monotonic() < end:
            time.sleep(LOOK)
        return tuple(command_line(pid) for pid in found)


def peak_mb(pid):
    """VmHWM of a process in MB (int); 0 when it cannot be told."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    found = [line.split()[1] for line in text.splitlines() if line.startswith("VmHWM:")]
    return int(found[0]) // 1024 if found else 0


def marked(mark):
    """Numbers (list of int) of the processes whose environment has this mark."""
    wanted, found = f"{MARK}={mark}".encode(), []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if wanted in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def end_marked(mark):
    """End the processes that a trial started, and only these."""
    for pid in marked(mark):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def command_line(pid):
    """Command line (str) of a process, or "?"."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip() or "?"
    except OSError:
        return "?"
