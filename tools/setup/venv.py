"""The virtual environment, its Python and the note of what is installed in it."""

import json
import os
import shutil

from tools.setup.shell import ROOT, SetupError, last_line, run

VENV = ROOT / ".venv"
STAMP = VENV / "setup.json"


# .venv ------------------------------------------------------------------------------------------------------


def base_python():
    """The Python that .venv is made from.

    Raises
    ------
    SetupError
        When it is not there.
    """
    wanted = os.environ.get("VENV_PYTHON") or "/usr/bin/python3"
    found = shutil.which(wanted)
    if not found:
        raise SetupError(f"no Python at {wanted}: apt-get install python3, or set VENV_PYTHON to your distribution's")
    return found


def make_venv():
    """Make .venv when it is absent, half-made or no longer starts; refuse one of another Python."""
    base = base_python()
    ours, theirs = venv_version(), _version(base)
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
    """Version of .venv's Python, "" when there is none that starts and has pip."""
    python = VENV / "bin" / "python"
    return _version(python, "import pip; ") if python.exists() else ""


def _version(python, before=""):
    return run([str(python), "-c", before + "import platform; print(platform.python_version())"]).stdout.strip()


def pip_install(*arguments):
    """Install into .venv; gives the word for it, raises SetupError with pip's own reason."""
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    done = run([*pip, "install", "--quiet", *arguments])
    if done.returncode:
        raise SetupError(f"pip install {' '.join(arguments)} failed: {last_line(done.stderr, 'ERROR: ')}")
    return "installed"


# the whole --------------------------------------------------------------------------------------------------


def read_stamp():
    """What the last complete set-up installed; empty when there was none."""
    try:
        return json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
