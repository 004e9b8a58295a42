"""The virtual environment: its Python, and the note of what the last set-up installed into it."""

import json
import os
import shutil

from tools.common.paths import ROOT
from tools.setup.shell import SetupError, last_line, run

VENV = ROOT / ".venv"
STAMP = VENV / "setup.json"


def python():
    """The environment's Python (Path), whether it is there or not."""
    return VENV / "bin" / "python"


def base_python():
    """The Python (str) that .venv is made from.

    Raises
    ------
    SetupError
        It is not there.
    """
    wanted = os.environ.get("VENV_PYTHON") or "/usr/bin/python3"
    found = shutil.which(wanted)
    if not found:
        raise SetupError(f"no Python at {wanted}: apt-get install python3, or set VENV_PYTHON to your distribution's")
    return found


def make_venv():
    """Make .venv when it is missing, half-made or no longer starts; gives a line (str) about it.

    Raises
    ------
    SetupError
        There is one of another Python, or none can be made.
    """
    base = base_python()
    ours, theirs = venv_version(), version_of(base)
    if ours == theirs:
        return f"Python {ours}, {VENV}"
    if ours:
        raise SetupError(
            f"{VENV} is made of Python {ours}, expected {theirs} of {base}, for which this system has Boost.Python; "
            "remove it (`rm -rf .venv`) and run this again"
        )
    done = run([base, "-m", "venv", "--clear", str(VENV)])
    if done.returncode:
        reason = last_line(done.stdout + done.stderr)
        raise SetupError(f"{base} cannot make {VENV}: {reason}; apt-get install python3-venv")
    return f"made with Python {venv_version()}, {VENV}"


def venv_version():
    """Version (str) of .venv's Python, "" when there is none that starts and has pip."""
    return version_of(python(), "import pip; ") if python().exists() else ""


def version_of(interpreter, before=""):
    """Version (str) of a Python after it has run `before`; "" when it cannot."""
    return run([str(interpreter), "-c", before + "import platform; print(platform.python_version())"]).stdout.strip()


def pip_install(*arguments):
    """Install into .venv; gives the word for it, raises SetupError with pip's own reason."""
    pip = [str(python()), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    done = run([*pip, "install", "--quiet", *arguments])
    if done.returncode:
        raise SetupError(f"pip install {' '.join(arguments)} failed: {last_line(done.stderr, 'ERROR: ')}")
    return "installed"


def read_stamp():
    """What the last complete set-up installed (dict); empty when there was none."""
    try:
        return json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def write_stamp(content):
    """Note what is installed now (dict): the last act of a set-up, whole or not at all."""
    temporary = STAMP.with_suffix(".part")
    temporary.write_text(json.dumps(content), encoding="utf-8")
    temporary.replace(STAMP)
