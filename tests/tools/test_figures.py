"""Figures 4 to 8 and learning curves: the numbers behind them, and files that are pictures and stay the same."""

import json
import os
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
import skimage

import matlab_compat as matlab
from data_prep.errors import DataError
from tools import learning_log, plot_comparison, plot_features, plot_residual
from tools.common import cli
from tools.common.errors import UserError
from tools.figures import curves, style
from tools.methods import evaluation
from tools.methods.registry import METHODS
from tools.nets import runtime
from tools.report import against_paper
from tools.training.log import Log


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """A part of a photograph that scikit-image ships, 96 x 108 pixels."""
    path = tmp_path_factory.mktemp("photo") / "chelsea.png"
    img = cv2.imread(str(Path(skimage.__file__).parent / "data" / "chelsea.png"))
    cv2.imwrite(str(path), img[60:156, 100:208])
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """IDN x3 as Caffe's filler makes it."""
    folder = tmp_path_factory.mktemp("weights")
    (folder / "idn").mkdir()
    METHODS["IDN"].load(3).save(str(folder / "idn" / "IDN_x3.caffemodel"))
    return folder


def options(weights, out):
    return ["--scale", "3", "--weights-dir", str(weights), "--out", str(out)]


def check_pictures(folder, stem, words):
    """Both files are there, the PNG shows something, the SVG has the words as text."""
    assert cv2.imread(str(folder / f"{stem}.png")).std() > 5
    svg = (folder / f"{stem}.svg").read_text()
    for word in words:
        assert word in svg, word


def test_residual_is_truth_less_bicubic(photo, weights):
    img = cv2.imread(str(photo))[..., ::-1]
    found = plot_residual.residuals(img, 3, weights / "idn/IDN_x3.caffemodel")
    y = matlab.rgb2ycbcr(img)[..., 0]
    base = matlab.imresize(matlab.imresize(matlab.im2single(y), 1 / 3), 3)
    expected = matlab.shave(y / 255 - base.astype(np.float64), 3)
    assert np.array_equal(found["ground truth"], expected)
    # what IDN adds is what its net gives
    net = METHODS["IDN"].load(3, weights / "idn/IDN_x3.caffemodel")
    lr = matlab.imresize(matlab.im2single(y), 1 / 3)
    given = runtime.forward(net, lr)[1:-3, 1:-3]  # from pixel 2 of the image on; the border of 3 is cut
    np.testing.assert_allclose(found["IDN"], given, atol=1e-6)


def test_numbers_of_a_residual():
    values = np.array([[-0.4, -0.01, 0.0], [0.01, 0.02, 0.5]])
    assert plot_residual.numbers(values) == {
        "lowest": -0.4, "highest": 0.5, "mean": pytest.approx(0.02), "share_positive": 0.5,
        "share_negative": pytest.approx(1 / 3), "share_within_0.02": pytest.approx(4 / 6),
    }  # fmt: skip


def test_figure_4_is_written_the_same_every_time(photo, weights, tmp_path):
    for name in ("one", "two"):
        assert plot_residual.main([str(photo), *options(weights, tmp_path / name)]) == 0
    assert plot_residual.main([str(photo), "--graph-only", *options(weights, tmp_path / "graph")]) == 0
    check_pictures(tmp_path / "one", "residual_chelsea_x3", ["chelsea, x3", "ground truth", "IDN", "residual image"])
    for kind in style.FORMATS:
        name = f"residual_chelsea_x3.{kind}"
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert "<image" not in (tmp_path / "graph/residual_chelsea_x3.svg").read_text()
    assert json.loads((tmp_path / "one/residual_chelsea_x3.json").read_text())["ground truth"]["highest"] > 0


