"""Where the time of a row goes: counted by stage, from several threads, and what the rows of a benchmark have of it."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest

from tools.benchmarking import spent


def test_seconds_by_stage():
    now = itertools.count()  # a second passes between two looks at the clock
    one = spent.Spent(clock=lambda: next(now))
    with one.on("decode"):
        pass
    for _ in range(3):
        with one.on("ifc"):
            pass
    with pytest.raises(ZeroDivisionError), one.on("psnr"):
        raise ZeroDivisionError
    assert one.seconds() == {"wall": 11, "decode": 1, "psnr": 1, "ifc": 3}


def test_threads_add_up():
    one = spent.Spent(clock=itertools.count().__next__)

    def work(_):
        with one.on("ssim"):
            pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(2000)))
    assert one.seconds()["ssim"] >= 2000


def test_a_stage_that_is_none():
    with pytest.raises(KeyError), spent.Spent().on("sleep"):
        pass
