"""Which Python .venv is made from."""

import os
import shutil

from tools.common.paths import ROOT
from tools.setup.shell import SetupError, last_line, run

CHECK = ROOT / "pycaffe" / "interpreter.py"
# where the first python3 in PATH is too old
LATER = [f"python3.{minor}" for minor in range(14, 8, -1)]


def chosen():
    """The Python (str) that the user names in PYTHON, or None."""
    return os.environ.get("PYTHON") or None


def base():
    """The Python (str) to make .venv from: PYTHON, else the first python3 in PATH, else a later one in PATH.

    Raises
    ------
    SetupError
        PYTHON is not there or of no use, or there is none at all.
    """
    wanted = chosen()
    if wanted:
        found = shutil.which(wanted)
        if not found:
            raise SetupError(f"no Python at {wanted}: set PYTHON to one that is there, such as PYTHON=python3")
        refuse(found)
        return found
    there = [path for path in map(shutil.which, ["python3", *LATER, "/usr/bin/python3"]) if path]
    for path in there:
        if not fault(path):
            return path
    raise SetupError(fault(there[0]) if there else "no python3 in PATH: apt-get install python3, or set PYTHON")


def fault(python, *options):
    """Why Caffe cannot run in a Python (str), or with --headers be built for it; "" where it can."""
    done = run([str(python), str(CHECK), *options])
    return last_line(done.stdout + done.stderr) if done.returncode else ""


def refuse(python, *options):
    """Raise SetupError where `fault` finds one."""
    found = fault(python, *options)
    if found:
        raise SetupError(found)


def is_the_systems(python):
    """Whether the system's packages bring what a Python (str) lacks."""
    return run([str(python), "-c", "import sys; print(sys.base_prefix)"]).stdout.strip() == "/usr"


def has(python, module):
    """Whether a Python (str) has a module."""
    return run([str(python), "-c", f"import {module}"]).returncode == 0


def version(python):
    """Major and minor version (str) of a Python."""
    return run([str(python), "-c", "import sys; print('{}.{}'.format(*sys.version_info))"]).stdout.strip()


def headers(python):
    """Whether a Python (str) has its headers."""
    code = "import os, sysconfig; print(os.path.exists(os.path.join(sysconfig.get_path('include'), 'Python.h')))"
    return run([str(python), "-c", code]).stdout.strip() == "True"