def test_the_paper_s_butterfly(shared):
    """Section 4.3: values from about -0.4 to 0.5, as many positive as negative ones, most near zero."""
    img = cv2.imread(str(shared / "data/Set5/butterfly_GT.bmp"))[..., ::-1]
    numbers = plot_residual.numbers(plot_residual.residuals(img, 3)["ground truth"])
    assert -0.5 < numbers["lowest"] < -0.35 and 0.35 < numbers["highest"] < 0.55
    assert abs(numbers["share_positive"] - numbers["share_negative"]) < 0.05
    assert numbers["share_within_0.02"] > 0.5
    # the first three enhancement units lower the values, the fourth surpasses all
    maps = plot_features.mean_maps(img, 3, shared / "weights/idn/IDN_x3.caffemodel")
    first, second, third, fourth = (unit.mean() for unit in maps["enhancement"])
    assert first > second > third and fourth > first
    assert all(c.mean() < e.mean() for c, e in zip(maps["compression"], maps["enhancement"]))


def test_mean_maps_are_the_means_of_the_units_blobs(photo, weights):
    """Equation 14 against sum<k>, down<k> of a net that is run here."""
    path = weights / "idn/IDN_x3.caffemodel"
    img = cv2.imread(str(photo))[..., ::-1]
    maps = plot_features.mean_maps(img, 3, path)
    net = METHODS["IDN"].load(3, path)
    runtime.forward(net, evaluation.prepare(img, 3).lr)
    for k in range(4):
        for unit, blob, channels in (("enhancement", "sum", 80), ("compression", "down", 64)):
            features = net.blobs[f"{blob}{k + 1}"].data[0].astype(np.float64)
            assert features.shape == (channels, 32, 36)
            np.testing.assert_allclose(maps[unit][k], sum(features) / channels, rtol=1e-12, atol=1e-12)
    assert np.array_equal(plot_features.t_mean(np.array([[[1.0]], [[2.0]], [[6.0]]])), [[3.0]])


def test_figure_5_is_written(photo, weights, tmp_path, no_models):
    assert plot_features.main([str(photo), *options(weights, tmp_path)]) == 0
    check_pictures(tmp_path, "features_chelsea_x3", ["enhancement unit 4", "compression unit 1"])
    report = json.loads((tmp_path / "features_chelsea_x3.json").read_text())
    assert len(report["enhancement"]) == len(report["compression"]) == 4
    with pytest.raises(UserError, match="no weights of IDN at x2"):
        plot_features.main([str(photo), "--scale", "2", *options(tmp_path, tmp_path)[2:]])


def test_figures_6_to_8_crop_the_same_part_of_every_picture(photo, weights, tmp_path, monkeypatch):
    """The crops that are drawn, against the ground truth by eye of PSNR: a shifted one would score far lower."""
    drawn = {}
    monkeypatch.setattr(style, "show", lambda axes, picture: drawn.setdefault(len(drawn), picture) is None or axes)
    argv = [str(photo), "--box", "20", "30", "40", "36", "--methods", "Bicubic", "IDN", *options(weights, tmp_path)]
    assert plot_comparison.main(argv) == 0
    whole, truth, bicubic, ours = drawn.values()
    assert whole.shape == (96, 108, 3) and truth.shape == bicubic.shape == ours.shape == (36, 40, 3)
    assert np.array_equal(truth, cv2.imread(str(photo))[30:66, 20:60, ::-1])
    assert matlab.psnr(truth, bicubic) > 25
    shifted = [matlab.psnr(truth[1:], bicubic[:-1]), matlab.psnr(truth[:, 1:], bicubic[:, :-1])]
    assert max(shifted) < matlab.psnr(truth, bicubic)


def test_figure_6_is_written_with_scores_and_gaps(photo, weights, tmp_path, capsys):
    argv = [str(photo), *options(weights, tmp_path)]
    assert plot_comparison.main(argv) == 0
    assert "left out: no weights of VDSR at x3" in capsys.readouterr().out
    report = json.loads((tmp_path / "comparison_chelsea_x3.json").read_text())
    assert list(report["scores"]) == ["Bicubic", "IDN"] and len(report["missing"]) == 5
    bicubic = report["scores"]["Bicubic"]
    text = f"{bicubic['psnr']:.2f} / {bicubic['ssim']:.4f} / {bicubic['ifc']:.3f}"
    check_pictures(tmp_path, "comparison_chelsea_x3", ["ground truth", "Bicubic", "PSNR (dB) / SSIM / IFC", text])
    assert plot_comparison.main([*argv, "--methods", "Bicubic", "IDN", "--strip"]) == 0
    check_pictures(tmp_path, "strip_chelsea_x3", ["LR, 1/3", "HR", f"Bicubic, {bicubic['psnr']:.2f} dB"])


