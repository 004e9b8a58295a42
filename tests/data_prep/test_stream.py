"""The stream of pairs: each as often as any other, the same for any number of workers, from any place, or one line."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from data_prep import stream as streams
from data_prep.cutting import pairs as cut_all
from data_prep.errors import DataError
from data_prep.geometry import geometry
from data_prep.images import read_image
from data_prep.plan import gather, make_plan
from data_prep.sampling import sampling
from data_prep.stream import Order, Stream


def numbers(order, windows):
    """Numbers of the pairs of the first so many windows, in the order of the stream."""
    found = np.empty(windows * order.window, np.int64)
    for block in range(windows * streams.BLOCKS):
        window = block // streams.BLOCKS
        found[window * order.window + order.places_of(block)] = order.pairs_of(block)
    return found


@pytest.fixture
def small_windows(monkeypatch):
    """Windows of 64 pairs of 1,000 bytes."""
    monkeypatch.setattr(streams, "WINDOW_BYTES", 64_000)


@pytest.mark.parametrize("total", [2, 15, 16, 47, 64, 65, 200, 1000])
def test_no_pair_comes_twice_in_a_round(small_windows, total):
    order = Order(total, 1000, seed=5)
    in_round = order._in_round * order.block
    assert in_round <= total < in_round + max(order.block, streams.BLOCKS)
    rounds = numbers(order, 3 + 2 * in_round // order.window)[: 2 * in_round].reshape(2, in_round)
    if in_round % order.window == 0:
        for one in rounds:
            assert len(set(one.tolist())) == in_round
    blocks = [order.pairs_of(block).tolist() for block in range(order._in_round)]
    assert len(set(sum(blocks, []))) == in_round


@pytest.mark.parametrize("total", [50, 90])
def test_every_place_holds_every_pair_with_the_same_probability(small_windows, total):
    """Chi-squared over all pairs, at three places of the stream, over 20 seeds for each pair."""
    seeds = 20 * total
    found = np.array([numbers(Order(total, 1000, seed), 1)[[0, 17, -1]] for seed in range(seeds)])
    for place in found.T:
        assert stats.chisquare(np.bincount(place, minlength=total)).pvalue > 0.001


def test_pairs_of_a_batch_come_from_all_blocks_of_a_window():
    """A window of the x3 database's pairs is 16,304 pairs; 64 that follow each other are of most of its 16 blocks."""
    order = Order(10**9, 15_692, seed=0)
    assert (order.block, order.window) == (1019, 16_304)
    block_of = {number: block for block in range(16) for number in order.pairs_of(block).tolist()}
    batches = numbers(order, 1)[:16_256].reshape(-1, 64)
    assert np.mean([len({block_of[number] for number in batch.tolist()}) for batch in batches]) > 15


@pytest.fixture
def plan(small_set):
    return make_plan(gather(small_set, decode=False), geometry(3, "train"))


def read(plan, count, start=0, **options):
    with Stream(plan, 3, **{"processes": 1, **options}) as stream:
        return stream.read(start, count)


@pytest.mark.parametrize(("method", "scale"), [(None, 3), ("DRRN", None), ("FSRCNN", 2), ("LapSRN", 4)])
def test_pairs_are_those_of_the_database_in_the_order_of_the_stream(small_set, monkeypatch, method, scale):
    shape = sampling(method, scale, **({"crops": 40} if method == "LapSRN" else {})) if method else geometry(3, "train")
    plan = make_plan(gather(small_set), shape, seed=5)
    monkeypatch.setattr(streams, "WINDOW_BYTES", 1_000_000)
    # the workers are other processes, which do not see this: they are told by the plan's own size
    monkeypatch.setattr(streams.workers, "pool", in_this_process)
    with Stream(plan, 3) as stream:
        found = stream.read(0, 2 * stream.order.window)
        expected = numbers(stream.order, 2)
    images = [(read_image(info.path), f"5 {info.sha256}") for info in plan.sources.images]
    every = [pairs for rgb, key in images for pairs in cut_all(rgb, shape, key)]
    for name in shape.sides:
        assert np.array_equal(found[name], np.concatenate([one[name] for one in every])[expected])


class in_this_process:  # noqa: N801 (stands for a function)
    """An executor that works at once, here."""

    def __init__(self, workers, setup, arguments):
        setup(*arguments)

    def submit(self, function, *arguments):
        from concurrent.futures import Future

        job = Future()
        job.set_result(function(*arguments))
        return job

    def shutdown(self, cancel_futures):
        pass


def test_the_same_for_any_number_of_workers_and_from_any_place(plan):
    window = Order(plan.total, 15_692, 3).window
    count = window + 20
    one, three = read(plan, count), read(plan, count, processes=3)
    with Stream(plan, 3, processes=2) as stream:
        ahead = stream.read(window + 7, 5)
        back = stream.read(3, 6, step=2)
    for name in plan.geometry.sides:
        assert np.array_equal(one[name], three[name])
        assert np.array_equal(ahead[name], one[name][window + 7 : window + 12])
        assert np.array_equal(back[name], one[name][3:15:2])
    other = read(plan, 30, processes=1)
    with Stream(plan, 4, processes=1) as stream:
        assert not np.array_equal(stream.read(0, 30)["data"], other["data"])


@pytest.mark.parametrize("change", ["gone", "changed", "damaged"])
def test_an_image_that_is_not_what_it_was_is_named(small_set, plan, damage, make_picture, change):
    path = small_set / "picture1.png"
    if change == "damaged":
        damage(path)
        plan = make_plan(gather(small_set, decode=False), geometry(3, "train"))
    elif change == "gone":
        path.unlink()
    else:
        make_picture(path, 130, 99, seed=9)
    what = {"gone": "cannot be read", "changed": "changed while it was being used", "damaged": "truncated or damaged"}
    with pytest.raises(DataError, match=rf"picture1.png: {what[change]}"):
        read(plan, plan.total)


def test_a_worker_that_dies_is_told_and_none_stays(plan):
    with Stream(plan, 3, processes=2) as stream:
        stream.wait(0, 1)
        pids = list(stream._pool._processes)
        os.kill(pids[0], signal.SIGKILL)
        with pytest.raises(DataError, match="a process that cuts training pairs was killed"):
            for place in range(0, 100 * plan.total, plan.total):
                stream.wait(place, 1)
    until = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < until:
        time.sleep(0.05)
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == [] and len(pids) == 2
