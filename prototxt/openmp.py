"""See to it that threads are asked for in words that OpenMP and OpenBLAS understand, before Caffe loads them.

GNU OpenMP goes on with a default after a line of its own, OpenBLAS in silence; with too many threads a pass takes ten
times as long, and with a hundred thousand the process ends.
"""

import os
import re
import subprocess
import sys

from prototxt.errors import NetError

# OpenBLAS takes a number of any text
_NUMBERS = ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "MKL_NUM_THREADS")
_STACK_SIZES = ("OMP_STACKSIZE", "GOMP_STACKSIZE")
_EXPECTED = {
    "OMP_NUM_THREADS": "the number of threads, such as 2",
    "OMP_WAIT_POLICY": "active or passive",
    "GOMP_SPINCOUNT": "how often a waiting thread looks, such as 1000",
    "OMP_DYNAMIC": "true or false",
    "OMP_PROC_BIND": "true or false",
    **dict.fromkeys(_STACK_SIZES, "the size of a thread's stack, such as 4M"),
}
# as C reads it: "²" and "２", which str.isdigit() takes, are no numbers to it
_NUMBER = re.compile(r"\s*\+?[0-9]+\s*")
# a machine's threads that still get something done
_THREADS_PER_CORE = 4
_LOAD = "import ctypes; ctypes.CDLL('libgomp.so.1')"


def check(environ=os.environ):
    """Raise NetError for a value that cannot be meant; variables of OpenMP that are set to nothing are unset.

    Parameters
    ----------
    environ : mapping
        Where the variables are; OMP_* and GOMP_* are judged by the library itself, in a process of its own.
    """
    names = [name for name in environ if name.startswith(("OMP_", "GOMP_")) or name in _NUMBERS]
    for name in names:
        if not environ[name].strip():
            del environ[name]
    for name in (name for name in _NUMBERS if name in environ):
        if not _NUMBER.fullmatch(environ[name]):
            raise NetError(f"{name}={environ[name]}: expected the number of threads, such as 2; or unset it")
    if any(name in environ for name in names if name not in _NUMBERS):
        _ask_openmp(environ)
    _refuse_crowds(environ)


def _ask_openmp(environ):
    command = [sys.executable, "-E", "-S", "-c", _LOAD]
    said = subprocess.run(command, env=dict(environ), capture_output=True, text=True, errors="replace").stderr
    wrong = re.search(r"libgomp: \w+ value for enviro\w+ variable (\w+)", said)
    name = wrong and wrong[1]
    if "libgomp: Stack size" in said:  # less than the system allows; it does not say in which variable
        name = next((name for name in _STACK_SIZES if name in environ), None)
    if name and name in environ:
        expected = _EXPECTED.get(name, "a value that OpenMP knows")
        raise NetError(f"{name}={environ[name]}: expected {expected}; or unset it")


def _refuse_crowds(environ):
    cores = os.cpu_count() or 1
    for name in ("OMP_NUM_THREADS", *_NUMBERS):
        first = environ.get(name, "").split(",")[0]
        if _NUMBER.fullmatch(first) and int(first) > _THREADS_PER_CORE * cores:
            raise NetError(
                f"{name}={environ[name]}: this machine has {cores} cores, and so many threads would wait for each "
                f"other; expected {cores} or fewer, or unset it"
            )