def test_refusals(photo, weights, tmp_path):
    argv = options(weights, tmp_path / "out")
    with pytest.raises(UserError, match="expected an image or --figure 6, 7 or 8, and not both"):
        plot_comparison.main(argv)
    with pytest.raises(UserError, match=r"--box 0 30 40 40: expected at least 8x8 .*, from 3 3 on and up to 105 93"):
        plot_comparison.main([str(photo), "--box", "0", "30", "40", "40", *argv])
    with pytest.raises(UserError, match="--box 20 30 4 40"):
        plot_comparison.main([str(photo), "--box", "20", "30", "4", "40", *argv])
    with pytest.raises(UserError, match="--methods: no weights of VDSR"):
        plot_comparison.main([str(photo), "--methods", "VDSR", *argv])
    with pytest.raises(DataError, match="Urban100: has no image img085; run `make fetch`, or tools/fetch.py Urban100"):
        plot_comparison.main(["--figure", "8", "--data-dir", str(tmp_path), *argv])
    with pytest.raises(DataError, match="Set5: has no image butterfly"):
        plot_residual.main(["--data-dir", str(tmp_path), *argv])
    assert not (tmp_path / "out").exists()


def log(folder, psnr):
    rows = Log(folder / "log.csv")
    folder.mkdir()
    for stage, iteration in (("train", 10), ("train", 20), ("finetune", 5)):
        psnr += 0.5
        rows.add({"stage": stage, "iteration": iteration, "loss": 30.0 / iteration, "psnr": psnr})
    return folder


def test_learning_curves_over_each_other(tmp_path):
    one, two = log(tmp_path / "one", 30), log(tmp_path / "two", 31)
    (one / "summary.json").write_text('{"bicubic": 30.39}')
    assert learning_log.main([str(one), str(two / "log.csv"), "-o", str(tmp_path / "both.png")]) == 0
    check_pictures(tmp_path, "both", ["one", "two", "bicubic, 30.39 dB", "validation PSNR (dB)", "iteration"])
    assert learning_log.main([str(one), "-o", str(tmp_path / "single.png")]) == 0
    check_pictures(tmp_path, "single", ["train", "finetune", "training loss"])
    assert "two" not in (tmp_path / "single.svg").read_text()
    (tmp_path / "deep").mkdir()
    with pytest.raises(UserError, match="there is another run called one"):
        learning_log.main([str(one), str(log(tmp_path / "deep" / "one", 3)), "-o", str(tmp_path / "c.png")])
    with pytest.raises(UserError, match="log.csv: no such file, expected the log.csv of tools/train.py"):
        learning_log.main([str(tmp_path / "deep"), "-o", str(tmp_path / "c.png")])


def finished_run(folder, scale, first, **more):
    """A finished run of IDN on Set5 that ends 1.5 dB above `first`."""
    summary = {
        "scale": scale, "device": "a GPU", "hours": 1.5, "psnr": first + 1.5, "validation": {"name": "Set5"},
        "stages": {"train": {"iterations": 20}, "finetune": {"iterations": 5}}, **more,
    }  # fmt: skip
    (log(folder, first) / "summary.json").write_text(json.dumps(summary))
    return folder


