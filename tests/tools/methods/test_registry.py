"""The compared methods in the benchmark: protocols, tiles, random weights, published weights, refusals."""

import json
import mmap
import pickle
import shutil
from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import convolve2d

import matlab_compat as matlab
from data_prep import weights as data_prep_weights
from matlab_compat.ssim_toolbox import ssim_toolbox
from prototxt import drrn, vdsr
from tools import benchmark
from tools.benchmarking import cells, paper, plan, reports, tables
from tools.common import cli, memory
from tools.common.errors import UserError
from tools.methods import cost, evaluation
from tools.methods.protocols import PROTOCOLS
from tools.methods.registry import METHODS, Method, nets
from tools.nets import engines, runtime, tiles

# x2 and x4 have weights of their own; x3 is the x4 net's output made smaller, as its authors came to their x3 figures
LAPSRN_SCALES = (2, 3, 4)


def picture(height, width, seed=0):
    """A smooth colour picture, uint8."""
    rng = np.random.default_rng(seed)
    small = rng.integers(30, 220, (height // 6, width // 6, 3)).astype(np.uint8)
    return matlab.imresize(small, output_shape=(height, width))


# --- tiles --------------------------------------------------------------------------------------------------------


def test_spans_are_the_released_scripts():
    """256 pixels, tile 150, overlap 16: ceil(256 / 166) = 2 parts of 128; 100 pixels are one part."""
    assert tiles.spans(256, 150, 16) == [(0, 128, 0, 144), (128, 256, 112, 256)]
    assert tiles.spans(100, 150, 16) == [(0, 100, 0, 100)]
    assert tiles.spans(500, 150, 16)[1] == (125, 250, 109, 266)


@pytest.mark.parametrize("length", [16, 17, 255, 333, 500])
def test_spans_cover_an_axis_once(length):
    cut = tiles.spans(length, 64, 8)
    assert [a for a, *_ in cut] == [0, *(b for _, b, *_ in cut[:-1])] and cut[-1][1] == length


def test_tiles_with_the_receptive_radius_change_nothing():
    """VDSR has 20 convolutions of 3x3: pixels further than 20 away have no part in a result."""
    net = runtime.build_net(vdsr.vdsr())
    image = matlab.im2single(evaluation.luma(picture(70, 90)))
    whole, tiled = (tiles.forward(net, image, "sum", tile) for tile in (None, (24, 20)))
    np.testing.assert_allclose(tiled, whole, atol=2e-6)
    fewer = tiles.forward(net, image, "sum", (24, 4))
    assert np.abs(fewer - whole).max() > 1e-5


def test_tiling():
    """Caffe's own CPU layers need smaller tiles; --tile comes before both; IDN never runs in tiles."""
    drcn, drrn = METHODS["DRCN"], METHODS["DRRN"]
    assert drcn.tiling() == (256, 20) and drcn.tiling(stock=True) == (96, 20)
    assert drcn.tiling(64) == drcn.tiling(64, stock=True) == (64, 20)
    assert drrn.tiling() == drrn.tiling(stock=True) == (150, 16)  # the authors'
    assert METHODS["IDN"].tiling(64) is None


@pytest.mark.parametrize(("engine", "side"), [("onednn", 256), ("blas", 96)])
def test_the_plan_knows_what_computes(monkeypatch, tmp_path, engine, side):
    monkeypatch.setattr(engines, "cpu_engine", lambda *asked: engine)
    (tmp_path / "Set").mkdir()
    (tmp_path / "Set" / "a.png").touch()
    asked = ["--datasets", "Set", "--methods", "DRCN", "--random-weights", "--data-dir", str(tmp_path)]
    assert {job.tile for job in plan.plan(benchmark.parser().parse_args(asked))} == {(side, 20)}


# --- protocols --------------------------------------------------------------------------------------------------------


def test_toolbox_ssim_is_the_mean_over_a_repeated_border():
    """Against a plain 2-d computation on the image extended by its border pixels; the interior is ssim_index.m's."""
    rng = np.random.default_rng(1)
    a = rng.random((30, 25))
    b = np.clip(a + rng.normal(0, 0.1, a.shape), 0, 1)
    g = np.exp(-(np.arange(-5, 6)[:, None] ** 2 + np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    g /= g.sum()
    smooth = lambda x: convolve2d(np.pad(x, 5, mode="edge"), g, "valid")  # noqa: E731
    ma, mb = smooth(a), smooth(b)
    va, vb, cov = smooth(a * a) - ma**2, smooth(b * b) - mb**2, smooth(a * b) - ma * mb
    values = (2 * ma * mb + 1e-4) * (2 * cov + 9e-4) / ((ma**2 + mb**2 + 1e-4) * (va + vb + 9e-4))
    assert ssim_toolbox(a, b) == pytest.approx(values.mean(), abs=1e-12)
    assert matlab.ssim(a, b, data_range=1) == pytest.approx(values[5:-5, 5:-5].mean(), abs=1e-9)
    assert ssim_toolbox(a, a) == 1
    with pytest.raises(ValueError, match="shapes differ"):
        ssim_toolbox(a, b[1:])
    eight = (matlab.im2uint8(a), matlab.im2uint8(b))
    assert ssim_toolbox(*eight, data_range=255) == pytest.approx(ssim_toolbox(a, b), abs=2e-3)


def test_lr8_rounds_the_small_image():
    img = picture(60, 66)
    plain, rounded = (PROTOCOLS[name].prepare(img, 3, "replicate", "a") for name in ("idn", "lr8"))
    assert np.array_equal(rounded.lr * 255, np.round(rounded.lr * 255))
    assert 0 < np.abs(rounded.lr - plain.lr).max() <= 0.5 / 255 + 1e-6
    np.testing.assert_array_equal(rounded.base, matlab.imresize(rounded.lr, 3))


def test_clamp_limits_what_the_net_gets():
    gray = np.where(np.arange(60) % 20 < 10, 0, 255).astype(np.uint8) * np.ones((60, 1), np.uint8)
    plain, limited = (PROTOCOLS[name].prepare(gray, 2, "replicate", "a") for name in ("idn", "clamp"))
    assert plain.base.min() < 0 and plain.base.max() > 1
    assert limited.base.min() == np.float32(16 / 255) and limited.base.max() == np.float32(235 / 255)
    np.testing.assert_array_equal(limited.lr, plain.lr)


def test_rgb_protocol_of_a_perfect_result():
    """A result that is the truth leaves the error of Cb and Cr and of 8-bit RGB only: Y is nearly the truth's."""
    img = picture(60, 66)
    sample = PROTOCOLS["rgb"].prepare(img, 3, "replicate", "a")
    assert sample.lr.dtype == np.float32 and sample.lr.shape == (20, 22) and sample.base.shape == (60, 66)
    truth = matlab.rgb2ycbcr(matlab.im2double(img))[..., 0]
    reference, result = PROTOCOLS["rgb"].pair(img, sample, truth.astype(np.float32), "replicate")
    np.testing.assert_allclose(reference, truth, atol=1e-12)
    assert 0 < np.abs(result - truth).mean() < 0.003
    scores = PROTOCOLS["rgb"].score(reference, result, 3, ("psnr", "ssim", "ifc"))
    assert scores["psnr"] > 45 and scores["ssim"] > 0.99
    worse = PROTOCOLS["rgb"].pair(img, sample, sample.base, "replicate")
    assert PROTOCOLS["rgb"].score(*worse, 3, ("psnr",))["psnr"] < scores["psnr"] - 5


def test_rgb_protocol_takes_a_gray_image():
    gray = evaluation.luma(picture(60, 66))
    sample = PROTOCOLS["rgb"].prepare(gray, 2, "replicate", "a")
    reference, result = PROTOCOLS["rgb"].pair(gray, sample, sample.base, "replicate")
    assert reference.shape == result.shape == (60, 66)
    assert PROTOCOLS["rgb"].score(reference, result, 2, ("psnr",))["psnr"] > 20


def test_a_region_too_small_for_ifc_is_noted():
    small = np.random.default_rng(0).random((24, 24))
    scores = PROTOCOLS["rgb"].score(small, small * 0.9, 2, ("ifc",))
    assert scores["ifc"] is None and "ifc" in scores["note"]


# --- methods ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "scale"), [(name, scale) for name, method in METHODS.items() if method.network for scale in method.scales]
)
def test_every_method_runs_at_every_scale(name, scale):
    """Random weights, a small image: the result has the size of the ground truth and is finite."""
    method = METHODS[name]
    sample = PROTOCOLS[method.protocol].prepare(picture(36, 24), scale, "replicate", "a")
    net = method.load(scale)
    output = tiles.forward(net, method.take(sample), method.blob, method.tile)
    result = method.finish(output, sample)
    assert result.shape == sample.base.shape == (36, 24)
    assert np.isfinite(result).all()


def test_a_method_is_data():
    """Equal when its fields are, so that it can go to another process; what it may say is checked."""
    for method in METHODS.values():
        assert pickle.loads(pickle.dumps(method)) == method == replace(method)
    with pytest.raises(ValueError, match=r"method X: input is 'hr', expected one of lr, bicubic"):
        Method("X", input="hr")
    with pytest.raises(ValueError, match=r"method X: output is 'late', expected one of image, residual, late image"):
        Method("X", output="late")


@pytest.mark.parametrize("name", ["IDN", "FSRCNN", "ESPCN", "VDSR"])
def test_a_net_of_another_scale_is_refused(name):
    method = METHODS[name]
    sample = PROTOCOLS["idn"].prepare(picture(36, 24), 3, "replicate", "a.png")
    with pytest.raises(UserError, match=r"a\.png: the net's output is 5x7 pixels, expected .* at x3; take the deploy"):
        method.finish(np.zeros((7, 5), np.float32), sample)


@pytest.mark.parametrize(
    ("scale", "record", "late"),
    [
        (2, None, 0), (3, None, 1), (4, None, 0),  # as FSRCNN's authors cut their labels
        (3, {"scale": 3}, 2), (2, {"scale": 2}, 1),  # made before records said it: m - 1
        (3, {"scale": 3, "late": 1}, 1), (4, {"scale": 4, "late": 0}, 0), (4, {"scale": 4, "late": 3}, 3),
    ],
)  # fmt: skip
def test_weights_are_judged_where_their_training_has_put_the_output(tmp_path, scale, record, late):
    """An output that is the truth, shifted: the result is the truth to the last pixel that was computed."""
    weights = tmp_path / "FSRCNN.caffemodel"
    if record:
        weights.with_suffix(".json").write_text(json.dumps(record))
    method = METHODS["FSRCNN"].for_weights(weights)
    truth = np.random.default_rng(0).random((12 * scale, 9 * scale)).astype(np.float32)
    sample = evaluation.Sample("x", scale, None, truth[::scale, ::scale], np.zeros_like(truth))
    around, border = scale * method.border, method.border
    wide = np.pad(truth, around + scale)  # what the net computes beyond the border is cut off
    begin, (height, width) = scale + late, method.take(sample).shape
    output = wide[begin:, begin:][: scale * (height - 1) + 1, : scale * (width - 1) + 1]
    assert np.array_equal(method.finish(output, sample), truth)
    assert method.first_pixel(scale, border) == around - late
    shifted = replace(method, late=((scale, (late + 1) % scale),))
    assert not np.array_equal(shifted.finish(output, sample), truth)
    without = replace(method, border=0)
    computed = without.finish(output[around:, around:][: 11 * scale + 1, : 8 * scale + 1], sample)
    assert np.array_equal(computed[late:][: 11 * scale + 1, late:][:, : 8 * scale + 1],
                          truth[late:][: 11 * scale + 1, late:][:, : 8 * scale + 1])  # fmt: skip


@pytest.mark.parametrize(
    "record", [{"late": 1}, {"scale": 3, "late": 3}, {"scale": 3, "late": -1}, {"scale": 3, "late": "1"}]
)
def test_a_damaged_place_of_the_output(tmp_path, record):
    weights = tmp_path / "FSRCNN.caffemodel"
    weights.with_suffix(".json").write_text(json.dumps(record))
    with pytest.raises(UserError, match=r"FSRCNN.json: its 'late' is damaged, expected a number of pixels below"):
        METHODS["FSRCNN"].for_weights(weights)


def test_printed_methods_are_the_papers():
    assert [name for name, method in METHODS.items() if method.printed] == paper.load()["methods"]


def test_a_method_of_one_scale(capsys):
    """IDN-MSCOCO has one weight file, of x4; its net is IDN's, which is counted and timed once."""
    method = METHODS["IDN-MSCOCO"]
    assert method.scales == (4,) and METHODS["IDN"].scales == tuple(cli.SCALES)
    with pytest.raises(UserError, match=r"^IDN-MSCOCO: is offered for x4 only, got x3; choose another"):
        method.load(3)
    assert method.build(4) == METHODS["IDN"].build(4)
    assert "IDN-MSCOCO" not in nets() and len(nets()) == len(set(METHODS)) - 2  # and Bicubic has none
    assert [(row["method"], row["scale"]) for row in cost.rows(["IDN-MSCOCO"], cli.SCALES, (9, 9))] == [
        ("IDN-MSCOCO", 4)
    ]


def test_every_network_and_variant_is_a_method():
    """What prototxt/ can generate, the benchmark can time."""
    from prototxt.registry import NETWORKS

    made = {(m.network, m.variant) for m in METHODS.values() if m.network}
    assert made == {(n.name, variant or None) for n in NETWORKS.values() for variant in n.variants}


def test_weights_are_found_by_name(tmp_path):
    assert data_prep_weights.find(tmp_path, "VDSR", 3) is None
    gap = data_prep_weights.gap("VDSR", 3)
    assert "no vdsr/VDSR_Official.mat in the weights folder; get it: `make fetch METHOD=VDSR`" in gap
    gap = data_prep_weights.gap("DRCN", 2)
    assert "no drcn/DRCN_x2.mat" in gap and "get it: https://cv.snu.ac.kr/research/DRCN/" in gap
    (tmp_path / "vdsr").mkdir()
    for name in ("VDSR_Adam.caffemodel", "VDSR_Official.mat", "VDSR_Official.caffemodel"):
        (tmp_path / "vdsr" / name).write_bytes(b"")
        assert data_prep_weights.find(tmp_path, "VDSR", 3).name == name  # each better than the one before
    (tmp_path / "lapsrn").mkdir()
    (tmp_path / "lapsrn/LapSRN_x4.mat").write_bytes(b"")
    assert data_prep_weights.find(tmp_path, "LapSRN", 3).name == "LapSRN_x4.mat"
    assert data_prep_weights.find(tmp_path, "LapSRN", 2) is None


# --- runs -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def bench(tmp_path):
    """Run the benchmark on one small picture in the set Tiny; gives the report."""
    import cv2

    folder = tmp_path / "data/Tiny"
    folder.mkdir(parents=True)
    cv2.imwrite(str(folder / "one.png"), picture(96, 96)[..., ::-1])
    weights = tmp_path / "weights"
    weights.mkdir()

    def run(*arguments):
        argv = ["--data-dir", tmp_path / "data", "--weights-dir", weights, "--out", tmp_path / "out"]
        argv += ["--datasets", "Tiny", *arguments]
        assert benchmark.main([str(one) for one in argv]) == 0
        return json.loads((tmp_path / "out/benchmark.json").read_text(encoding="utf-8"))

    run.weights = weights
    return run


def test_times_without_weights(bench, capsys):
    report = bench("--tables", 4, "--random-weights", "--scales", 3, "--methods", "ESPCN", "IDN", "--repeats", 2)
    for row in report["rows"]:
        assert row["random_weights"] and row["seconds_median"] > 0 and row["psnr"] is None
        assert row["peak_memory_mb"] is None or row["peak_memory_mb"] > 50
    shown = capsys.readouterr().out
    assert "Tiny x3 ESPCN: random weights: for the time only" in shown
    cells = [[c.strip() for c in line.split("|")[1:-1]] for line in shown.splitlines() if line.startswith("| Tiny")]
    rows, cells = (dict(zip(("IDN", "ESPCN"), some)) for some in (report["rows"], cells))
    assert [row["method"] for row in report["rows"]] == list(rows)  # as the tables have them
    ratio = rows["ESPCN"]["seconds_median"] / rows["IDN"]["seconds_median"]
    assert cells["ESPCN"][7:10] == ["2", f"{ratio:.1f}", "-"] and cells["IDN"][7:9] == ["2", "1.0"]


def test_methods_without_weights_are_marked_gaps(bench):
    report = bench("--tables", 2, "--scales", 2)
    gaps = {row["method"]: row["gap"] for row in report["rows"]}
    assert gaps["Bicubic"] is None and len(gaps) == 7
    assert "get it: https://github.com/tyshiwo/DRRN_CVPR17; model/DRRN_B1U25_52C128_iter_" in gaps["DRRN"]
    assert "- gap: no weights of MemNet at x2" in tables.tables_text(report)


def test_protocol_for_all(bench):
    method = METHODS["ESPCN"]
    (bench.weights / "espcn").mkdir()
    runtime.build_net(method.build(2)).save(str(bench.weights / "espcn/ESPCN_x2.caffemodel"))
    asked = ("--tables", 2, "--scales", 2, "--methods", "ESPCN")
    rows = [bench(*asked, "--protocol", name)["rows"][0] for name in ("own", "idn", "lr8", "rgb")]
    assert METHODS["VDSR"].protocol == "clamp" and METHODS["LapSRN"].protocol == "rgb"
    assert [row["protocol"] for row in rows] == ["idn", "idn", "lr8", "rgb"]
    assert rows[0]["psnr"] == rows[1]["psnr"] and len({row["psnr"] for row in rows}) == 3


def test_an_update_keeps_the_other_rows(bench, tmp_path):
    first = bench("--tables", 2, "--scales", 2)
    old = tmp_path / "old.json"
    old.write_text((tmp_path / "out/benchmark.json").read_text())
    asked = ("--tables", 4, "--scales", 2, "--methods", "VDSR", "IDN", "--random-weights", "--repeats", 0)
    both = bench(*asked, "--update", old)
    assert [row["method"] for row in both["rows"]] == paper.load()["methods"]
    assert both["rows"][0] == first["rows"][0] and both["rows"][1]["seconds"] > 0 and both["rows"][1]["gap"] is None
    assert both["meta"]["tables"] == [2, 4] and both["meta"]["earlier"][0]["command"] == first["meta"]["command"]
    assert first["meta"]["command"] in (tmp_path / "out/benchmark.md").read_text()


@pytest.mark.parametrize("dataset", ["Set5", "Set14"])
def test_committed_tables_are_the_papers_with_the_published_weights(root, dataset):
    """VDSR within 0.02 dB, 0.0005, 0.02 of Tables 2 and 3 at every scale; LapSRN within 0.01 dB and 0.002 of IFC."""
    report = reports.read_report(root / "results/benchmark/benchmark.json")
    deltas = {(r["method"], r["scale"]): r["delta"] for r in report["rows"] if r["dataset"] == dataset}
    for scale in cli.SCALES:
        delta = deltas["VDSR", scale]
        assert abs(delta["psnr"]) < 0.02 and abs(delta["ssim"]) < 0.0005 and abs(delta["ifc"]) < 0.02, scale
    for scale in LAPSRN_SCALES:
        delta = deltas["LapSRN", scale]
        assert abs(delta["psnr"]) < 0.01 and abs(delta["ssim"]) < 0.0005 and abs(delta["ifc"]) < 0.002, scale


def refused(bench, capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        cli.run(lambda: bench(*arguments))
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_refusals(bench, capsys, tmp_path):
    line = refused(bench, capsys, "--random-weights", "--tables", 2, 4)
    assert "--random-weights: makes no picture worth a score; give it with --tables 4 alone" in line
    line = refused(bench, capsys, "--methods", "MemNet", "--scales", 2)
    assert "no memnet/MemNet_M6R6_80C64_SR.caffemodel in the weights folder" in line
    line = refused(bench, capsys, "--methods", "IDN-MSCOCO", "--scales", 2, 3)
    assert "IDN-MSCOCO: is offered for x4 only, got x2; choose another method or scale" in line
    line = refused(bench, capsys, "--methods", "IDN-MSCOCO", "--scales", 4)
    assert "no idn/IDN_x4_mscoco.caffemodel in the weights folder; get it: `make fetch METHOD=IDN-MSCOCO`" in line
    assert "--tile: got 3, expected a whole number of at least 16" in refused(bench, capsys, "--tile", 3)
    other = tmp_path / "DRRN.caffemodel"
    runtime.build_net(drrn.drrn(units=9)).save(str(other))
    asked = ("--tables", 2, "--scales", 2, "--methods")
    assert "has no layer 'bn_conv1_10a'" in refused(bench, capsys, *asked, "DRRN", "--weights", other)
    line = refused(bench, capsys, *asked, "VDSR", "--weights", other)
    assert "layer 'conv1' has shapes" in line and "weights of another network" in line
    other.write_bytes(other.read_bytes()[:100_000])
    assert "cut short" in refused(bench, capsys, *asked, "DRRN", "--weights", other)


def test_weights_of_a_larger_net(bench, capsys, tmp_path):
    path = tmp_path / "LapSRN_x4.caffemodel"
    runtime.build_net(METHODS["LapSRN"].build(4)).save(str(path))
    line = refused(bench, capsys, "--tables", 2, "--scales", 2, "--methods", "LapSRN", "--weights", path)
    assert "has weights of 13 layers that LapSRN at x2 does not have (level2_conv1, level2_conv2" in line


def test_weights_of_another_method_in_mat(bench, capsys, shared, tmp_path):
    mat = tmp_path / "some.mat"
    shutil.copyfile(shared / "weights/lapsrn/LapSRN_x2.mat", mat)
    asked = ("--tables", 2, "--scales", 3, "--methods")
    assert "holds net; expected a struct `model`" in refused(bench, capsys, *asked, "VDSR", "--weights", mat)
    assert "has no level2_conv1_f" in refused(bench, capsys, *asked, "LapSRN", "--weights", mat)


def test_peak_memory_forgets():
    if not memory.reset_peak():
        pytest.skip("this system does not reset peaks")
    with mmap.mmap(-1, 40 << 20) as block:  # not malloc: it may hand out memory that is resident already
        for page in range(0, len(block), mmap.PAGESIZE):
            block[page] = 1
        peak = memory.peak_mb()
    memory.reset_peak()
    assert memory.peak_mb() <= peak - 30


@pytest.mark.parametrize(("name", "scale"), [("LapSRN", 4), ("LapSRN", 3), ("VDSR", 4)])
def test_one_image_with_the_released_weights(shared, name, scale):
    """A part of Set5's butterfly: far better than bicubic; a fast look at the whole chain."""
    from data_prep import images

    method = METHODS[name]
    img = images.read_image(shared / "data/Set5/butterfly_GT.bmp")[60:156, 60:156]
    protocol = PROTOCOLS[method.protocol]
    sample = protocol.prepare(img, scale, "replicate", "butterfly")
    net = method.load(scale, data_prep_weights.find(shared / "weights", name, scale))
    result = method.finish(tiles.forward(net, method.take(sample), method.blob, method.tile), sample)
    scores = [
        protocol.score(*protocol.pair(img, sample, y, "replicate"), scale, ("psnr",))["psnr"]
        for y in (result, sample.base)
    ]
    assert scores[0] - scores[1] > 3


def test_set5_with_the_weights_trained_on_mscoco(bench, shared, capsys):
    """Better than the paper's x4 row, and nothing of that row stands beside it; no row and no gap at x2 and x3.

    Expected: what this project measured when the file was taken in.
    """
    arguments = ("--data-dir", shared / "data", "--datasets", "Set5", "--weights-dir", shared / "weights")
    (row,) = bench("--tables", 2, 3, "--methods", "IDN-MSCOCO", *arguments)["rows"]
    assert (row["scale"], row["gap"]) == (4, None)
    assert [f"{row[name]:.{paper.decimals(name)}f}" for name in ("psnr", "ssim", "ifc")] == ["31.84", "0.8908", "3.891"]
    assert set(row["paper"].values()) == set(row["delta"].values()) == {None}
    line = "IDN-MSCOCO: is offered for x4 only; not measured at x2 x3"
    assert line in capsys.readouterr().err.splitlines()
    assert data_prep_weights.find(shared / "weights", "IDN", 4).name == "IDN_x4.caffemodel"


def test_committed_results_by_the_idn_protocol(root, measured):
    """Against the measurement without this project's code, of the same weights."""
    report = reports.read_report(root / "results/protocols/idn/benchmark.json")
    rows = {reports.key(r): r for r in report["rows"]}
    for (dataset, scale, method), (psnr, ssim, ifc) in measured.items():
        if method in ("VDSR", "LapSRN"):
            row = rows[dataset, scale, method]
            assert row["protocol"] == "idn"
            assert row["psnr"] == pytest.approx(psnr, abs=2e-4)
            assert row["ssim"] == pytest.approx(ssim, abs=1e-5) and row["ifc"] == pytest.approx(ifc, abs=5e-4)


def test_committed_bicubic_with_the_range_limited(root):
    """docs/methods.md: the paper's Table 2 has Bicubic so, in 23 of 24 figures; its Table 3 without the limit."""
    rows = reports.read_report(root / "results/protocols/clamp/benchmark.json")["rows"]
    found = [cell for cell in cells.measured(rows) if cell.figure != "ifc"]
    assert {row["protocol"] for row in rows} == {"clamp"} and len(found) == 24
    assert [(str(cell), cell.units) for cell in found if cell.units] == [("Set14 x4 Bicubic psnr", 1)]
    without = reports.read_report(root / "results/benchmark/benchmark.json")["rows"]
    ifc = {str(cell): cell for cell in cells.measured(without)}
    limited = [cell for cell in cells.measured(rows) if cell.figure == "ifc" and cell.dataset == "Set14"]
    assert all(-46 <= cell.units <= -6 and ifc[str(cell)].units == 0 for cell in limited) and len(limited) == 3
