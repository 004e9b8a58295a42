"""tools/benchmark.py and tools/tables.py: whole runs on small images with random weights, and every refusal."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from data_prep import files
from prototxt.idn import idn
from tools import benchmark
from tools.benchmarking import paper, reports, tables
from tools.common import cli, provenance
from tools.common.errors import UserError
from tools.common.markdown import number, table
from tools.gpu.device import Device
from tools.gpu.driver import GpuError
from tools.methods import evaluation
from tools.nets import runtime


def draw(path, height, width, seed):
    """Write a smooth colour picture with some noise."""
    rng = np.random.default_rng(seed)
    small = rng.integers(30, 220, (height // 6, width // 6, 3), np.uint8)
    picture = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture)


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """A weights folder with the random weights Caffe starts from, x2 and x3."""
    folder = tmp_path_factory.mktemp("weights")
    (folder / "idn").mkdir()
    for scale in (2, 3):
        net = runtime.build_net(idn(scale, "deploy"))
        net.params["upsample"][0].data[...] *= 0.01
        net.save(str(folder / "idn" / f"IDN_x{scale}.caffemodel"))
    return folder


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A data folder: Set5 with three pictures (one gray), a set of one's own, a set of dots."""
    folder = tmp_path_factory.mktemp("data")
    draw(folder / "Set5" / "one_GT.bmp", 102, 96, 1)
    draw(folder / "Set5" / "two.png", 97, 108, 2)
    cv2.imwrite(str(folder / "Set5" / "gray.png"), cv2.imread(str(folder / "Set5" / "two.png"), cv2.IMREAD_GRAYSCALE))
    draw(folder / "Holiday" / "beach.png", 80, 80, 3)
    draw(folder / "Dots" / "dot.png", 12, 12, 4)
    draw(folder / "Small" / "small.png", 24, 24, 5)
    (folder / "Empty").mkdir()
    return folder


@pytest.fixture
def bench(data, weights, tmp_path):
    """Run the benchmark with these folders in this process; gives the report it wrote."""

    def run(*arguments):
        folders = ["--data-dir", data, "--weights-dir", weights, "--out", tmp_path / "out"]
        assert benchmark.main([str(a) for a in (*folders, *arguments)]) == 0
        return json.loads((tmp_path / "out" / "benchmark.json").read_text(encoding="utf-8"))

    return run


@pytest.fixture(scope="session")
def report(data, weights, tmp_path_factory):
    """What a default run over Set5, x2 and x3, wrote: (report, folder)."""
    out = tmp_path_factory.mktemp("report")
    argv = ["--scales", "2", "3", "--data-dir", str(data), "--weights-dir", str(weights), "--out", str(out)]
    assert benchmark.main([*argv, "--repeats", "2", "--save-images"]) == 0
    return json.loads((out / "benchmark.json").read_text(encoding="utf-8")), out


def find(report, dataset, scale, method):
    (row,) = [r for r in report["rows"] if (r["dataset"], r["scale"], r["method"]) == (dataset, scale, method)]
    return row


# --- a run -------------------------------------------------------------------------------------------------


def test_rows_keep_the_contract(report):
    contract = {"dataset", "scale", "method", "images", "psnr", "ssim", "ifc", "seconds", "paper", "delta"}
    rows = report[0]["rows"]
    assert len(rows) == 4 * 2 * 7  # sets, scales, methods
    for row in rows:
        assert contract <= set(row)
        assert set(row["paper"]) == set(row["delta"]) == {"psnr", "ssim", "ifc", "seconds"}
        for figure in paper.METRICS:
            if row[figure] is not None and row["paper"][figure] is not None:
                assert row["delta"][figure] == pytest.approx(row[figure] - row["paper"][figure], abs=1e-12)
            else:
                assert row["delta"][figure] is None


