"""The networks that take minutes for an iteration of their recipe: the same layers and losses, but few and narrow.

The loop, the solver, the clipping, the losses and the databases are those of the method.
"""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from prototxt import drcn, drrn, memnet, red30
from tools.training import subject
from tools.training.log import read

NARROW = {
    "DRCN": replace(drcn.NETWORK, body=partial(drcn.body, width=8)),
    "DRRN": replace(drrn.NETWORK, variants={"b1u25": dict(units=1)}),
    "MemNet": replace(memnet.NETWORK, variants={"m6r6_released": dict(blocks=2, recursions=1, share=False)}),
    "MemNet-M6R6": replace(memnet.NETWORK, variants={"m6r6": dict(blocks=2, recursions=1)}),
    "RED30": replace(red30.NETWORK, body=partial(red30.body, width=8)),
}
# the recipe's rate is for trainings of days
MORE = {"RED30": ("--lr", "1e-3")}


@pytest.mark.parametrize("method", NARROW)
def test_it_learns_and_a_stopped_run_goes_on_to_the_bit(methods, tmp_path, monkeypatch, method):
    network = NARROW[method]
    monkeypatch.setitem(subject.NETWORKS, network.name, network)
    more = ("--iters", "40", "--snapshot", "15", "--test-interval", "40", *MORE.get(method, ()))
    summary = methods.stop_and_go_on(tmp_path, method, *more, at=22)
    assert summary["method"] == method and summary["psnr"] > 0
    losses = [row["loss"] for row in read(tmp_path / "whole" / "log.csv")]
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:3]), losses
