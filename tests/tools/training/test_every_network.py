"""A training of any network that was stopped goes on as one that was not: the same bits, the same log.

With clipping, several losses, a loss whose weights change, shared arrays and BatchNorm. Networks of which an iteration
takes minutes have the same layers and losses here, but few and narrow, and are long enough at it to learn something;
loop, solver and databases are the method's.
"""

import json
import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from prototxt import drcn, drrn, memnet, red30
from tools import train
from tools.common.errors import UserError
from tools.methods import evaluation
from tools.training import stage, subject
from tools.training.log import read

QUICK = ("ESPCN", "FSRCNN", "SRCNN", "SRCNN-9-1-5", "VDSR", "LapSRN")
NARROW = {
    "DRCN": replace(drcn.NETWORK, body=partial(drcn.body, width=8)),
    "DRRN": replace(drrn.NETWORK, variants={"b1u25": dict(units=1)}),
    "DRRN-B1U9": replace(drrn.NETWORK, variants={"b1u9": dict(units=2)}),
    "MemNet": replace(memnet.NETWORK, variants={"m6r6_released": dict(blocks=2, recursions=1, share=False)}),
    "MemNet-M6R6": replace(memnet.NETWORK, variants={"m6r6": dict(blocks=2, recursions=1)}),
    "MemNet-M10R10": replace(memnet.NETWORK, variants={"m10r10": dict(blocks=2, recursions=2)}),
    "RED30": replace(red30.NETWORK, body=partial(red30.body, width=8)),
}
# the recipe's rate is for trainings of days
MORE = {"RED30": ("--lr", "1e-3")}


@pytest.mark.parametrize("method", QUICK)
def test_a_stopped_run_goes_on(methods, tmp_path, method):
    summary = methods.stop_and_go_on(tmp_path, method, "--iters", "6", "--snapshot", "2", "--test-interval", "3")
    assert (summary["method"], summary["images"]["train"]) == (method, "3 of 291")
    assert any("6 iterations instead of" in line for line in summary["deviates_from_the_paper"])


@pytest.mark.parametrize("method", NARROW)
def test_a_narrow_one_learns_and_goes_on(methods, tmp_path, monkeypatch, method):
    network = NARROW[method]
    monkeypatch.setitem(subject.NETWORKS, network.name, network)
    more = ("--iters", "40", "--snapshot", "15", "--test-interval", "40", *MORE.get(method, ()))
    summary = methods.stop_and_go_on(tmp_path, method, *more, at=22)
    assert summary["method"] == method and summary["psnr"] > 0
    losses = [row["loss"] for row in read(tmp_path / "whole" / "log.csv")]
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:3]), losses


@pytest.mark.parametrize("wild", [1e6, np.nan])
def test_batch_norm_s_averages_are_given_time(methods, training, tmp_path, monkeypatch, wild):
    """By averages of earlier weights a sound net may give anything; DRRN's first minutes ended as a divergence."""
    monkeypatch.setitem(subject.NETWORKS, drrn.NETWORK.name, NARROW["DRRN"])
    tested = evaluation.super_resolve
    monkeypatch.setattr(evaluation, "super_resolve", lambda *args: tested(*args) * 0 + wild)
    argv = methods.options("DRRN", "--out", str(tmp_path), "--iters", "6", "--snapshot", "3", "--test-interval", "3")
    if np.isnan(wild):
        monkeypatch.setattr(evaluation, "validation_psnr", lambda *_: wild)
    assert train.main(argv) == 0
    found = json.loads((tmp_path / "summary.json").read_text())
    assert found["psnr"] is None if np.isnan(wild) else 0 < found["psnr"] < 20
    assert [note.split(",")[0] for note in found["notes"]] == (["psnr: not a number"] if np.isnan(wild) else [])
    monkeypatch.setattr(stage, "_SETTLED", 5)
    shutil.rmtree(tmp_path)
    with pytest.raises(UserError, match="iteration 6, the training has diverged .the snapshot of iteration 3 is kept"):
        train.main(argv)


def test_none_is_left_out():
    assert {*QUICK, *NARROW} == set(subject.OF_METHOD)