def test_meta_says_how_it_was_measured(report, data, weights):
    meta = report[0]["meta"]
    for key in ("date", "versions", "device", "image_sets", "weights", "edge", "clock", "command", "memory"):
        assert meta[key]
    assert meta["edge"] == "replicate"
    assert meta["timed"] == "reshape of the net, copy of one image in, forward, copy of the result out"
    assert f"Timed: {meta['timed']}." in (report[1] / "benchmark.md").read_text(encoding="utf-8")
    assert meta["weights"]["IDN x3"]["file"] == "IDN_x3.caffemodel"
    assert len(meta["weights"]["IDN x3"]["sha256"]) == len(meta["image_sets"]["Set5"]["sha256"]) == 64
    assert meta["image_sets"]["Set5"]["images"] == 3
    text = json.dumps(report[0])
    assert str(data) not in text and str(weights) not in text
    assert meta["command"].startswith("tools/benchmark.py --scales 2 3 --data-dir " + data.name)


def test_mean_is_over_all_images(report):
    row = find(report[0], "Set5", 3, "IDN")
    assert [one["image"] for one in row["per_image"]] == ["gray.png", "one_GT.bmp", "two.png"]
    for figure in ("psnr", "ssim", "ifc", "seconds", "seconds_median"):
        assert row[figure] == pytest.approx(np.mean([one[figure] for one in row["per_image"]]))
        assert np.ptp([one[figure] for one in row["per_image"]]) > 0
    assert row["repeats"] == 2


def test_rows_equal_the_protocol(report, data, weights):
    """The benchmark adds nothing to tools/methods/evaluation.py, which has its own tests."""
    picture = cv2.imread(str(data / "Set5" / "two.png"))[..., ::-1]
    net = runtime.build_net(idn(3, "deploy"), weights / "idn" / "IDN_x3.caffemodel")
    expected = evaluation.evaluate_image(net, np.ascontiguousarray(picture), 3)
    measured = find(report[0], "Set5", 3, "IDN")["per_image"][2]
    for metric in evaluation.METRICS:
        assert measured[metric] == pytest.approx(expected[metric], rel=1e-6)
    assert measured["psnr"] != find(report[0], "Set5", 3, "Bicubic")["per_image"][2]["psnr"]


def test_bicubic_is_not_timed(report):
    row = find(report[0], "Set5", 2, "Bicubic")
    assert row["seconds"] is None and row["seconds_median"] is None and row["psnr"] > 10


def test_missing_sets_are_gaps(report):
    row = find(report[0], "BSD100", 2, "IDN")
    assert row["images"] == 0 and row["psnr"] is None and row["paper"]["psnr"] == 32.08
    assert "no images of BSD100" in row["gap"]
    shown = tables.tables_text(report[0])
    assert "- gap: no images of BSD100" in shown
    lines = tables.paper_table(report[0]["rows"], 3).splitlines()
    assert ["BSD100", "x2", "IDN", "-", "7.931", "-"] in [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in lines
    ]


def test_saved_pictures_cover_the_compared_region(report, data):
    folder = report[1] / "images" / "Set5_x3"
    for method in ("IDN", "Bicubic"):
        assert sorted(p.name for p in (folder / method).iterdir()) == ["gray.png", "one_GT.png", "two.png"]
    original = cv2.imread(str(data / "Set5" / "two.png"))[:96, :108][3:-3, 3:-3]
    bicubic = cv2.imread(str(folder / "Bicubic" / "two.png"))
    assert bicubic.shape == original.shape
    assert np.abs(bicubic.astype(int) - original).mean() < 6  # right colours, right place
    assert cv2.imread(str(folder / "IDN" / "gray.png"), cv2.IMREAD_UNCHANGED).ndim == 2


def test_files_agree_with_each_other(report):
    rows, folder = report[0]["rows"], report[1]
    with (folder / "benchmark.csv").open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows):
        assert (line["dataset"], int(line["scale"]), line["method"]) == (row["dataset"], row["scale"], row["method"])
        assert (
            line["psnr"] == "" if row["psnr"] is None else float(line["psnr"]) == pytest.approx(row["psnr"], abs=1e-6)
        )
    markdown = (folder / "benchmark.md").read_text(encoding="utf-8")
    assert tables.tables_text(report[0]) in markdown
    assert report[0]["meta"]["weights"]["IDN x2"]["sha256"] in markdown
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]


