"""Import me first in a tool that was started as a script: I make sure it runs in the project's environment.

`tools/benchmark.py` must work straight from the checkout with whatever python3 is first on PATH. So a tool
imports this module before anything that only the environment has; when another Python runs, the tool is
started again by the environment's own.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"


def _enter():
    python = VENV / "bin" / "python"
    if Path(sys.prefix).resolve() == VENV.resolve():
        # the script's own folder would shadow nothing useful: tools are imported as tools.NAME
        sys.path[0] = str(ROOT)
        return
    if not python.exists():
        name = Path(sys.argv[0]).name
        print(f"{name}: no environment at {VENV}; run `make setup` in {ROOT} first", file=sys.stderr)
        sys.exit(2)
    os.execv(python, [str(python), *sys.argv])


_enter()
