"""How long a thread that waits for the others keeps a core busy.

GNU OpenMP's threads look 300,000 times whether the others are done before they sleep. That wins nothing measurable over
1,000, but on a machine that does other work as well the one that looks holds the core that the other needs: a pass of
15 ms took a second. docs/speed.md has the figures. The library reads its choice when it is loaded.
"""

import contextlib
import os

# either is the user's choice
CHOICES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
SPINS = "1000"


def chosen(environ=os.environ):
    """What to add to the environment (dict) of a process before it loads OpenMP; nothing where the user has chosen."""
    return {} if any(environ.get(name) for name in CHOICES) else {"GOMP_SPINCOUNT": SPINS}


@contextlib.contextmanager
def short_waits(environ=os.environ):
    """Load OpenMP inside: it finds the choice in `environ` (mapping), which is then as it was."""
    added = chosen(environ)
    before = {name: environ.get(name) for name in added}
    environ.update(added)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del environ[name]
            else:
                environ[name] = value
