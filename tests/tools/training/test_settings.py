"""Schedules and settings of the stages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prototxt import solver
from prototxt.solver import STAGES
from tools import train
from tools.common.errors import UserError
from tools.training.settings import schedule, settings_of


def test_the_longest_schedule_that_caffe_counts(tmp_path, capsys):
    for stage in STAGES:
        args = train.parse(["--scale", "3", "--stage", stage, "--iters", str(2**31 - 1), "--seed", str(2**32 - 1)])
        (iterations,) = schedule(args.iters, stage).values()
        settings = settings_of(args, stage, iterations)
        message = solver.stage_solver(
            3, stage, iterations=settings.iterations, stepsize=settings.stepsize, seed=settings.seed
        )
        assert message.max_iter == 2**31 - 1 and 250_000 < message.stepsize <= 2**31 - 1


@given(st.integers(3, 10**6))
def test_schedule_shares_all_iterations(iterations):
    lengths = schedule(iterations, None)
    assert sum(lengths.values()) == iterations and min(lengths.values()) >= 1
    assert list(lengths) == list(STAGES)


def test_schedule_is_the_papers_without_iters():
    assert schedule(None, None) == {"pretrain": 100_000, "train": 600_000, "finetune": 20_000}
    assert schedule(72, "finetune") == {"finetune": 72}
    with pytest.raises(UserError, match="iters: got 2, expected at least 3"):
        schedule(2, None)