def test_learning_curves_beside_the_paper(tmp_path, capsys):
    """Table 2 has 37.83 dB for IDN x2 and 34.11 dB for x3."""
    two, three = finished_run(tmp_path / "two", 2, 36), finished_run(tmp_path / "three", 3, 33)
    argv = [str(two), str(three / "log.csv"), "--paper", "-o", str(tmp_path / "idn.png")]
    assert learning_log.main(argv) == 0
    check_pictures(tmp_path, "idn", ["two, -0.33 dB", "three, +0.39 dB", "PSNR below the paper's (dB)", "iteration"])
    found = json.loads((tmp_path / "idn.json").read_text())
    assert found["command"].startswith("tools/learning_log.py two log.csv --paper")
    one, other = found["runs"]
    assert (one["run"], one["iterations"], one["hours"], one["psnr"], one["paper"]) == ("two", 25, 1.5, 37.5, 37.83)
    assert (one["difference"], other["difference"]) == (pytest.approx(-0.33), pytest.approx(0.39))
    said = capsys.readouterr().out
    assert "| two   | IDN x2  | a GPU  |         25 |  1.50 | Set5 |     37.50 | 37.83 |      -0.33 |" in said
    points = [(x, row["psnr"]) for x, row in curves.over_stages(against_paper.run_of(two)[1])]
    assert points == [(10, 36.5), (20, 37.0), (25, 37.5)]  # counted from the start of the run


def test_learning_curves_that_no_paper_has(tmp_path):
    for name, more, said in (
        ("a", {"method": "FSRCNN"}, "the paper's Table 2 has no FSRCNN x3 on Set5; leave the run out"),
        ("b", {"validation": {"name": "Mine"}}, "has no IDN x3 on Mine"),
        ("c", {"psnr": None}, "not a whole summary.json of tools/train.py"),
        ("d", {"stages": [1]}, "not a whole summary.json of tools/train.py"),
    ):
        run = finished_run(tmp_path / name, 3, 33, **more)
        with pytest.raises(UserError, match=said):
            learning_log.main([str(run), "--paper", "-o", str(tmp_path / "x.png")])
    with pytest.raises(UserError, match="summary.json: no such file"):
        learning_log.main([str(log(tmp_path / "e", 33)), "--paper", "-o", str(tmp_path / "x.png")])
    run = finished_run(tmp_path / "f", 3, 33)
    with pytest.raises(UserError, match="there is another run called f"):
        learning_log.main([str(run), str(run / "log.csv"), "--paper", "-o", str(tmp_path / "x.png")])
    assert not (tmp_path / "x.png").exists()


def test_the_committed_distances_are_those_of_the_runs(root):
    found = json.loads((root / "results/figures/learning_idn.json").read_text())["runs"]
    assert {one["scale"] for one in found} == {2, 3, 4}
    assert found == [against_paper.run_of(root / "results/training" / one["run"])[0] for one in found]


def test_any_name(photo, tmp_path, capfd):
    """Nothing in a name is taken for a formula, the SVG is XML, the JSON UTF-8, no library says a word."""
    names = ["$x_{ $", os.fsdecode(b"\xff\n\x01"), "\u4e2d", "a_b_GT"]
    for name in names:
        (tmp_path / f"{name}.png").write_bytes(photo.read_bytes())
        argv = [str(tmp_path / f"{name}.png"), "--methods", "Bicubic", "--strip", "--scale", "3"]
        assert plot_comparison.main([*argv, "--out", str(tmp_path / "out")]) == 0
    assert capfd.readouterr().err == ""
    for path in (tmp_path / "out").iterdir():
        if path.suffix == ".svg":
            words = "".join(ElementTree.parse(path).getroot().itertext())
            assert "HR" in words and ("$" in path.name) == ("$x_{ $, x3" in words)
        elif path.suffix == ".json":
            json.loads(path.read_bytes().decode("utf-8"), parse_constant=lambda word: pytest.fail(word))
    assert len(list((tmp_path / "out").iterdir())) == 3 * len(names)
    assert cli.name_of(Path("a_b_GT.bmp")) == "a_b" and cli.name_of(Path("a_b.png")) == "a_b"


