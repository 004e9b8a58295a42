"""The speed harness: engines must agree before they are timed, and what it writes is what it measured."""

import json

import numpy as np
import pytest

from tools import bench_speed
from tools.common.errors import UserError
from tools.peers import speed_page, speed_tasks, speed_worker

STOCK, OURS = "Caffe, OpenBLAS", "Caffe, oneDNN"
SMALL = ["--methods", "IDN", "--sizes", "16", "--scales", "--rounds", "2", "--engines"]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A run of the three engines that are always there: one forward task, one training task."""
    folder = tmp_path_factory.mktemp("speed")
    argv = ["--methods", "IDN", "--sizes", "16", "--scales", "4", "--rounds", "2", "--threads", "2"]
    argv += ["--out", str(folder), "--weights-dir", str(folder), "--engines", OURS, "OpenCV"]
    assert bench_speed.main(argv) == 0
    return json.loads((folder / "cpu.json").read_text()), (folder / "cpu.md").read_text()


def test_every_engine_is_measured_beside_stock_caffe(report):
    made, page = report
    assert [(row["kind"], row["engine"]) for row in made["rows"]] == [
        ("forward", STOCK),
        ("forward", OURS),
        ("forward", "OpenCV"),
        ("train", STOCK),
        ("train", OURS),
    ]
    for row in made["rows"]:
        assert 0 < row["seconds_least"] <= row["seconds"] < 60
        assert row["peak_mb"] >= 0 and row["difference"] < 1
    train = made["rows"][3]
    assert (train["scale"], train["size"], train["batch"]) == (4, 11, 64)
    assert made["meta"]["threads"] == 2 and made["meta"]["engines"].keys() == {STOCK, OURS, "OpenCV"}
    assert "| IDN x3, 16x16 " in page and "| IDN x4, batch 64 of 11x11 |" in page and "(1.00)" in page


def test_the_rate_is_set_beside_products_of_matrices(report):
    """IDN's layers multiply 551,040 times per pixel of the input: 552,769 parameters less 1,729 biases."""
    made, page = report
    forward, train = made["rows"][0], made["rows"][3]
    assert forward["gflop"] == pytest.approx(2 * 551040 * 16 * 16 / 1e9)
    assert train["gflop"] == pytest.approx(3 * 2 * 551040 * 64 * 11 * 11 / 1e9)
    assert 0.1 < made["meta"]["sgemm_gflops"] < 1e5
    share = 100 * forward["gflop"] / forward["seconds"] / made["meta"]["sgemm_gflops"]
    line = next(line for line in page.splitlines() if line.startswith("| forward: IDN x3, 16x16"))
    assert line.split("|")[2].strip() == f"{share:.0f}"


def test_results_that_differ_are_never_timed(tmp_path, monkeypatch):
    """No rounding error is allowed here, and OpenCV makes some."""
    monkeypatch.setitem(speed_tasks.TOLERANCE, "forward", 0.0)
    with pytest.raises(UserError, match="OpenCV: its result differs from stock Caffe's by .*, expected 0"):
        bench_speed.main([*SMALL, "OpenCV", "--out", str(tmp_path), "--weights-dir", str(tmp_path)])
    assert not (tmp_path / "cpu.json").exists()


def test_agreement_is_about_values_and_shapes():
    task = {"kind": "forward"}
    assert speed_tasks.agree("X", np.float32([1, 2]), np.float32([1, 2]), task) == 0
    with pytest.raises(UserError, match=r"X: its result has shape \(3,\), stock Caffe's \(2,\)"):
        speed_tasks.agree("X", np.zeros(3), np.zeros(2), task)
    for bad in (1.01, np.nan):
        with pytest.raises(UserError, match="X: its result differs"):
            speed_tasks.agree("X", np.float32([1, bad]), np.float32([1, 1]), task)


def test_a_worker_that_ends_is_named(tmp_path):
    """Its last words come along, not a traceback of ours."""
    args = bench_speed.parser().parse_args(["--threads", "1"])
    with pytest.raises(UserError, match="OpenCV: its process ended .*task.json.*; leave it out with --engines"):
        speed_tasks.Worker("OpenCV", tmp_path, args)


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["--rounds", "0"], "--rounds: got 0, expected at least 1"),
        (["--sizes", "3"], "--sizes: got 3, expected at least 8"),
        (["--threads", "0"], "--threads: got 0, expected at least 1"),
    ],
)
def test_numbers_that_cannot_be_measured_are_refused(argv, text):
    with pytest.raises(UserError, match=text):
        bench_speed.main(argv)


def test_an_engine_that_is_not_installed_is_refused(monkeypatch):
    monkeypatch.setattr(speed_worker, "version", lambda name: None if name == "OpenVINO" else "1")
    with pytest.raises(UserError, match="--engines: OpenVINO cannot be imported; pip install"):
        bench_speed.available(["OpenVINO"])
    assert "OpenVINO" not in bench_speed.available(None)
    assert next(iter(bench_speed.available(["OpenCV"]))) == STOCK


def test_the_committed_page_is_what_results_say(root):
    made = json.loads((root / "results" / "speed" / "cpu.json").read_text())
    page = (root / "docs" / "speed.md").read_text()
    assert speed_page.renewed(page, made) == page
    assert (root / "results" / "speed" / "cpu.md").read_text() == speed_page.markdown(made)
    assert {STOCK, OURS} <= {row["engine"] for row in made["rows"]}


def test_the_page_says_whether_blobs_shared_memory(root):
    made = json.loads((root / "results" / "speed" / "cpu.json").read_text())
    said = "In Caffe's forward passes the blobs share memory"
    for shared in (True, False):
        made["meta"]["shared_memory"] = shared
        assert (said in speed_page.markdown(made)) == shared


# PyTorch ---------------------------------------------------------------------------------------------------------


def test_pytorch_has_the_same_net_and_the_same_training(tmp_path):
    torch = pytest.importorskip("torch", reason="pip install '.[speed]'")
    args = bench_speed.parser().parse_args(["--weights-dir", str(tmp_path), "--threads", "1"])
    speed_tasks.train_task(tmp_path, 4, args)
    task = speed_worker.Task(tmp_path)
    losses = {}
    for make in (speed_worker.caffe_train, speed_worker.torch_train):
        run = make(task)
        losses[make.__name__] = [float(run()) for _ in range(4)]
    assert losses["caffe_train"][0] != losses["caffe_train"][-1]
    np.testing.assert_allclose(losses["torch_train"], losses["caffe_train"], rtol=1e-4)
    assert torch.get_num_threads() == 1
