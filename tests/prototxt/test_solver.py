"""Solvers of the three stages against the paper and the released solver."""

import pytest

from prototxt import solver
from prototxt.errors import NetError


def test_train_is_the_released_solver():
    """Values read in the authors' solver at commit 482c601."""
    s = solver.stage_solver(3, "train")
    assert (s.type, s.lr_policy, s.stepsize, s.max_iter, s.snapshot) == ("Adam", "step", 250_000, 600_000, 20_000)
    assert (s.base_lr, s.gamma, s.weight_decay) == pytest.approx((1e-4, 0.1, 1e-4))
    assert (s.momentum, s.test_interval, list(s.test_iter)) == (0, 5_000, [231])
    assert (s.momentum2, s.delta, s.regularization_type) == (pytest.approx(0.999), pytest.approx(1e-8), "L2")


def test_stages_follow_the_paper():
    assert solver.stage_solver(2, "pretrain").max_iter == 100_000
    fine = solver.stage_solver(2, "finetune")
    assert fine.base_lr == pytest.approx(1e-5)
    assert fine.net.endswith("idn_x2_finetune.prototxt")
    assert solver.stage_solver(2, "pretrain").net == solver.stage_solver(2, "train").net


@pytest.mark.parametrize(("scale", "pairs"), [(2, 534), (3, 462), (4, 252)])
def test_testing_covers_the_validation_set_once(scale, pairs):
    assert solver.stage_solver(scale, "train").test_iter[0] * 2 == pairs


def test_beta1_is_selectable_and_said_in_the_file(capsys):
    solver.main(["--scale", "2", "--stage", "train", "--beta1", "0.9"])
    text = capsys.readouterr().out
    assert "momentum: 0.9" in text and "# momentum is Adam's beta1: 0.9, not the release's 0" in text


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (dict(stage="test"), "stage: got 'test', expected one of pretrain, train, finetune"),
        (dict(beta1=1.0), "beta1: got 1.0, expected 0 <= beta1 < 1"),
        (dict(iterations=0), "iterations: got 0, expected at least 1"),
        (dict(scale=8), "scale: got 8"),
    ],
)
def test_refusals(options, text):
    with pytest.raises(NetError, match=text):
        solver.stage_solver(**{"scale": 2, "stage": "train", **options})
