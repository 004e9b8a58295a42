"""tools/bench_matlab_compat.py: its measure, its refusals, and that the page shows the committed results."""

import json

import cv2
import numpy as np
import pytest

from matlab_compat import imresize
from tools import bench_matlab_compat
from tools.common.errors import UserError
from tools.peers import imresize_page
from tools.peers.imresize import gather, peers


def test_the_page_shows_the_committed_results(root):
    report = json.loads((root / "results" / "matlab_compat" / "benchmark.json").read_text(encoding="utf-8"))
    text = imresize_page.markdown(report)
    assert (root / "results" / "matlab_compat" / "benchmark.md").read_text(encoding="utf-8") == text
    page = root / "docs" / "matlab.md"
    assert page.read_text(encoding="utf-8") == imresize_page.renewed(page, text)
    ours = report["resize"][0]
    assert ours["name"] == bench_matlab_compat.OURS and ours["mismatch_percent"] == 0 and ours["values"] == 719952


def test_the_plain_gather_is_exact_too():
    img = np.random.default_rng(0).integers(0, 256, (41, 50, 3), np.uint8)
    for scale in (1 / 3, 0.9, 2):
        np.testing.assert_array_equal(gather(img, scale), imresize(img, scale))


def test_peers_give_images_of_the_right_size():
    img = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    found = peers()
    assert any(name.startswith("OpenCV") for name in found)  # a dependency of ours, so always there
    for name, resize in found.items():
        for scale in (0.5, 2):
            out = resize(img, scale)
            assert out.dtype == np.uint8 and out.shape == (40 * scale, 50 * scale, 3), name


@pytest.fixture
def reference(tmp_path):
    """A folder like the reference data, with one pair of images at each scale."""
    rng = np.random.default_rng(0)
    for scale in (2, 3, 4):
        folder = tmp_path / "oracles" / "imresize" / f"x{scale}"
        folder.mkdir(parents=True)
        img = rng.integers(0, 256, (48, 60, 3), np.uint8)
        small = imresize(img, 1 / scale)
        small[5, 5, 0] ^= 64  # one value is not what imresize gives
        cv2.imwrite(str(folder / "a_HR.png"), img)
        cv2.imwrite(str(folder / "a_LR.png"), small)
    return tmp_path


def test_mismatch_is_counted(reference):
    pairs = bench_matlab_compat.oracle_pairs(reference / "oracles" / "imresize")
    rows = bench_matlab_compat.measure_mismatch({"ours": imresize}, pairs)["ours"]
    values = 3 * (24 * 30 + 16 * 20 + 12 * 15)
    assert rows["values"] == values and rows["largest_difference"] == rows["largest_inside"] == 64
    assert rows["mismatch_percent"] == pytest.approx(100 * 3 / values)
    inside = 3 * (16 * 22 + 8 * 12 + 4 * 7)
    assert rows["mismatch_inside_percent"] == pytest.approx(100 * 3 / inside)


def test_the_shortest_time_counts_and_slow_candidates_stop_early(monkeypatch):
    clock, called = [0.0], []

    def work(name, seconds):
        called.append(name)
        clock[0] += seconds / (2 if called.count(name) == 2 else 1)  # the second call is the shortest

    monkeypatch.setattr(bench_matlab_compat.time, "perf_counter", lambda: clock[0])
    slow = 2 * bench_matlab_compat.BUDGET
    calls = {"fast": lambda: work("fast", slow / 16), "slow": lambda: work("slow", slow)}
    assert bench_matlab_compat.shortest(calls, 3) == {"fast": slow / 32, "slow": slow}
    assert called == ["fast", "slow", "fast", "fast"]


def _page(folder, text="<!-- tables:begin -->\n<!-- tables:end -->\n"):
    page = folder / "page.md"
    page.write_text(text, encoding="utf-8")
    return str(page)


def test_missing_reference_data_is_refused(tmp_path):
    with pytest.raises(UserError, match="oracles/imresize: no x2/.* there; expected MATLAB's output, name its folder"):
        bench_matlab_compat.main(["--shared", str(tmp_path), "--page", _page(tmp_path)])


def test_a_missing_image_set_is_refused(reference):
    with pytest.raises(UserError, match="Set14: no images there; expected Set14, name the folder above with --shared"):
        bench_matlab_compat.main(["--shared", str(reference), "--page", _page(reference)])


def test_a_page_without_markers_is_refused_before_the_measurement(tmp_path):
    with pytest.raises(UserError, match="page.md: expected one line <!-- tables:begin -->"):
        bench_matlab_compat.main(["--shared", str(tmp_path), "--page", _page(tmp_path, "text")])
    with pytest.raises(UserError, match="none.md: no such page; expected one with the lines"):
        bench_matlab_compat.main(["--shared", str(tmp_path), "--page", str(tmp_path / "none.md")])


def test_other_bad_arguments_are_refused(tmp_path):
    with pytest.raises(UserError, match="--rounds 0: expected at least 1"):
        bench_matlab_compat.main(["--rounds", "0"])
    with pytest.raises(OSError, match="no packages for this Python"):
        bench_matlab_compat.main(["--peers", str(tmp_path), "--page", _page(tmp_path)])