def test_only_what_the_tables_need_is_computed(bench):
    two = bench("--tables", 2, "--datasets", "Set5", "--scales", 2)
    row = find(two, "Set5", 2, "IDN")
    assert row["ifc"] is None and row["seconds_median"] is None and row["ssim"] is not None
    four = bench("--tables", 4, "--datasets", "Set5", "--scales", 2, "--methods", "IDN", "--repeats", 1)
    timed = find(four, "Set5", 2, "IDN")
    assert timed["seconds_median"] > 0 and timed["repeats"] == 1 and row["seconds"] is None
    # the scores of the first run stay, of the images as well, and the other rows
    assert [timed[name] for name in ("psnr", "ssim", "ifc")] == [row["psnr"], row["ssim"], None]
    assert [one["ssim"] for one in timed["per_image"]] == [one["ssim"] for one in row["per_image"]]
    assert len(four["rows"]) == len(two["rows"]) and four["meta"]["tables"] == [2, 4]
    fresh = bench("--tables", 4, "--datasets", "Set5", "--scales", 2, "--methods", "IDN", "--repeats", 1, "--fresh")
    assert [one["ssim"] for one in fresh["rows"]] == [None] and "earlier" not in fresh["meta"]


def test_symmetric_edges_change_the_figures(bench):
    asked = ("--tables", 2, "--datasets", "Set5", "--scales", 3, "--methods", "Bicubic")
    old, new = bench(*asked), bench(*asked, "--edge", "symmetric")
    assert 0 < abs(old["rows"][0]["psnr"] - new["rows"][0]["psnr"]) < 1
    assert new["meta"]["edge"] == "symmetric"


def test_own_set_and_own_weights(bench, weights):
    own = weights / "idn" / "IDN_x2.caffemodel"
    result = bench("--datasets", "Holiday", "--scales", 2, "--weights", own, "--tables", 2)
    row = find(result, "Holiday", 2, "IDN")
    assert row["psnr"] > 10 and row["paper"] == dict.fromkeys(paper.METRICS) == row["delta"]


def test_missing_weights_are_a_gap(bench, no_models):
    result = bench("--datasets", "Holiday", "--scales", 3, 4, "--tables", 2)
    assert find(result, "Holiday", 3, "IDN")["gap"] is None
    assert "no weights of IDN at x4" in find(result, "Holiday", 4, "IDN")["gap"]
    assert find(result, "Holiday", 4, "Bicubic")["psnr"] > 10


def test_ifc_of_a_small_image_is_a_gap_that_names_it(bench, capsys):
    result = bench("--datasets", "Small", "--scales", 2, "--methods", "Bicubic", "--tables", 2, 3)
    (row,) = result["rows"]
    assert row["ifc"] is None and row["psnr"] > 5 and row["ssim"] is not None
    assert "Small x2 Bicubic: small.png: ifc" in capsys.readouterr().out


def strict(path):
    """JSON as a strict reader takes it: UTF-8, no NaN, no infinities."""
    return json.loads(path.read_bytes().decode("utf-8"), parse_constant=lambda word: pytest.fail(word))


@pytest.mark.parametrize("protocol", ["idn", "clamp", "lr8", "rgb"])
def test_equal_images_are_valid_json_and_noted(data, tmp_path, bench, capsys, protocol):
    flat = data / "Flat"
    flat.mkdir(exist_ok=True)
    cv2.imwrite(str(flat / "flat.png"), np.full((96, 96), 77, np.uint8))
    cv2.imwrite(str(flat / "other.png"), cv2.imread(str(data / "Holiday" / "beach.png")))
    argv = ("--datasets", "Flat", "--scales", 2, "--methods", "Bicubic", "--tables", 2, "--protocol", protocol)
    (row,) = bench(*argv)["rows"]
    first, second = row["per_image"]
    assert row["psnr"] is None and first["psnr"] is None and "infinite" in first["note"] and second["psnr"] > 10
    assert row["infinite"] == ["psnr"] and row["ssim"] == pytest.approx((1 + second["ssim"]) / 2)
    assert row["notes"] == [
        "flat.png: equals its ground truth, so that the PSNR is infinite",
        "the mean PSNR is infinite, as 1 of 2 images equal their ground truth; over the other 1 it is "
        f"{second['psnr']:.4f} dB",
    ]
    strict(tmp_path / "out" / "benchmark.json")
    (line,) = csv.DictReader((tmp_path / "out" / "benchmark.csv").read_text(encoding="utf-8").splitlines())
    assert line["psnr"] == "" and line["notes"] == "; ".join(row["notes"])
    shown = capsys.readouterr().out
    assert [cell.strip() for cell in shown.splitlines()[4].split("|")][4:7] == ["inf", "-", "-"]
    again = reports.read_report(tmp_path / "out" / "benchmark.json")
    assert tables.tables_text(again, [2]) == shown