@pytest.mark.parametrize("turned", [False, True])
def test_any_sides(photo, tmp_path, capfd, turned):
    """A picture 125 times as long as wide: matplotlib takes no figure of so many inches."""
    img, box = cv2.resize(cv2.imread(str(photo)), (3000, 24)), (10, 3, 100, 12)
    if turned:
        img, box = np.ascontiguousarray(img.swapaxes(0, 1)), (3, 10, 12, 100)
    found = plot_residual.residuals(img, 3)
    plot_residual.plot(found, "long", tmp_path, "residual")
    argv = ["--methods", "Bicubic", "--scale", "3", "--box", *map(str, box), "--out", str(tmp_path)]
    cv2.imwrite(str(tmp_path / "long.png"), img)
    assert plot_comparison.main([str(tmp_path / "long.png"), *argv]) == 0
    assert capfd.readouterr().err == "" and cv2.imread(str(tmp_path / "comparison_long_x3.png")).std() > 5


def test_a_flat_picture_is_strict_json(photo, weights, tmp_path):
    cv2.imwrite(str(tmp_path / "flat.png"), np.full((96, 96), 77, np.uint8))
    argv = [str(tmp_path / "flat.png"), "--methods", "Bicubic", *options(weights, tmp_path)]
    assert plot_comparison.main(argv) == 0
    content = (tmp_path / "comparison_flat_x3.json").read_text(encoding="utf-8")
    found = json.loads(content, parse_constant=lambda word: pytest.fail(word))
    assert found["scores"]["Bicubic"]["psnr"] is None
    assert found["notes"] == ["Bicubic: equals the ground truth, so that the PSNR is infinite"]
    check_pictures(tmp_path, "comparison_flat_x3", ["inf / 1.0000 / "])


def test_weights_that_diverged(photo, tmp_path):
    net = METHODS["IDN"].load(3)
    net.params["upsample"][0].data[...] = np.nan
    net.params["conv1"][0].data[...] = np.nan
    (tmp_path / "idn").mkdir()
    net.save(str(tmp_path / "idn" / "IDN_x3.caffemodel"))
    for tool in (plot_residual, plot_features):
        with pytest.raises(UserError, match="IDN_x3.caffemodel: layer .conv1. holds values that are not finite"):
            tool.main([str(photo), *options(tmp_path, tmp_path / "out")])
    assert list((tmp_path / "out").iterdir()) == []


def test_out_is_a_file(photo, weights, tmp_path):
    (tmp_path / "file").write_text("")
    argv = [str(photo), *options(weights, tmp_path / "file")]
    for run in (plot_residual.main, plot_features.main, lambda a: plot_comparison.main([*a, "--methods", "Bicubic"])):
        with pytest.raises(UserError, match="--out .*file: is a file, expected a folder"):
            run(argv)


@pytest.mark.parametrize("number", plot_comparison.FIGURES)
def test_the_committed_numbers_of_figures_6_to_8_are_the_benchmark_s(root, number):
    """The same image in results/benchmark: at most the last bits of a forward differ, of oneDNN and of OpenBLAS."""
    dataset, image, _ = plot_comparison.FIGURES[number]
    found = json.loads((root / f"results/figures/comparison_{image}_x4.json").read_text())
    assert found["figure"] == number and found["command"].startswith(f"tools/plot_comparison.py --figure {number}")
    rows = json.loads((root / "results/benchmark/benchmark.json").read_text())["rows"]
    measured = {row["method"]: row for row in rows if (row["dataset"], row["scale"]) == (dataset, 4) and not row["gap"]}
    assert {"Bicubic", "LapSRN", "IDN"} <= set(found["scores"])
    for method, scores in found["scores"].items():
        (one,) = [one for one in measured[method]["per_image"] if Path(one["image"]).stem == image]
        assert scores == {metric: pytest.approx(one[metric], abs=1e-4) for metric in evaluation.METRICS}
    # the paper's reading of its figures: IDN has the best scores of what can be drawn here
    for metric in evaluation.METRICS:
        assert max(found["scores"], key=lambda method: found["scores"][method][metric]) == "IDN"
