"""The average of the last snapshots."""

import json

import numpy as np
import pytest

from data_prep.digests import file_sha256
from tools.methods import evaluation
from tools.nets import caffemodels
from tools.training import snapshots


def test_the_average_stands_beside_the_result(training, tmp_path):
    out = tmp_path / "run"
    argv = ["--schedule", "pretrain: 9 at 1e-3", "--snapshot", "2"]
    assert training.run(out, *argv, "--average", "3") == 0
    folder, name = out / "pretrain", "IDN_x3.caffemodel"
    mean, plain = out / "average" / "idn" / name, out / "idn" / name
    training.assert_same_weights(plain, folder / "final.caffemodel")
    summary = json.loads((out / "summary.json").read_text())
    made = summary["average"]
    assert made["snapshots"] == [6, 8, 9] and made["file"] == f"average/idn/{name}"
    assert made["what"].startswith("average of the last 3 snapshots of pretrain, of the weights with equal shares")
    assert (summary["weights_sha256"], made["weights_sha256"]) == (file_sha256(plain), file_sha256(mean))
    models = [caffemodels.read(snapshots.model_path(folder, n)) for n in (6, 8, 9)]
    for layers in zip(caffemodels.read(mean).layer, *(model.layer for model in models)):
        for blobs in zip(*(layer.blobs for layer in layers)):
            found, *parts = (np.array(blob.data, np.float64) for blob in blobs)
            np.testing.assert_allclose(found, np.mean(parts, axis=0), rtol=1e-6, atol=1e-12)
    assert made["psnr"] != summary["psnr"] and made["psnr"] == pytest.approx(summary["psnr"], abs=1)


def test_a_finished_run_gets_its_average_later(training, tmp_path):
    """Nothing else of the summary changes, and a call without the option leaves it there."""
    argv = ["--stage", "pretrain", "--iters", "3", "--snapshot", "1"]
    assert training.run(tmp_path, *argv) == 0
    before = training.read_json(tmp_path / "summary.json")
    for more in (["--average", "2"], []):
        assert training.run(tmp_path, *argv, *more) == 0
        after = training.read_json(tmp_path / "summary.json")
        assert after.pop("average")["snapshots"] == [2, 3] and after == before


def test_an_average_that_is_perfect_stays_json(training, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation, "validation_psnr", lambda *_: float("inf"))
    argv = ["--stage", "pretrain", "--iters", "3", "--snapshot", "1", "--average", "2"]
    assert training.run(tmp_path, *argv) == 0
    summary = training.read_json(tmp_path / "summary.json")
    assert summary["average"]["psnr"] is None
    assert summary["notes"][-1].startswith("average.psnr: infinite, ")
