"""Import me first in a tool that was started as a script: I make sure it runs in the project's environment.

    python tools/_environment.py tools.nets.net_probe ARGUMENTS      # a process that a tool starts for itself

`tools/benchmark.py` must work straight from the checkout with whatever python3 is first on PATH. So a tool
imports this module before anything that only the environment has; when another Python runs, the tool is
started again by the environment's own. And whatever the user's shell has set must not end a tool in an abort or a
traceback of a library's; this is the last moment to see to it.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"


def _open_standard_streams():
    """Give 0, 1 and 2 to /dev/null where they are closed (`>&-`): the next file opened would get what is printed."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
            setattr(sys, name, os.fdopen(opened, "r" if number == 0 else "w", closefd=False))


def _mend_variables():
    """Drop what libraries end in a traceback on, where nothing that the tools do depends on it."""
    if os.environ.get("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION") not in ("python", "upb"):
        os.environ.pop("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", None)  # "cpp", of older installations
    os.environ.pop("SOURCE_DATE_EPOCH", None)  # NumPy and matplotlib read it; no result has a date of theirs
    os.environ.pop("PYTHONOPTIMIZE", None)  # see _enter


def _enter():
    python = VENV / "bin" / "python"
    # without docstrings (-OO) scikit-image cannot be imported: then start again as well
    if Path(sys.prefix).resolve() == VENV.resolve() and sys.flags.optimize < 2:
        # the script's own folder would shadow nothing useful: tools are imported as tools.NAME
        sys.path[0] = str(ROOT)
        return
    if not python.exists():
        _stop(f"no environment at {VENV}; run `make setup` in {ROOT} first")
    os.execv(python, [str(python), *sys.argv])


def _put_foreign_packages_last():
    """Let the environment's packages win over PYTHONPATH, where many have an older Caffe (see CAFFE_PYTHONPATH)."""
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    foreign = [os.path.abspath(folder) for folder in given if folder]  # noqa: PTH100 - as Python itself writes it
    sys.path[1:] = [folder for folder in sys.path[1:] if folder not in foreign] + foreign


def _check_variables():
    if any(name.startswith("OPENCV_") for name in os.environ):
        try:
            import matlab_compat  # noqa: F401 - it asks OpenCV; only the environment has it
        except RuntimeError as error:
            _stop(error)


def _stop(text):
    print(f"{Path(sys.argv[0]).name}: {text}", file=sys.stderr)
    sys.exit(2)


_open_standard_streams()
_mend_variables()
_enter()
_put_foreign_packages_last()
_check_variables()

if __name__ == "__main__":
    import runpy  # only for processes that a tool starts for itself

    from tools.common import parent  # not above: sys.path is right only now

    parent.follow()  # before the module's imports, which take their time
    sys.argv.pop(0)
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