def test_one_picture_a_file_whatever_the_names(bench, data, tmp_path):
    for seed, name in enumerate(("pic.png", "pic.bmp", "PIC.png", "other.png"), 10):
        draw(data / "Twins" / name, 80, 80, seed)
    bench("--datasets", "Twins", "--scales", 2, "--methods", "Bicubic", "--tables", 2, "--save-images")
    folder = tmp_path / "out" / "images" / "Twins_x2" / "Bicubic"
    assert sorted(p.name for p in folder.iterdir()) == ["PIC.png.png", "other.png", "pic.bmp.png", "pic.png-2.png"]
    for name, source in (("pic.bmp.png", "pic.bmp"), ("pic.png-2.png", "pic.png"), ("PIC.png.png", "PIC.png")):
        original = cv2.imread(str(data / "Twins" / source))[2:-2, 2:-2]
        assert np.abs(cv2.imread(str(folder / name)).astype(int) - original).mean() < 6


def odd(data, weights, tmp_path):
    """Folders, a set and weights whose names are not UTF-8, and the names as they are shown."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/d\xff"))
    shutil.copytree(data / "Holiday", folder / os.fsdecode(b"S\xfet"))
    shutil.copy(data / "Set5" / "two.png", folder / os.fsdecode(b"S\xfet") / os.fsdecode(b"\xff\n|<b>.png"))
    shutil.copytree(weights, tmp_path / os.fsdecode(b"w\xff"))
    return folder, os.fsdecode(b"S\xfet"), tmp_path / os.fsdecode(b"w\xff")


def test_names_that_are_not_utf_8(bench, data, weights, tmp_path, root):
    expected = bench("--datasets", "Holiday", "--scales", 2, "--methods", "Bicubic", "--tables", 2)["rows"][0]
    folder, dataset, _ = odd(data, weights, tmp_path)
    out = tmp_path / os.fsdecode(b"o\xff")
    for more in ((), ("--save-images",), ("--resume",)):
        argv = ["--data-dir", folder, "--datasets", dataset, "--out", out, "--scales", "2", "--methods", "Bicubic"]
        run = subprocess.run(
            [root / "tools" / "benchmark.py", "--tables", "2", *argv, *more], capture_output=True, text=True
        )
        assert run.returncode == 0 and "Traceback" not in run.stderr, run.stderr
        (row,) = strict(out / "benchmark.json")["rows"]
        assert row["dataset"] == "S\\xfet" and [one["image"] for one in row["per_image"]] == [
            "beach.png", "\\xff\n|<b>.png",
        ]  # fmt: skip
        assert row["per_image"][0]["psnr"] == expected["psnr"]
    assert "[1/1]" not in run.stderr  # --resume has found the row of the first run again
    assert len(list((out / "images" / "S\\xfet_x2" / "Bicubic").iterdir())) == 2
    assert "| S\\\\xfet | x2" in (out / "benchmark.md").read_text(encoding="utf-8")


def test_a_set_of_another_size_than_the_paper_s_is_marked(report, root):
    """The counts are those of the paper's section 4.1: 5, 14, 100 and 100 images."""
    assert [paper.images(name) for name in (*paper.DATASETS, "Holiday")] == [5, 14, 100, 100, None]
    assert report[0]["meta"]["image_sets"]["Set5"]["expected"] == 5
    markdown = (report[1] / "benchmark.md").read_text(encoding="utf-8")
    assert "| Set5 (3 of 5) | x2    | IDN " in markdown
    assert "Set5: 3 images (the paper's set has 5), SHA-256" in markdown.replace("\\", "")
    assert " of 100)" not in markdown  # a set that is not there is a gap
    whole = reports.read_report(root / "results" / "benchmark" / "benchmark.json")
    assert " of " not in tables.paper_table(whole["rows"], 2)
    larger = {**find(report[0], "Set5", 2, "IDN"), "dataset": "Set14", "images": 15}
    assert tables.shown_set(larger) == "Set14 (15 of 14)"
    assert tables.shown_set({**larger, "dataset": "Holiday"}) == "Holiday"


