"""What worker processes do with signals, whatever the process that made them does."""

import signal

import pytest

from data_prep import workers


@pytest.fixture
def deaf_to_sigterm():
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGTERM, before)


def nothing():
    pass


def action_on_sigterm():
    return int(signal.getsignal(signal.SIGTERM))


def test_sigterm_ends_a_worker_of_a_process_that_ignores_it(deaf_to_sigterm):
    """As a rank of a training does. Of two idle workers one waits for the lock that the other holds: where that one is
    killed, the pool ends the first by SIGTERM and waits for its end."""
    with workers.pool(1, nothing, ()) as pool:
        with workers.quiet():
            job = pool.submit(action_on_sigterm)
        assert job.result() == signal.SIG_DFL
