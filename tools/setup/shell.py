"""Commands that the set-up runs, and the steps that it prints."""

import subprocess
import time


class SetupError(Exception):
    """The environment cannot be made; the text is one line for the user."""


def run(command, environment=None):
    """Run a command (list of str) without input; gives its CompletedProcess with both outputs as text."""
    return subprocess.run(command, capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL)


def last_line(text, prefix=""):
    """The last line of an output (str) that says why a command failed, where there are some one with this prefix."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    chosen = [line for line in lines if line.startswith(prefix)] or lines or ["no message"]
    return chosen[-1]


def step(name, action, *arguments):
    """Run one step; print its name, its result, and its seconds when it took any."""
    started = time.monotonic()
    result = action(*arguments)
    seconds = time.monotonic() - started
    print(f"{name}: {result}" + (f" ({seconds:.0f} s)" if seconds >= 1 else ""), flush=True)
    return result
