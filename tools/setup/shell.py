"""Commands, their last words, and the steps that the set-up prints."""

import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class SetupError(Exception):
    """The environment cannot be made; the text is one line for the user."""


def run(command, environment=None):
    return subprocess.run(command, capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL)


def last_line(text, prefix=""):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    chosen = [line for line in lines if line.startswith(prefix)] or lines or ["no message"]
    return chosen[-1]


def step(name, action, *arguments):
    """Run one step; print its name, what came of it, and its seconds when it took any."""
    started = time.monotonic()
    result = action(*arguments)
    seconds = time.monotonic() - started
    print(f"{name}: {result}" + (f" ({seconds:.0f} s)" if seconds >= 1 else ""), flush=True)
    return result