def test_a_set_may_be_given_by_its_path(bench, data, tmp_path):
    """Its pictures then stay in --out: they must not land beside the set."""
    before = sorted(data.iterdir())
    argv = ("--scales", 2, "--methods", "Bicubic", "--tables", 2, "--save-images")
    for asked in (data / "Holiday", f"../{data.name}/Holiday", "Holiday/"):
        (row,) = bench("--datasets", asked, *argv)["rows"]
        assert row["dataset"] == "Holiday" and row["images"] == 1
    assert [p.name for p in (tmp_path / "out" / "images").iterdir()] == ["Holiday_x2"]
    assert sorted(data.iterdir()) == before


def test_a_mistake_leaves_the_files_of_the_last_run(bench, tmp_path):
    bench("--datasets", "Holiday", "--scales", 2, "--methods", "Bicubic", "--tables", 2)
    before = (tmp_path / "out" / "benchmark.json").read_bytes()
    with pytest.raises(UserError):
        bench("--datasets", "Dots")
    assert (tmp_path / "out" / "benchmark.json").read_bytes() == before


# --- rendering again ---------------------------------------------------------------------------------------


def test_from_json_prints_the_same_and_needs_no_caffe(report):
    code = (
        "import sys; from tools import benchmark\n"
        "status = benchmark.main(sys.argv[1:]); assert 'caffe' not in sys.modules; sys.exit(status)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, "--from-json", report[1] / "benchmark.json"], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == tables.tables_text(report[0])


def test_from_json_writes_where_it_is_told(report, tmp_path, capsys):
    arguments = ["--from-json", str(report[1] / "benchmark.json"), "--tables", "3", "--out", str(tmp_path / "again")]
    assert benchmark.main(arguments) == 0
    shown = capsys.readouterr().out
    assert "Table 3" in shown and "Table 2" not in shown
    assert shown in (tmp_path / "again" / "benchmark.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "value, digits, signed, text",
    [
        (34.114, 2, False, "34.11"),
        (None, 2, False, "-"),
        (0.004, 2, True, "0.00"),
        (-0.004, 2, True, "0.00"),
        (0.01, 2, True, "+0.01"),
        (-0.0059, 3, True, "-0.006"),
    ],
)
def test_number(value, digits, signed, text):
    assert number(value, digits, signed) == text


def test_markdown_lines_up():
    text = table(["Set", "PSNR"], [["Set14", "9.1"], ["a", "33.30"]], text_columns=1)
    assert text.splitlines() == ["| Set   |  PSNR |", "| ----- | ----: |", "| Set14 |   9.1 |", "| a     | 33.30 |"]


def test_misses_stay_in_the_table():
    row = {"dataset": "Set5", "scale": 4, "method": "IDN", "psnr": 31.810, "ssim": 0.8902, "ifc": None, "seconds": None}
    line = tables.paper_table([paper.compare(row)], 2).splitlines()[-1]
    assert [cell.strip() for cell in line.split("|")[4:10]] == [
        "31.81",
        "31.82",
        "-0.01",
        "0.8902",
        "0.8903",
        "-0.0001",
    ]


def test_committed_results_are_fresh_and_free_of_folders(root):
    folder = root / "results" / "benchmark"
    report = reports.read_report(folder / "benchmark.json")
    assert report["rows"] == json.loads((folder / "benchmark.json").read_text(encoding="utf-8"))["rows"]
    assert (folder / "benchmark.csv").read_text(encoding="utf-8") == reports.to_csv(report)
    assert (folder / "benchmark.md").read_text(encoding="utf-8") == reports.to_markdown(report)
    assert "/" not in report["meta"]["command"].removeprefix("tools/")


def test_committed_results_equal_the_independent_measurement(root, measured):
    report = reports.read_report(root / "results" / "benchmark" / "benchmark.json")
    for (dataset, scale, method), (psnr, ssim, ifc) in measured.items():
        if method in ("Bicubic", "IDN"):  # the others have tests of their authors'
            row = find(report, dataset, scale, method)
            assert row["psnr"] == pytest.approx(psnr, abs=2e-4)
            assert row["ssim"] == pytest.approx(ssim, abs=1e-5)
            assert row["ifc"] == pytest.approx(ifc, abs=5e-4)


def test_paper_figures_equal_the_reference_transcript(shared):
    """tools/benchmarking/paper_tables.json against another transcript of the paper's tables, cell by cell."""
    other = json.loads((shared / "paper" / "tables.json").read_text(encoding="utf-8"))
    cells = 0
    for dataset in paper.DATASETS:
        for scale in cli.SCALES:
            for method in paper.load()["methods"]:
                ours = paper.figures(dataset, scale, method)
                both = other["table2_psnr_ssim"][dataset][str(scale)][method]
                assert (ours["psnr"], ours["ssim"]) == (both["psnr"], both["ssim"])
                assert ours["ifc"] == other["table3_ifc"][dataset][str(scale)][method]
                seconds = other["table4_seconds_titan_x_pascal"][dataset][str(scale)]
                assert ours["seconds"] == seconds.get(method)
                cells += 1
    assert cells == 4 * 3 * 7


def test_command_keeps_no_folder():
    argv = ["--data-dir", "/home/me/data", "--out=../x/y", "--datasets", "Set5", "--weights", "a b/c d.caffemodel"]
    assert provenance.command("tools/benchmark.py", argv) == (
        "tools/benchmark.py --data-dir data --out=y --datasets Set5 --weights 'c d.caffemodel'"
    )


# --- refusals ----------------------------------------------------------------------------------------------


def refused(capsys, *arguments):
    """Run the tool as its script does; gives the one line on stderr, checks the exit status."""
    with pytest.raises(SystemExit) as exit_:
        cli.run(lambda: benchmark.main([str(a) for a in arguments]))
    assert exit_.value.code == 2
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert captured.out == ""
    return line


@pytest.fixture
def refusal(data, weights, tmp_path, capsys):
    folders = ("--data-dir", data, "--weights-dir", weights, "--out", tmp_path / "out")
    return lambda *arguments: refused(capsys, *folders, *arguments)


def test_set_asked_for_by_name_and_missing(refusal, tmp_path):
    line = refusal("--datasets", "Set5", "Urban100")
    assert "Urban100 has no folder" in line and "make fetch" in line
    assert not (tmp_path / "out").exists()


def test_unknown_set(refusal):
    line = refusal("--datasets", "Set6")
    assert "Set6 is not one of Set5, Set14, BSD100, Urban100, and has no folder" in line


def test_unknown_scale_method_table(refusal):
    assert "--scales: invalid choice: 5 (choose from" in refusal("--scales", 5)
    line = refusal("--methods", "EDSR")
    assert "--methods: invalid choice: 'EDSR'" in line and "MemNet-M10R10" in line
    assert "--tables: invalid choice: 1" in refusal("--tables", 1)
    assert "--repeats: got -1, expected a whole number of at least 0" in refusal("--repeats", "-1")


def test_weights_asked_for_by_name_and_missing(refusal, no_models):
    line = refusal("--datasets", "Set5", "--methods", "IDN", "--scales", 4)
    assert "no weights of IDN at x4 (no idn/IDN_x4.caffemodel in the weights folder" in line
    assert "get it: `make fetch METHOD=IDN`" in line and line.endswith("or give --weights FILE")


def test_own_weights_missing(refusal):
    assert "no.caffemodel: no such file" in refusal("--scales", 3, "--weights", "no.caffemodel")


def test_own_weights_for_two_scales(refusal):
    line = refusal("--scales", 2, 3, "--weights", "x.caffemodel")
    assert "for one net at one scale, got 1 nets and scales 2 3" in line


def test_nothing_there_at_all(capsys, tmp_path, weights):
    line = refused(capsys, "--data-dir", tmp_path, "--weights-dir", weights)
    assert f"{tmp_path}: holds none of Set5, Set14, BSD100, Urban100; run `make fetch`" in line


def test_empty_set(refusal):
    line = refusal("--datasets", "Empty")
    assert "Empty: no images" in line


def test_image_too_small(refusal):
    line = refusal("--datasets", "Dots", "--scales", 2)
    assert "dot.png: 12x12 pixels is too small for the test at x2, which needs 16 a side" in line


def test_unreadable_image_is_found_before_anything_is_measured(refusal, data, tmp_path):
    folder = data / "Broken"
    draw(folder / "good.png", 80, 80, 6)
    (folder / "bad.png").write_bytes((folder / "good.png").read_bytes()[:2000])
    for more in ((), ("--resume",)):
        line = refusal("--datasets", "Broken", "--scales", 2, *more)
        assert "bad.png: truncated" in line and "more of" not in line
    (folder / "text.png").write_text("no picture")
    assert "(and 1 more of 3 images)" in refusal("--datasets", "Broken", "--scales", 2)
    assert not list((tmp_path / "out").iterdir())


def test_weights_of_another_scale(refusal, weights):
    line = refusal("--datasets", "Set5", "--scales", 3, "--weights", weights / "idn" / "IDN_x2.caffemodel")
    assert "IDN_x2.caffemodel: weights for x2 (stride of layer 'upsample'), expected x3" in line


def test_weights_of_another_net(refusal, tmp_path):
    runtime.build_net(idn(2, "deploy", D3=32, d=8)).save(str(tmp_path / "narrow.caffemodel"))
    line = refusal("--datasets", "Set5", "--scales", 2, "--weights", tmp_path / "narrow.caffemodel")
    assert "narrow.caffemodel: layer 'conv1' has shapes" in line and "expected [(64, 1, 3, 3), (64,)]" in line


def test_truncated_weights(refusal, weights, tmp_path):
    whole = (weights / "idn" / "IDN_x2.caffemodel").read_bytes()
    (tmp_path / "cut.caffemodel").write_bytes(whole[: len(whole) // 2])
    line = refusal("--datasets", "Set5", "--scales", 2, "--weights", tmp_path / "cut.caffemodel")
    assert "cut.caffemodel" in line and "cut short" in line


def test_diverged_weights(refusal, tmp_path):
    net = runtime.build_net(idn(2, "deploy"))
    cases = (1e38, "gives values that are not finite for beach.png"), (np.nan, "layer 'conv2' holds values")
    for value, said in cases:
        net.params["conv2"][0].data[...] = value
        net.save(str(tmp_path / "far.caffemodel"))
        asked = ("--datasets", "Holiday", "--scales", 2, "--weights", tmp_path / "far.caffemodel", "--methods", "IDN")
        line = refusal(*asked, "--tables", 2)
        assert f"far.caffemodel: {said}" in line


def test_out_is_a_file(capsys, data, weights, tmp_path):
    (tmp_path / "taken").write_text("")
    line = refused(capsys, "--data-dir", data, "--weights-dir", weights, "--out", tmp_path / "taken" / "deeper")
    assert "--out" in line and "cannot be made (Not a directory); choose another folder" in line


def test_gpu_that_is_not_there(refusal):
    try:
        runtime.use_device(Device((9,)))
    except GpuError as error:
        assert refusal("--datasets", "Set5", "--gpu", 9).endswith(str(error))
    else:
        runtime.use_device()
        pytest.skip("this machine has ten GPUs")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"meta": {}, "rows": [{"dataset": "Set5"}]}'])
def test_from_json_of_something_else(capsys, tmp_path, content):
    path = tmp_path / "benchmark.json"
    path.write_text(content)
    assert "not a benchmark.json of tools/benchmark.py" in refused(capsys, "--from-json", path)


@pytest.mark.parametrize("option", ["--resume", "--save-images", "--methods IDN", "--datasets Set5", "--update x"])
def test_from_json_measures_nothing(capsys, root, option):
    report = root / "results" / "benchmark" / "benchmark.json"
    line = refused(capsys, "--from-json", report, *option.split())
    assert f"--from-json: measures nothing, so that {option.split()[0]} has no effect" in line


@pytest.mark.parametrize("value", ["0", "15", "-5", "x", "", "1e3", "\u00b2", "\u0663\u0663", "9" * 30, "nan"])
def test_nonsense_numbers(refusal, value):
    assert f"--tile: got {value}, expected a whole number of at least 16" in refusal(f"--tile={value}")


@pytest.mark.parametrize("value", ["", " ", "/"])
def test_nonsense_sets(refusal, value):
    assert f"--datasets: got {value!r}, expected the name of a folder in" in refusal("--datasets", value)


def test_two_sets_of_one_name(refusal, data, tmp_path):
    shutil.copytree(data / "Holiday", tmp_path / "Set5")
    line = refusal("--datasets", "Set5", tmp_path / "Set5")
    assert "are both called Set5 in the tables; rename one" in line


LIMITED = (
    "import os, resource, sys\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)\n"
    "os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
)


@pytest.mark.parametrize("kind", ["json", "md"])
def test_no_room_for_the_report(report, tmp_path, root, kind):
    """A file that may not grow stands for a full disk: the old three stay, together, and no temporary file."""
    # each < is one byte in the JSON and two in the Markdown
    short = {"meta": report[0]["meta"], "rows": [{**report[0]["rows"][0], "notes": ["<" * 9000]}]}
    (tmp_path / "in.json").write_text(json.dumps(short), encoding="utf-8")
    found = reports.read_report(tmp_path / "in.json")
    sizes = {"json": len(files.json_text(found)), "md": len(reports.to_markdown(found))}
    assert sizes["json"] < sizes["md"]
    out = tmp_path / "out"
    out.mkdir()
    for name in ("json", "csv", "md"):
        (out / f"benchmark.{name}").write_text("old")
    argv = [root / "tools" / "benchmark.py", "--from-json", tmp_path / "in.json", "--out", out]
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, str(sizes[kind] - 1), *argv], capture_output=True, text=True
    )
    assert (run.returncode, run.stderr) == (2, f"benchmark.py: {out}/benchmark.{kind}: File too large\n")
    assert sorted(p.name for p in out.iterdir()) == ["benchmark.csv", "benchmark.json", "benchmark.md"]
    assert {p.read_text() for p in out.iterdir()} == {"old"}


def test_from_json_missing(capsys):
    assert "nowhere.json: no such file" in refused(capsys, "--from-json", "nowhere.json")


def test_script_runs_from_any_folder(root, data, weights, tmp_path):
    """As a user starts it: the file itself, from elsewhere, one line and exit status 2 for a mistake."""
    run = subprocess.run(
        [root / "tools" / "benchmark.py", "--datasets", "Nowhere", "--data-dir", data],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 2
    assert run.stderr.startswith("benchmark.py: --datasets: Nowhere is not one of") and run.stderr.count("\n") == 1


def test_pages_that_are_not_used_are_said_once(bench, data, capsys):
    folder = data / "Pages"
    draw(folder / "one.png", 60, 66, 8)
    pages = [Image.fromarray(cv2.imread(str(folder / "one.png"))[..., ::-1])] * 3
    pages[0].save(folder / "three.tif", save_all=True, append_images=pages[1:])
    bench("--datasets", "Pages", "--scales", 2, 3, "--methods", "Bicubic", "--tables", 2)
    err = capsys.readouterr().err
    assert err.count("several pages") == 1
    assert "warning: 1 file with several pages or frames, the first is used: three.tif (3)" in err
