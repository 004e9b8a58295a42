"""Run one function over many items on all cores, and leave no process behind however it ends."""

import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import parent_process
from multiprocessing.context import SpawnContext, SpawnProcess

from data_prep.errors import DataError

# more processes than this gain little, since they all write to one disk, and cost about 100 MB each
MOST_BY_DEFAULT = 8
# far beyond the cores of one machine
MOST = 1024
# one thread each: the processes share the cores already
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def default_workers():
    """Processes to use when the user names no number: the cores this process may run on, at most 8."""
    return min(MOST_BY_DEFAULT, len(os.sched_getaffinity(0)))


def checked(asked):
    """The number of processes (int) that is asked for, or the default for None; raises DataError out of range."""
    if asked is None:
        return default_workers()
    if not 1 <= asked <= MOST:
        raise DataError(f"workers {asked}: expected 1 or more, at most {MOST}")
    return asked


def run_all(function, items, workers, setup, setup_arguments):
    """Yield `function(item)` for each item as it gets done, in no particular order.

    Parameters
    ----------
    function, setup : callable
        Importable functions; `setup(*setup_arguments)` runs once in each process first.
    items : sequence
        Picklable arguments.
    workers : int
        Processes; 1 works in this process.
    setup_arguments : tuple
        Picklable.

    Yields
    ------
    object
        Each result.

    Raises
    ------
    DataError
        A process was killed from outside, as a machine short of memory does.
    """
    if workers == 1:
        setup(*setup_arguments)
        yield from map(function, items)
        return
    with pool(min(workers, len(items)), setup, setup_arguments) as processes:
        try:
            with quiet():
                jobs = [processes.submit(function, item) for item in items]
            for job in as_completed(jobs):
                yield job.result()
        except BrokenProcessPool as error:
            raise DataError(
                "a worker process was killed, perhaps for want of memory; try fewer --workers"
            ) from error
        finally:
            processes.shutdown(cancel_futures=True)


def pool(workers, setup, setup_arguments):
    """A ProcessPoolExecutor whose processes end with this one; parameters as of `run_all`. Submit in `quiet`."""
    return ProcessPoolExecutor(workers, _Context(), _begin, (setup, setup_arguments))


class _Process(SpawnProcess):
    """A process that the pool can always end.

    When one was killed, the pool terminates the others, which may wait for ever for a lock that the dead one held, and
    waits for their end. They may ignore SIGTERM: as they choose, or as the process that started them did.
    """

    terminate = SpawnProcess.kill


class _Context(SpawnContext):
    Process = _Process


@contextmanager
def quiet():
    """Have the processes that are started inside compute in one thread each, and never see Ctrl-C."""
    with _one_thread_each(), _deaf_to_ctrl_c():
        yield


@contextmanager
def _one_thread_each():
    """Have the processes started inside read 1 from the variables that numerical libraries obey."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _deaf_to_ctrl_c():
    """Have the processes started inside never see SIGINT, and this one only at the end.

    Ctrl-C reaches the whole group of processes, even one that is still starting; the parent alone decides what
    happens then. A process inherits the mask.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(setup, arguments):
    threading.Thread(target=_follow_parent, daemon=True).start()
    setup(*arguments)


def _follow_parent():
    """End this process when its parent has died: a killed parent cannot tell it to."""
    parent_process().join()
    os._exit(1)
