"""Ctrl-C and SIGTERM during a training: it stops between two iterations, with a snapshot."""

import signal
from contextlib import contextmanager


class Interrupted(Exception):
    """Ctrl-C or SIGTERM, after the snapshot was written; the text says where."""


class _Stop:
    requested = False


@contextmanager
def stop_requests():
    """Turn the first Ctrl-C or SIGTERM into a flag that is read between iterations; the second one ends at once.

    Yields
    ------
    object
        Its `requested` (bool) is the flag.
    """
    stop = _Stop()

    def ask(number, frame):
        if stop.requested:
            raise KeyboardInterrupt
        stop.requested = True

    kept = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
