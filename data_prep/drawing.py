"""Draw some of many positions without replacement, all orders equally likely, in memory that follows what is drawn."""

import numpy as np


def draw(total, count, seed):
    """`count` of the positions 0 to `total` - 1 in random order.

    Parameters
    ----------
    total, count : int
        0 <= count <= total.
    seed : int
        0 to 2**32 - 1.

    Returns
    -------
    ndarray, (count,), int64
        Distinct; every ordered choice is equally likely.

    Notes
    -----
    Up to a half, positions are drawn one after the other and those that came before are passed over: what is left is a
    draw without replacement. Beyond a half, those to be left out are drawn in this way. Memory is some 50 bytes a
    position drawn, whatever the total.

    RandomState, not Generator: its stream is frozen for good (NEP 19), so that a seed means the same with any NumPy.
    """
    random = np.random.RandomState(seed)  # noqa: NPY002
    if 2 * count <= total:
        return _distinct(random, total, count)
    kept = np.ones(total, dtype=bool)
    kept[_distinct(random, total, total - count)] = False
    return random.permutation(np.flatnonzero(kept))


def _distinct(random, total, count):
    found = np.empty(0, dtype=np.int64)
    while len(found) < count:
        more = random.randint(total, size=count - len(found), dtype=np.int64)
        both = np.concatenate([found, more])
        _, first = np.unique(both, return_index=True)
        found = both[np.sort(first)]
    return found
