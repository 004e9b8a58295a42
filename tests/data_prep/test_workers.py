"""How worker processes end, whatever they and the process that made them do with signals."""

import os
import signal
import time
from concurrent.futures.process import BrokenProcessPool

import pytest

from data_prep import workers


def ignore_sigterm():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def own_number(_):
    return os.getpid()


@pytest.mark.parametrize("which", [0, 1])
def test_a_killed_worker_never_leaves_the_others_waiting(which):
    """Of two idle workers one waits for the lock that the other holds while it waits for work: either is killed."""
    pool = workers.pool(2, ignore_sigterm, ())
    with workers.quiet():
        jobs = [pool.submit(own_number, number) for number in range(64)]
    numbers = {job.result() for job in jobs} | set(pool._processes)
    assert len(numbers) == 2
    time.sleep(0.5)  # until both are idle
    os.kill(sorted(numbers)[which], signal.SIGKILL)
    with pytest.raises(BrokenProcessPool):
        until = time.monotonic() + 60
        while time.monotonic() < until:  # the pool notices in its own time
            pool.submit(own_number, 0).result(timeout=60)
            time.sleep(0.01)
    pool.shutdown()
    for number in numbers:
        with pytest.raises(ProcessLookupError):
            os.kill(number, 0)
