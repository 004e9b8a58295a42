"""tools/complexity.py: counts against the literature and against an independent count by hand, refusals."""

import json
import subprocess

import pytest

from prototxt import builders, vdsr
from prototxt.engine import caffe
from tools import complexity as program
from tools.common.errors import UserError
from tools.methods import cost
from tools.nets import complexity, foreign_nets

# Multiply-accumulates a pixel of the net's input, by hand from the papers' layers: every weight is used once for each.
# IDN: FBlock, four DBlocks (D3 = 64, d = 16; layers 2 and 5 in four groups; compression 1x1), 17x17 RBlock.
D_BLOCK = 9 * (64 * 48 + 48 // 4 * 32 + 32 * 64 + 48 * 64 + 64 // 4 * 48 + 48 * 80) + 80 * 64
IDN = 9 * 64 + 9 * 64**2 + 4 * D_BLOCK + 17**2 * 64
# twenty layers; the two convolutions of DRRN's unit 25 times; MemNet's six blocks of six units, their gates (1x1 from
# all memories and all units) and six reconstructions
VDSR = 9 * 64 + 18 * 9 * 64**2 + 9 * 64
DRRN = 9 * 128 + 25 * 2 * 9 * 128**2 + 9 * 128
MEMNET = 9 * 64 + 6 * 6 * 2 * 9 * 64**2 + 64**2 * sum(block + 6 for block in range(1, 7)) + 6 * 9 * 64
HD = 1280 * 720
BY_HAND = {
    ("IDN", 2): IDN * HD / 4,
    ("IDN", 3): IDN * HD / 9,
    ("IDN", 4): IDN * HD / 16,
    ("VDSR", 3): VDSR * HD,
    ("DRRN", 3): DRRN * HD,
    ("MemNet", 3): MEMNET * HD,
}


@pytest.mark.parametrize(("method", "scale"), BY_HAND)
def test_costs_by_hand(method, scale):
    (row,) = cost.rows([method], [scale], (1280, 720))
    assert row["gmac"] * 1e9 == pytest.approx(BY_HAND[method, scale], rel=1e-9)


@pytest.mark.parametrize(
    ("method", "parameters", "layers"),
    [
        ("DRRN-B1U9", 297_601, 20),  # the same weights as B1U25, used less often
        ("MemNet-M6R6", 678_209, 85),  # the paper's 677K
        ("MemNet", 2_911_177 - 17_288, 85),  # as released, less the Scale layers
        ("MemNet-M10R10", 1_375_297, 221),
        ("SRCNN-9-1-5", 8_129, 3),
    ],
)
def test_every_configuration_has_its_row(method, parameters, layers):
    (row,) = cost.rows([method], [3], (1280, 720))
    assert (row["parameters"], row["layers"]) == (parameters, layers)


def test_lapsrn_costs_by_hand():
    """x2: ten convolutions and input_conv and upconv at LR, residual at 4 times as many pixels, 4x4 of the image."""
    (row,) = cost.rows(["LapSRN"], [2], (2, 2))
    assert row["gmac"] * 1e9 == 9 * 64 + 10 * 9 * 64**2 + 9 * 64**2 + 4 * 9 * 64 + 16


def test_groups_strides_and_shared_arrays():
    n = caffe.NetSpec()
    data = builders.deploy_input(n, (4, 6))
    x = builders.conv(n, "one", data, 8, shared=("w", "b"))
    y = builders.conv(n, "two", data, 8, shared=("w", "b"))
    n.sum = caffe.layers.Eltwise(x, y)
    n.grouped = caffe.layers.Convolution(n.sum, num_output=8, kernel_size=3, pad=1, stride=2, group=4)
    message = n.to_proto()
    found = complexity.count(message)
    assert (found["parameters"], found["layers"]) == (72 + 8 + 8 * 2 * 9 + 8, 3)
    assert found["macs"] == (2 * 72 * 24 + 8 * 2 * 9 * 6) / 24  # the last one has (2, 3) output pixels


def test_files_and_table(tmp_path, capsys):
    argv = ["--methods", "IDN", "DRRN", "--scales", "4", "--size", "512", "512", "--out", str(tmp_path)]
    assert program.main(argv) == 0
    shown = capsys.readouterr().out
    report = json.loads((tmp_path / "complexity.json").read_text())
    assert [row["method"] for row in report["rows"]] == ["IDN", "DRRN"]
    assert shown.strip() in (tmp_path / "complexity.md").read_text()
    drrn = report["rows"][1]
    assert (drrn["parameters"], drrn["scale_parameters"], drrn["layers"]) == (297_601, 13_058, 52)


def test_a_prototxt_file(root, capsys):
    assert program.main([str(root / "prototxt/generated/vdsr_deploy.prototxt")]) == 0
    assert "20 layers, 665,921 parameters, 0 of Scale layers, 664,704 multiply-accumulates" in capsys.readouterr().out


CLASSIFIER = """
input: "pixels" input_shape { dim: 2 dim: 3 dim: 8 dim: 10 }
layer { name: "c" type: "Convolution" bottom: "pixels" top: "c" convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "s" type: "Scale" bottom: "c" top: "c" scale_param { num_axes: 0 axis: 0 } }
layer { name: "b" type: "Bias" bottom: "c" top: "c" }
layer { name: "f" type: "InnerProduct" bottom: "c" top: "f" inner_product_param { num_output: 5 } }
"""


def test_other_layers_and_batches_by_hand(tmp_path, capsys):
    """Convolution: 27 x 4 for 6 x 8 pixels; InnerProduct: 4 x 6 x 8 values to 5; one scale, four of Bias."""
    path = tmp_path / "net.prototxt"
    path.write_text(CLASSIFIER)
    found = complexity.count(foreign_nets.read(path))
    assert found["macs"] == (27 * 4 * 48 + 4 * 48 * 5) / 80
    assert found["parameters"] == 27 * 4 + 4 + 4 * 48 * 5 + 5 and found["scale_parameters"] == 1
    assert found["other_parameters"] == {"Bias": 4} and found["layers"] == 2
    assert program.main([str(path)]) == 0
    assert "besides parameters 4 of Bias layers, whose work is not counted" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--size", "9" * 400, "1"], "invalid number of pixels value"),
        (["--size", "²", "1"], "invalid number of pixels value: '²'"),
        (["--scales", "5"], "invalid choice: 5"),
        (["--level", "99999999999"], "--level: got 99999999999, expected a whole number of 32 bits"),
        (["--out", "folder"], "--out: is for the table of methods"),
    ],
)
def test_nonsense_is_one_line(root, tmp_path, options, text):
    net = root / "prototxt/generated/srcnn_915_deploy.prototxt"
    command = [root / "tools/complexity.py", net, *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2 and text in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_one_bad_file_of_several_prints_nothing_half(root, tmp_path, capsys):
    good = root / "prototxt/generated/srcnn_915_deploy.prototxt"
    with pytest.raises(UserError, match="no such file"):
        program.main([str(good), str(tmp_path / "none.prototxt")])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "no such file, expected a deploy prototxt"),
        ("layer { nonsense", "not a net that Caffe can read"),
        (str(vdsr.vdsr("train")), "layer 'data' is of type HDF5Data, which reads files .*; expected a deploy net"),
    ],
)
def test_refusals(tmp_path, content, text):
    path = tmp_path / "net.prototxt"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=text):
        program.main([str(path)])


