"""summary.json of a run: what was run, and figures that JSON cannot hold."""

import json
import shutil

import cv2
import numpy as np
import pytest

from data_prep.digests import file_sha256
from tools import learning_log, train
from tools.methods import evaluation
from tools.training.log import read


def test_summary_says_what_was_run(finished):
    report = json.loads((finished / "summary.json").read_text())
    rows = read(finished / "log.csv")
    assert report["psnr"] == pytest.approx(rows[-1]["psnr"], rel=1e-5) and report["bicubic"] > 20
    assert {name: stage["iterations"] for name, stage in report["stages"].items()} == {
        "pretrain": 5, "train": 37, "finetune": 1
    }  # fmt: skip
    assert report["command"].startswith("tools/train.py --scale 3 ") and "/tmp" not in report["command"]
    assert report["peak_memory_mb"] > 100
    assert report["weights_sha256"] == file_sha256(finished / "idn" / "IDN_x3.caffemodel")


def test_a_flat_validation_image_is_said_not_stored_as_infinity(training, tmp_path, capsys):
    """Bicubic interpolation of one colour makes no error."""
    (tmp_path / "flat").mkdir()
    assert cv2.imwrite(str(tmp_path / "flat" / "gray.png"), np.full((60, 60, 3), 128, np.uint8))
    argv = training.arguments(tmp_path / "run", "--iters", "3", "--val-images", str(tmp_path / "flat"))
    assert train.main(argv) == 0
    assert "bicubic infinite (an image comes out without any error)" in capsys.readouterr().out
    report = training.read_json(tmp_path / "run" / "summary.json")
    assert report["bicubic"] is None and report["psnr"] > 0
    assert report["notes"] == [
        "bicubic: infinite, an image of the validation set comes out without any error (a flat one does); null here"
    ]
    assert learning_log.main([str(tmp_path / "run"), "-o", str(tmp_path / "curve.png")]) == 0


def test_a_perfect_net_has_an_infinite_psnr(training, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(evaluation, "validation_psnr", lambda *_: float("inf"))
    assert training.run(tmp_path, "--iters", "3") == 0
    assert "PSNR infinite (an image comes out without any error)" in capsys.readouterr().out
    report = training.read_json(tmp_path / "summary.json")
    assert report["psnr"] is None and report["notes"][0].startswith("psnr: infinite, ")
    assert all(stage["psnr"] is None for stage in report["stages"].values())
    assert learning_log.main([str(tmp_path), "-o", str(tmp_path / "curve.png")]) == 0


def test_a_summary_of_other_weights_is_renewed(training, finished, tmp_path):
    """A kill after a longer schedule's last stage, in a folder that had been summed up before."""
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    (run / "summary.json").write_text(
        json.dumps({**training.read_json(finished / "summary.json"), "weights_sha256": "0"})
    )
    assert training.run(run, "--iters", "43") == 0
    assert training.read_json(run / "summary.json")["weights_sha256"] == file_sha256(run / "idn" / "IDN_x3.caffemodel")


def test_without_its_log_a_finished_run_is_summed_up(training, finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    for name in ("summary.json", "log.csv"):
        (tmp_path / "run" / name).unlink()
    assert training.run(tmp_path / "run", "--iters", "43") == 0
    assert training.read_json(tmp_path / "run" / "summary.json")["psnr"] is None
