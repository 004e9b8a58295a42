"""The virtual environment: its Python, and the note of what the last set-up installed into it."""

import json

from tools.common.paths import ROOT
from tools.setup import interpreter
from tools.setup.shell import SetupError, last_line, run

VENV = ROOT / ".venv"
STAMP = VENV / "setup.json"
# the first pip that installs a project as editable which has a pyproject.toml alone; Debian 11 brings an older one
NEW_PIP = "import pip, sys; sys.exit(tuple(map(int, pip.__version__.split('.')[:2])) < (21, 3))"


def python():
    """The environment's Python (Path), whether it is there or not."""
    return VENV / "bin" / "python"


def make_venv():
    """Make .venv when it is missing, half-made or no longer starts; gives a line (str) about it.

    One that works is kept, whatever it was made from, unless PYTHON asks for another version.

    Raises
    ------
    SetupError
        There is one of another Python than PYTHON, or none can be made.
    """
    ours = venv_version()
    if ours and not interpreter.chosen():
        interpreter.refuse(python())
        return f"Python {ours}, {VENV}"
    base = interpreter.base()
    theirs = version_of(base)
    if ours == theirs:
        return f"Python {ours}, {VENV}"
    if ours:
        raise SetupError(
            f"{VENV} is made of Python {ours}, expected {theirs} of PYTHON={interpreter.chosen()}; remove it "
            "(`rm -rf .venv`) and run this again"
        )
    before = made_of()
    done = run([base, "-m", "venv", "--clear", str(VENV)])
    if done.returncode:
        reason = last_line(done.stdout + done.stderr)
        systems = interpreter.is_the_systems(base)
        package = f"python{interpreter.version(base)}-venv"
        remedy = f"apt-get install {package}" if systems else "install its modules venv and pip"
        raise SetupError(f"{base} cannot make {VENV}: {reason}; {remedy}")
    if run([str(python()), "-c", NEW_PIP]).returncode:
        pip_install("--upgrade", "pip>=21.3")
    why = f", in place of one of Python {before} that no longer starts" if before else ""
    return f"made with Python {venv_version()}, {VENV}{why}"


def made_of():
    """The version (str) of Python that .venv was made of, by its own note; "" where there is none."""
    try:
        lines = (VENV / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    noted = dict(line.split(" = ", 1) for line in lines if " = " in line)
    return noted.get("version", "")


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
