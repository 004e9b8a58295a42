"""Variants of IDN side by side, and each through benchmark and upscale."""

import json

import cv2
import numpy as np
import pytest

from prototxt.errors import NetError
from prototxt.idn import idn
from tools import ablate, benchmark, train, upscale
from tools.common.errors import UserError
from tools.methods import trained
from tools.nets import runtime
from tools.training import subject


@pytest.fixture
def ablation(training, tmp_path):
    """Function (*variants) that runs the tool on the tiny databases, 4 iterations each; gives its report."""

    def run(*variants):
        argv = ["--iters", "4", "--batch", "4", "--data-dir", training.data, "--hdf5-dir", training.data / "hdf5"]
        assert ablate.main([str(a) for a in [*argv, "--out", tmp_path / "out", "--variants", *variants]]) == 0
        return training.read_json(tmp_path / "out" / "ablation.json")

    return run


def test_variants_side_by_side(ablation, training, tmp_path, capsys):
    report = ablation("", "--blocks 1 --d3 32 --d 8", "--loss l2 --beta1 0.9")
    paper, small, other = report["rows"]
    net = runtime.build_net(idn(3, blocks=1, D3=32, d=8))
    assert small["parameters"] == sum(blob.count for blobs in net.params.values() for blob in blobs)
    assert paper["parameters"] == other["parameters"] == 552_769  # docs/tables.md, and GMAC for 1280x720 at x3
    assert paper["gmac"] == pytest.approx(56.43, abs=0.01) and small["gmac"] < paper["gmac"]
    assert all(np.isfinite(row["psnr"]) and row["seconds"] > 0 for row in report["rows"])
    assert other["loss"] != paper["loss"]  # squares, not absolute values
    assert (tmp_path / "out" / "ablation.png").is_file() and (tmp_path / "out" / "ablation.svg").is_file()
    assert "| the paper's" in capsys.readouterr().out
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("final.caffemodel")}
    again = ablation("", "--blocks 1 --d3 32 --d 8", "--loss l2 --beta1 0.9", "--groups 1")
    assert len(again["rows"]) == 4 and all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())


def test_a_variant_reaches_benchmark_and_upscale(training, tmp_path):
    """Its options lie beside the weights; without them the weights are refused."""
    out = tmp_path / "run"
    assert training.run(out, "--stage", "pretrain", "--iters", "3", "--blocks", "2", "--slope", "0.1") == 0
    weights = out / "idn" / "IDN_x3.caffemodel"
    assert trained.options(weights) == {"blocks": 2, "slope": 0.1}
    argv = ["--tables", "2", "--datasets", "Set5", "--scales", "3", "--methods", "IDN", "--data-dir", training.data,
            "--weights-dir", out, "--out", tmp_path / "b", "--repeats", "0"]  # fmt: skip
    assert benchmark.main([str(a) for a in argv]) == 0
    (row,) = json.loads((tmp_path / "b" / "benchmark.json").read_text())["rows"]
    logged = training.read_json(out / "summary.json")["psnr"]
    assert row["trained_here"] and row["psnr"] == pytest.approx(logged, abs=1e-3)
    picture = tmp_path / "small.png"
    cv2.imwrite(str(picture), cv2.imread(str(training.data / "Set5" / "0.png"))[:30, :30])
    argv = [str(picture), "-o", str(tmp_path / "large.png"), "--scale", "3", "--weights", str(weights)]
    assert upscale.main(argv) == 0
    weights.with_suffix(".json").unlink()
    with pytest.raises(UserError, match="IDN_x3.caffemodel: "):
        upscale.main([*argv, "--force"])


@pytest.mark.parametrize(
    ("variant", "error", "message"),
    [
        ("--out elsewhere", UserError, "--out is none of --D3, --d, --s, --blocks"),
        ("--blocks 12", NetError, "blocks: got 12, expected 1 to 9"),
        ("--s 5", NetError, "s: got 5, expected a divisor of D3 = 64"),
        ("--blocks '2", UserError, "its quotes are not closed"),
    ],
)
def test_a_variant_that_makes_no_net_is_refused_before_any_training(ablation, tmp_path, variant, error, message):
    with pytest.raises(error, match=message):
        ablation("", variant)
    assert not (tmp_path / "out").exists()


def test_weights_of_another_variant_do_not_fit(training, finished, tmp_path):
    weights = finished / "idn" / "IDN_x3.caffemodel"
    error = training.refusal(
        tmp_path, "--stage", "finetune", "--iters", "2", "--weights", str(weights), "--D3", "48", "--d", "12"
    )
    assert "IDN_x3.caffemodel: " in error and error.count("\n") == 1


def test_a_damaged_record(tmp_path):
    (tmp_path / "net.json").write_text('{"net": [1]}')
    with pytest.raises(UserError, match="its 'net' is damaged"):
        trained.options(tmp_path / "net.caffemodel")
    (tmp_path / "net.json").write_text("{")
    with pytest.raises(UserError, match="net.json"):
        trained.options(tmp_path / "net.caffemodel")


def test_only_what_differs_is_a_variant():
    options = train.parse(["--scale", "3", "--blocks", "4", "--d", "16"])
    assert options.net == {} and subject.of(options).options == {}
