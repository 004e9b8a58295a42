"""An endless stream of a folder's training pairs, cut by worker processes ahead of the one that reads them.

The pairs are those of a database (`plan.make_plan` without a sample), numbered image by image in the order of cutting.
`Order` says, by arithmetic alone, which of them stands where in the stream; so the stream is the same for any number of
workers, and reading can begin at any place of it. `Stream` computes it.
"""

import contextlib
import errno
import mmap
import os
import signal
import time
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from pathlib import Path

import numpy as np

from data_prep import cutting, workers
from data_prep.errors import DataError
from data_prep.geometry import patch_bytes
from data_prep.images import read_pixels

# pairs are shuffled in windows of about this size, each of so many blocks; another choice is another order of the pairs
WINDOW_BYTES = 256 * 10**6
BLOCKS = 16
# windows in memory: the one that is read, and the one that is cut meanwhile
SLOTS = 2


class Order:
    """Which pair stands where in the stream.

    Parameters
    ----------
    total : int
        Pairs of the folder.
    pair : int
        Bytes of a pair.
    seed : int
        0 to 2**32 - 1.

    Attributes
    ----------
    block : int
        Pairs that follow each other in the order of cutting and are cut together.
    window : int
        Pairs of a window, which is BLOCKS blocks.

    Notes
    -----
    In every round through the folder the pairs form a circle, which is cut at a random place into blocks of one size;
    the few pairs that are left over sit the round out, as a database drops those that make no whole batch. The blocks
    are taken in random order, and the pairs of BLOCKS blocks that follow each other, a window, are shuffled. Hence any
    place of the stream holds any pair with the same probability, and no pair comes twice in a round. A folder that fits
    into a window is shuffled as a whole.

    RandomState, not Generator: its stream is frozen for good (NEP 19).
    """

    def __init__(self, total, pair, seed):
        self.total, self.seed = total, seed
        most = WINDOW_BYTES // pair
        self.block = max(1, min(total, most) // BLOCKS)
        self.window = BLOCKS * self.block
        self._in_round = total // self.block if total > most else min(total, BLOCKS)
        self._round, self._shuffled = lru_cache(maxsize=2)(self._round), lru_cache(maxsize=2)(self._shuffled)

    def _random(self, *which):
        return np.random.RandomState([self.seed, *which])  # noqa: NPY002

    def _round(self, number):
        """Where the circle of round `number` is cut, and the order of its blocks."""
        random = self._random(0, number % 2**32)
        return random.randint(self.total, dtype=np.int64), random.permutation(self._in_round)

    def pairs_of(self, block):
        """Numbers of the pairs of a block of the stream (int), in the order of the circle: ndarray, (block,), int64."""
        number, place = divmod(block, self._in_round)
        begin, order = self._round(number)
        return (begin + order[place] * self.block + np.arange(self.block)) % self.total

    def places_of(self, block):
        """Where in its window each pair of a block comes (ndarray, (block,), int64)."""
        window, place = divmod(block, BLOCKS)
        return self._shuffled(window)[place * self.block : (place + 1) * self.block]

    def _shuffled(self, window):
        return self._random(1, window % 2**32).permutation(self.window)


class _Windows:
    """The windows in memory that this process and its workers share: for each slot an array of each dataset."""

    def __init__(self, file, order, sides):
        size = SLOTS * order.window * patch_bytes(sides)
        self._memory = mmap.mmap(file, size)
        self.slots, offset = [], 0
        for _ in range(SLOTS):
            arrays = {}
            for name, side in sides.items():
                shape = (order.window, 1, side, side)
                arrays[name] = np.ndarray(shape, np.float32, self._memory, offset)
                offset += arrays[name].nbytes
            self.slots.append(arrays)

    def close(self):
        self.slots = []
        with contextlib.suppress(BufferError):  # an array of ours that somebody still holds keeps it
            self._memory.close()


class Stream:
    """The pairs of a plan's images in random order, without end; use it in a `with`, or `close` it.

    Parameters
    ----------
    plan : Plan
        Of all pairs, no sample.
    seed : int
        Of the order, 0 to 2**32 - 1. The random places of LapSRN's pieces come from the plan's.
    processes : int, optional
        Default: one for each core, at most 8.

    Attributes
    ----------
    order : Order

    Raises
    ------
    DataError
        No room in memory for the windows.
    """

    def __init__(self, plan, seed, processes=None):
        self.order = Order(plan.total, patch_bytes(plan.geometry.sides), seed)
        self._file = os.memfd_create("pairs", os.MFD_CLOEXEC)
        try:
            os.ftruncate(self._file, memory_bytes(plan))
            self._windows = _Windows(self._file, self.order, plan.geometry.sides)
        except OSError as error:
            os.close(self._file)
            if error.errno in (errno.ENOMEM, errno.ENOSPC, errno.EFBIG, errno.EINVAL):
                raise DataError(
                    f"pairs of {plan.geometry.name}: no {memory_bytes(plan):,} bytes of memory ({error.strerror}); "
                    "free some, or make a database with tools/prepare_data.py"
                ) from error
            raise
        shared = f"/proc/{os.getpid()}/fd/{self._file}"
        setup = plan.sources.images, plan.counts, plan.geometry, plan.seed, self.order.total, seed, shared
        self._pool = workers.pool(processes or workers.default_workers(), _set_up, setup)
        self._jobs, self._first = {}, 0  # window -> its jobs; the window that is read

    def wait(self, start, count):
        """Have pairs `start` to `start` + `count` ready, as far as memory reaches.

        Reading goes on from `start`: windows before are given up, those that follow are begun. Any place may be next,
        but going on is what costs nothing.

        Raises
        ------
        DataError
            An image cannot be read or is another than when the plan was made, or a worker process was killed.
        """
        first, last = (place // self.order.window for place in (start, start + max(1, count) - 1))
        if first != self._first:
            self._give_up(first)
        try:
            for window in range(first, first + SLOTS):
                if window not in self._jobs:
                    with workers.quiet():
                        self._jobs[window] = [
                            self._pool.submit(_cut_block, window * BLOCKS + i, window % SLOTS)
                            for i in range(BLOCKS)
                        ]
            for window in range(first, min(last + 1, first + SLOTS)):
                for job in self._jobs[window]:
                    job.result()
        except BrokenProcessPool as error:
            raise DataError(
                "a process that cuts training pairs was killed, perhaps for want of memory; try fewer --workers"
            ) from error

    def _give_up(self, first):
        """Free the slots for windows from `first` on; what is being written to them must have ended."""
        unwanted = {window: jobs for window, jobs in self._jobs.items() if not first <= window < first + SLOTS}
        for jobs in unwanted.values():
            for job in jobs:
                job.cancel()
        for window, jobs in unwanted.items():
            for job in jobs:
                while not job.done():
                    time.sleep(0.001)
            del self._jobs[window]
        self._first = first

    def read(self, start, count, step=1, out=None):
        """Pairs `start`, `start` + `step`, ... of the stream.

        Parameters
        ----------
        start, count, step : int
            First, how many, and distance, at least 1.
        out : dict of str to ndarray, optional
            Where to write them; default: new arrays.

        Returns
        -------
        dict of str to ndarray, (count, 1, side, side), float32 about [0, 1]
            Copies.

        Raises
        ------
        DataError
            As `wait`.
        """
        shapes = {name: (count, *one.shape[1:]) for name, one in self._windows.slots[0].items()}
        found = {name: np.empty(shape, np.float32) for name, shape in shapes.items()} if out is None else out
        places, done = start + step * np.arange(count), 0
        while done < count:
            window = int(places[done]) // self.order.window
            end = int(np.searchsorted(places, (window + 1) * self.order.window))
            self.wait(int(places[done]), int(places[end - 1] - places[done]) + 1)
            for name, array in self._windows.slots[window % SLOTS].items():
                within = places[done:end] % self.order.window
                np.take(array, within, axis=0, out=found[name][done:end], mode="clip")  # "raise" would copy twice
            done = end
        return found

    def close(self):
        """End the workers and free the memory."""
        self._pool.shutdown(cancel_futures=True)
        self._windows.close()
        with contextlib.suppress(OSError):
            os.close(self._file)
        self._file = -1

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


def memory_bytes(plan):
    """Memory (int, bytes) that the windows of a plan's stream take, without the workers."""
    pair = patch_bytes(plan.geometry.sides)
    return SLOTS * Order(plan.total, pair, 0).window * pair


# what each worker process is set up with
_state = {}


def _set_up(images, counts, shape, cut_seed, total, seed, shared):
    # a job scheduler sends it to all: the reader decides, and a worker ends with it
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    order = Order(total, patch_bytes(shape.sides), seed)
    with Path(shared).open("r+b", buffering=0) as file:
        _state["windows"] = _Windows(file.fileno(), order, shape.sides)
    _state.update(images=images, shape=shape, cut_seed=cut_seed, order=order)
    _state["starts"] = np.cumsum([0, *counts], dtype=np.int64)


def _cut_block(block, slot):
    """Cut the pairs of a block of the stream (int) and write them to their places in a slot (int) of the windows."""
    order, starts = _state["order"], _state["starts"]
    numbers, places = order.pairs_of(block), order.places_of(block)
    by_number = np.argsort(numbers)
    numbers, places = numbers[by_number], places[by_number]
    arrays = _state["windows"].slots[slot]
    done = 0
    while done < len(numbers):
        image = int(np.searchsorted(starts, numbers[done], side="right")) - 1
        end = int(np.searchsorted(numbers, starts[image + 1]))
        _write(image, numbers[done:end] - starts[image], places[done:end], arrays)
        done = end


def _write(image, chosen, places, arrays):
    info, done = _state["images"][image], 0
    for pairs in cutting.pairs(read_pixels(info), _state["shape"], f"{_state['cut_seed']} {info.sha256}", chosen):
        count = len(pairs["data"])
        for name, patches in pairs.items():
            arrays[name][places[done : done + count]] = patches
        done += count