def test_starts_as_a_script(root):
    done = subprocess.run(
        [root / "tools/complexity.py", "--size", "0", "720"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "invalid number of pixels value: '0'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_committed_counts_are_fresh(root):
    report = json.loads((root / "results/complexity/complexity.json").read_text())
    methods, scales = (list(dict.fromkeys(row[key] for row in report["rows"])) for key in ("method", "scale"))
    assert cost.rows(methods, scales, report["size"]) == report["rows"]


def test_cost_of_a_recipe_by_hand(root, tmp_path):
    """VDSR: 41x41 pixels, batch 64, three passes, 935,840 iterations; hours at the speed of a run of IDN."""
    run = root / "results" / "training" / "x3_h100"
    argv = ["--training", run, "--methods", "VDSR", "LapSRN", "IDN", "--scales", "3", "--out", tmp_path]
    assert program.main([str(a) for a in argv]) == 0
    found = json.loads((tmp_path / "training.json").read_text())["rows"]
    vdsr_row, idn_row = found  # LapSRN has no recipe for x3
    assert vdsr_row["gmac"] * 1e9 == pytest.approx(3 * 64 * 41**2 * VDSR) and vdsr_row["iterations"] == 935_840
    assert idn_row["gmac"] * 1e9 == pytest.approx(3 * 64 * 15**2 * IDN) and idn_row["iterations"] == 720_000
    rate = json.loads((run / "summary.json").read_text())["stages"]["train"]["iterations_per_second"]
    hours = vdsr_row["gmac"] * 935_840 / (idn_row["gmac"] * rate) / 3600
    assert vdsr_row["hours"] == pytest.approx([hours])
    with pytest.raises(UserError, match="summary.json"):
        program.main(["--training", str(tmp_path)])


def test_iterations_are_timed_and_further_machines_named(root, tmp_path):
    """A recipe that fits is timed as it is; one that does not with fewer pairs, in proportion."""
    argv = ["--training", root / "results/training/x3_h100", "--methods", "ESPCN", "MemNet", "IDN", "--scales", "3"]
    assert (
        program.main([str(a) for a in [*argv, "--out", tmp_path, "--time", "--rates", "A GPU=171.9", "B=343.8"]]) == 0
    )
    report = json.loads((tmp_path / "training.json").read_text())
    small, large = ({row["method"]: row for row in report["rows"]}[name] for name in ("ESPCN", "MemNet"))
    assert small["here"]["pairs"] == 64 and small["here"]["recipe_seconds"] == small["here"]["seconds"] > 0
    assert large["here"]["pairs"] == 3  # 533.56 GMAC of 64 pairs; at most 30 are taken
    assert large["here"]["recipe_seconds"] == pytest.approx(large["here"]["seconds"] * 64 / 3)
    first, one, other = small["hours"]
    assert one == pytest.approx(2 * other) == pytest.approx(first, rel=0.001)
    assert (
        report["machines"][1].startswith("A GPU: ") and "IDN x3 at 171.9 iterations per second" in report["machines"][1]
    )
    page = (tmp_path / "training.md").read_text()
    assert "- (b) A GPU: " in page and "| core-seconds per iteration here |" in page and "~ " in page


@pytest.mark.parametrize("rate", ["x", "=3", "A=0", "A=nan", "A=x"])
def test_rates_that_are_none(rate, capsys):
    with pytest.raises(SystemExit):
        program.main(["--training", "run", "--rates", rate])
    assert f"invalid NAME=iterations per second value: '{rate}'" in capsys.readouterr().err
