"""What the Python data layers of this process read from: one feed for each source, opened when it is first used."""

from contextlib import contextmanager

import numpy as np

from data_prep import cutting
from data_prep.images import read_pixels
from data_prep.stream import Stream
from tools.training import image_source

VALIDATION = "val"
# the pairs of so many iterations are waited for at a time: CUDA graphs run 50 in one call, which no error must end
AHEAD = 50

_offered, _open = {}, {}


def offer(source, plan, workers):
    """Let the feed of a source (str) use a Plan that is there already, and so many processes (int or None)."""
    _offered[source] = plan, workers


def of(source):
    """The feed (Streamed or Kept) of a source (str); raises DataError when its images are not what they were."""
    if source not in _open:
        plan, workers = _offered.get(source) or (image_source.plan_of(source), None)
        kept = image_source.database_of(source) == VALIDATION
        _open[source] = Kept(plan) if kept else Streamed(plan, workers)
    return _open[source]


@contextmanager
def closing():
    """End the processes that cut pairs, and free the pairs, when the block ends."""
    try:
        yield
    finally:
        for feed in _open.values():
            feed.close()
        _open.clear()
        _offered.clear()


class Streamed:
    """Training pairs, cut by worker processes ahead of the solver.

    Parameters
    ----------
    plan : Plan
    workers : int or None

    Attributes
    ----------
    sides : dict of str to int
        Of the pairs of each dataset.
    place : int
        In the stream: the first pair of the next iteration. All ranks together go on by one iteration's pairs.
    """

    def __init__(self, plan, workers):
        self.sides = plan.geometry.sides
        self._stream, self.place, self._each = Stream(plan, plan.seed, workers), 0, 1

    def expect(self, each):
        """Prepare for iterations of so many pairs (int), of all ranks together."""
        self._each = each

    def read(self, out, rank, ranks):
        """Write this rank's pairs of the next iteration into the arrays of `out` (dict); raises DataError."""
        count = len(next(iter(out.values())))
        self._stream.read(self.place + rank, count, ranks, out)
        self.place += count * ranks

    def wait(self):
        """Have the pairs of the next iterations cut; raises DataError when that cannot be."""
        self._stream.wait(self.place, AHEAD * self._each)

    def close(self):
        """End the worker processes."""
        self._stream.close()


class Kept:
    """Validation pairs, all in memory, in the order of their database.

    Parameters
    ----------
    plan : Plan

    Attributes
    ----------
    sides : dict of str to int
        Of the pairs of each dataset.
    """

    def __init__(self, plan):
        self.sides = plan.geometry.sides
        self._pairs = {name: np.empty((plan.pairs, 1, side, side), np.float32) for name, side in self.sides.items()}
        self._place, self._rows = 0, plan.pairs
        for info, (chosen, rows) in zip(plan.sources.images, plan.destinations()):
            done = 0
            for pairs in cutting.pairs(read_pixels(info), plan.geometry, f"{plan.seed} {info.sha256}", chosen):
                count = len(pairs["data"])
                for name, patches in pairs.items():
                    self._pairs[name][rows[done : done + count]] = patches
                done += count

    def expect(self, each):
        """Nothing is to be prepared."""

    def read(self, out, rank, ranks):
        """Write the next pairs into the arrays of `out` (dict); every rank reads all, as in Caffe's TEST phase."""
        places = (self._place + np.arange(len(next(iter(out.values()))))) % self._rows
        for name, array in out.items():
            array[...] = self._pairs[name][places]
        self._place = int(places[-1] + 1) % self._rows

    def close(self):
        """Free the pairs."""
        self._pairs.clear()
