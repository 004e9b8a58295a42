"""Drawing positions without replacement: every ordered choice equally likely, memory that follows what is drawn."""

import itertools
import tracemalloc
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from data_prep.drawing import draw


@pytest.mark.parametrize(("total", "count"), [(0, 0), (1, 0), (1, 1), (10, 3), (10, 9), (10, 10), (5000, 2500)])
def test_distinct_positions_below_the_total(total, count):
    found = draw(total, count, 4)
    assert (found.dtype, found.shape) == (np.int64, (count,))
    assert len(set(found.tolist())) == count
    assert count == 0 or 0 <= found.min() <= found.max() < total


@pytest.mark.parametrize("count", [2, 3])
def test_every_ordered_choice_is_equally_likely(count):
    """Of 5 positions, on both sides of a half: chi-squared over all ordered choices, 40 draws of each expected."""
    choices = list(itertools.permutations(range(5), count))
    found = Counter(tuple(draw(5, count, seed).tolist()) for seed in range(40 * len(choices)))
    assert set(found) <= set(choices)
    assert stats.chisquare([found[choice] for choice in choices]).pvalue > 0.001


def test_a_draw_from_many_is_uniform():
    """Chi-squared over 1,000 equal parts of the whole, for one seed; another seed gives other positions."""
    total, count = 10**12, 200_000
    found = draw(total, count, 7)
    assert stats.chisquare(np.bincount(found * 1000 // total, minlength=1000)).pvalue > 0.001
    # in random order: the first and the second half do not differ
    assert stats.ks_2samp(found[: count // 2], found[count // 2 :]).pvalue > 0.001
    assert len(np.intersect1d(found, draw(total, count, 8))) < 5


def test_memory_follows_what_is_drawn():
    tracemalloc.start()
    draw(10**15, 100_000, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 * 100_000


def test_the_same_seed_gives_the_same_forever():
    """Made with NumPy 2.4.6 by this function; RandomState's stream is frozen, so any other must give them."""
    assert draw(1000, 5, 3).tolist() == draw(1000, 5, 3).tolist()
    assert draw(1000, 5, 3).tolist() == [874, 664, 249, 643, 952]
    assert draw(6, 5, 3).tolist() == [4, 3, 5, 1, 0]
