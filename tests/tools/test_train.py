"""Training on real Caffe with tiny databases: stages, resuming, interruption, refusals."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import cv2
import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep import hdf5
from data_prep.digests import file_sha256
from prototxt.idn import idn
from tools import learning_log, prepare_data, train
from tools.common.errors import UserError
from tools.nets import runtime
from tools.training import needed_memory, run_folder, snapshots
from tools.training import stage as training_stage
from tools.training.log import Log, read
from tools.training.run import STAGES, schedule, settings_of

SCALE = 3
TOOL = train.ROOT / "tools" / "train.py"


def photograph(seed, height, width):
    """A smooth random colour picture with edges: (height, width, 3) uint8 BGR."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((height // 12, width // 12, 3)).astype(np.float32)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(255 * (0.7 * smooth + 0.3 * (smooth > 0.5)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A data folder with three training and two validation pictures and their databases at x3."""
    folder = tmp_path_factory.mktemp("data")
    for name, count, side in (("291", 3, 100), ("Set5", 2, 69)):
        (folder / name).mkdir()
        for i in range(count):
            assert cv2.imwrite(str(folder / name / f"{i}.png"), photograph(i, side, side + 6))
    for stage in ("train", "finetune", "val"):
        argv = ["--scale", "3", "--stage", stage, "--data-dir", folder, "--out", folder / "hdf5", "--workers", "1"]
        assert prepare_data.main([str(a) for a in argv]) == 0
    return folder


def arguments(data, out, *more):
    return [
        "--scale", "3", "--data-dir", str(data), "--hdf5-dir", str(data / "hdf5"), "--out", str(out), "--batch", "4",
        *more,
    ]  # fmt: skip


def weights_of(path):
    model = runtime.read_caffemodel(path)
    return {layer.name: [np.array(blob.data) for blob in layer.blobs] for layer in model.layer if layer.blobs}


def assert_same_weights(a, b):
    a, b = weights_of(a), weights_of(b)
    assert a.keys() == b.keys() and a
    for name in a:
        for x, y in zip(a[name], b[name]):
            np.testing.assert_array_equal(x, y)


@pytest.fixture(scope="session")
def finished(data, tmp_path_factory):
    """Folder of a run that went through all three stages (43 iterations)."""
    out = tmp_path_factory.mktemp("finished") / "run"
    assert train.main(arguments(data, out, "--iters", "43", "--snapshot", "10", "--test-interval", "12")) == 0
    return out


def test_stages_start_from_each_other_and_the_result_is_the_last(finished):
    settings = {s: json.loads((finished / s / "settings.json").read_text()) for s in STAGES}
    assert {s: settings[s]["iterations"] for s in STAGES} == {"pretrain": 5, "train": 37, "finetune": 1}
    assert settings["pretrain"]["start"] == "random"
    assert settings["train"]["start"] == file_sha256(finished / "pretrain" / "final.caffemodel")
    assert settings["finetune"]["start"] == file_sha256(finished / "train" / "final.caffemodel")
    assert settings["finetune"]["base_lr"] == pytest.approx(settings["train"]["base_lr"] / 10)
    assert_same_weights(finished / "idn" / "IDN_x3.caffemodel", finished / "finetune" / "final.caffemodel")


def test_learning_log_has_loss_rate_and_psnr(finished):
    rows = read(finished / "log.csv")
    last = [r for r in rows if r["stage"] == "train"][-1]
    assert last["iteration"] == 37
    assert last["learning_rate"] == pytest.approx(1e-6)  # the steps at 15 and 31 of 37, as 250,000 of 600,000
    assert last["loss"] > 0 and last["iterations_per_second"] > 0
    assert [r["iteration"] for r in rows if r["stage"] == "train" and "psnr" in r] == [12, 24, 36, 37]
    assert cv2.imread(str(finished / "learning_curve.png")).std() > 1


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


def test_training_learns(data, tmp_path):
    argv = arguments(data, tmp_path, "--stage", "pretrain", "--iters", "40", "--lr", "1e-3", "--test-interval", "1")
    train.main(argv)
    rows = [r for r in read(tmp_path / "log.csv") if "psnr" in r]
    assert rows[-1]["test_loss"] < 0.7 * rows[0]["test_loss"]
    assert rows[-1]["psnr"] > rows[0]["psnr"] + 1


def test_logged_test_loss_is_the_mean_absolute_error_of_the_validation_set(data, finished):
    """Computed again in numpy from the HDF5 file and the snapshot's weights."""
    (row,) = [r for r in read(finished / "log.csv") if r["stage"] == "train" and r["iteration"] == 37]
    net = runtime.build_net(idn(SCALE, input_shape=(11, 11)), finished / "train" / "final.caffemodel")
    with h5py.File(data / "hdf5" / "x3" / "val" / "00000.h5") as file:
        lr, label, bic = (file[name][:] for name in ("data", "label", "bic"))
    errors = []
    for x, y, b in zip(lr, label, bic):
        net.blobs["data"].data[0] = x
        errors.append(np.abs(net.forward()["upsample"][0] + b - y).sum())
    assert row["test_loss"] == pytest.approx(np.mean(errors), rel=1e-4)


def test_logged_psnr_is_the_benchmark_tools(data, finished, tmp_path):
    from tools import benchmark

    rows = [r for r in read(finished / "log.csv") if r["stage"] == "finetune"]
    argv = ["--tables", "2", "--datasets", "Set5", "--scales", "3", "--methods", "IDN", "--data-dir", data,
            "--weights-dir", finished, "--out", tmp_path, "--repeats", "0"]  # fmt: skip
    assert benchmark.main([str(a) for a in argv]) == 0
    (row,) = json.loads((tmp_path / "benchmark.json").read_text())["rows"]
    assert rows[-1]["psnr"] == pytest.approx(row["psnr"], abs=1e-3)


def test_a_finished_run_is_not_run_again(data, finished, capsys):
    files = sorted(p for p in finished.rglob("*.caffemodel") if p.parent.name != "idn")
    before = [p.stat().st_mtime_ns for p in files]
    summary = (finished / "summary.json").read_bytes()
    assert train.main(arguments(data, finished, "--iters", "43")) == 0
    assert capsys.readouterr().out.count("finished before") == 3
    assert (finished / "summary.json").read_bytes() == summary
    assert [p.stat().st_mtime_ns for p in files] == before


def start(argv):
    return subprocess.Popen(
        [sys.executable, TOOL, *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for(path, process, seconds=120):
    until = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)


def test_killed_run_goes_on_to_the_very_same_weights(data, tmp_path):
    """Adam's moments, the iteration and the place in the database are restored: no bit differs."""
    more = ("--stage", "pretrain", "--iters", "30", "--snapshot", "10", "--batch", "5")
    assert train.main(arguments(data, tmp_path / "whole", *more)) == 0
    killed = arguments(data, tmp_path / "killed", *more)
    process = start(killed)
    wait_for(tmp_path / "killed" / "pretrain" / "idn_iter_10.solverstate", process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "killed" / "pretrain" / "final.caffemodel").exists()
    assert train.main(killed) == 0
    assert_same_weights(*(tmp_path / name / "pretrain" / "final.caffemodel" for name in ("whole", "killed")))
    logs = [read(tmp_path / name / "log.csv") for name in ("whole", "killed")]
    columns = ("stage", "iteration", "learning_rate", "psnr")
    rows = [[[row.get(c) for c in columns] for row in log] for log in logs]
    assert rows[0] == rows[1] and len(rows[0]) == 30
    # the printed loss is a sum that OpenBLAS adds in an order that depends on where the array lies in memory
    losses = [[row["loss"] for row in log] for log in logs]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_snapshots_and_says_how_to_go_on(data, tmp_path, number):
    argv = arguments(data, tmp_path, "--stage", "pretrain", "--iters", "2000", "--snapshot", "2000")
    process = start(argv)
    wait_for(tmp_path / "log.csv", process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and err == ""
    assert "stopped at iteration" in out and "run the same command to go on" in out
    (state,) = (tmp_path / "pretrain").glob("*.solverstate")
    shapes = runtime.param_shapes(runtime.build_net(idn(SCALE)))
    assert snapshots.newest_whole(tmp_path / "pretrain", shapes)[0] == state


def test_a_moved_run_folder_goes_on(data, finished, tmp_path, capsys):
    """The solverstate names its weights by path; the run must not need the old place."""
    shutil.copytree(finished, tmp_path / "moved")
    for name in ("train/final.caffemodel", "train/idn_iter_37.solverstate"):
        (tmp_path / "moved" / name).unlink()
    shutil.rmtree(tmp_path / "moved" / "finetune")
    hidden = finished.with_name("elsewhere")
    finished.rename(hidden)
    try:
        assert train.main(arguments(data, tmp_path / "moved", "--iters", "43")) == 0
    finally:
        hidden.rename(finished)
    assert "train: resuming from idn_iter_30.solverstate" in capsys.readouterr().out
    assert_same_weights(*(d / "train" / "final.caffemodel" for d in (finished, tmp_path / "moved")))


@pytest.mark.parametrize("suffix", [".solverstate", ".caffemodel"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9, 0.999])
def test_a_snapshot_cut_short_is_passed_over(finished, tmp_path, suffix, kept):
    shutil.copytree(finished / "train", tmp_path / "train")
    shapes = runtime.param_shapes(runtime.build_net(idn(SCALE)))
    assert snapshots.newest_whole(tmp_path / "train", shapes)[1] == 37
    newest = tmp_path / "train" / f"idn_iter_37{suffix}"
    os.truncate(newest, int(newest.stat().st_size * kept))
    assert snapshots.newest_whole(tmp_path / "train", shapes)[1] == 30


def test_a_solverstate_cut_between_two_fields_is_passed_over(finished, tmp_path):
    """Such a file parses; it lacks some of Adam's moments."""
    shutil.copytree(finished / "train", tmp_path / "train")
    path = tmp_path / "train" / "idn_iter_37.solverstate"
    state = runtime.read_solverstate(path)
    assert len(state.history) == 2 * 62  # 31 layers, weights and biases
    del state.history[100:]
    path.write_bytes(state.SerializeToString())
    shapes = runtime.param_shapes(runtime.build_net(idn(SCALE)))
    assert snapshots.newest_whole(tmp_path / "train", shapes)[1] == 30


def test_fine_tuning_from_weights_of_one_s_own(data, finished, tmp_path, capsys):
    own = finished / "idn" / "IDN_x3.caffemodel"
    assert train.main(arguments(data, tmp_path, "--stage", "finetune", "--iters", "2", "--weights", str(own))) == 0
    assert f"finetune: starting from {own}" in capsys.readouterr().out


def test_without_the_stage_before_there_is_nothing_to_start_from(data, tmp_path):
    with pytest.raises(UserError, match=r"train: starts from pretrain's weights, but .* run --stage pretrain first"):
        train.main(arguments(data, tmp_path, "--stage", "train", "--iters", "2"))


def test_other_settings_do_not_go_on(data, finished):
    with pytest.raises(UserError, match=r"other settings \(beta1 0.0 then, 0.9 now\); give the same ones"):
        train.main(arguments(data, finished, "--iters", "43", "--beta1", "0.9"))


def test_other_data_do_not_go_on(data, finished, tmp_path):
    """The pairs in another order: the place in the database would mean nothing."""
    for stage in ("train", "finetune", "val"):
        argv = ["--scale", "3", "--stage", stage, "--data-dir", data, "--out", tmp_path, "--seed", "7"]
        assert prepare_data.main([str(a) for a in argv]) == 0
    with pytest.raises(UserError, match=r"other settings \(data \{.*'seed': 0.*then.*'seed': 7.* now\)"):
        train.main(arguments(data, finished, "--iters", "43", "--hdf5-dir", str(tmp_path)))


def test_a_stop_in_the_last_iteration_begins_no_other_stage(data, tmp_path, monkeypatch, capsys):
    """The signal arrives while the last snapshot of the first stage is written."""
    save = snapshots.save

    def interrupted_save(solver, folder):
        if solver.iter == 1 and folder.name == "pretrain":
            os.kill(os.getpid(), signal.SIGINT)
        return save(solver, folder)

    monkeypatch.setattr(snapshots, "save", interrupted_save)
    argv = arguments(data, tmp_path, "--iters", "8")
    assert train.main(argv) == 130
    assert "pretrain: finished, and stopped as asked; run the same command to go on" in capsys.readouterr().out
    assert (tmp_path / "pretrain" / "final.caffemodel").exists() and not (tmp_path / "train").exists()
    assert train.main(argv) == 0


def test_two_runs_in_one_folder_are_refused(data, tmp_path):
    busy = "another training is at work in this folder"
    with run_folder.claimed(tmp_path / "run"), pytest.raises(UserError, match=busy):
        train.main(arguments(data, tmp_path / "run", "--iters", "3"))


def test_a_diverged_training_says_so(data, tmp_path):
    argv = arguments(data, tmp_path, "--stage", "pretrain", "--iters", "50", "--lr", "1e30")
    with pytest.raises(UserError, match=r"the loss is (nan|inf) at iteration 2, .* diverged \(there is no snapshot\)"):
        train.main(argv)


@pytest.mark.parametrize("iterations", [1, 2])
@pytest.mark.parametrize("rate", ["1e30", "1"])
def test_a_training_that_diverges_in_its_last_update_is_not_finished(data, tmp_path, rate, iterations):
    """The loss is taken before the update, so that at iteration 1 it says nothing."""
    argv = arguments(data, tmp_path, "--stage", "pretrain", "--iters", str(iterations), "--lr", rate)
    with pytest.raises(UserError, match="the training has diverged"):
        train.main(argv)
    assert not list(tmp_path.rglob("*.caffemodel")) and not (tmp_path / "summary.json").exists()


def test_a_diverged_stage_keeps_the_good_snapshots_and_the_stage_before(data, tmp_path, monkeypatch):
    """The weights are spoilt between two iterations, as one wild update does; the loss stays finite."""
    step = training_stage.stepping.Plain.step

    def spoil(self, count):
        losses = step(self, count)
        if self.solver.iter == 14:
            self.solver.net.params["conv1"][0].data[0, 0, 0, 0] = np.inf
        return losses

    argv = arguments(data, tmp_path, "--iters", "16", "--snapshot", "4", "--test-interval", "4")
    monkeypatch.setattr(training_stage.stepping.Plain, "step", spoil)
    monkeypatch.setattr(train, "schedule", lambda *_: {"pretrain": 1, "train": 14, "finetune": 1})
    monkeypatch.setattr(training_stage.Stage, "_check_weights", lambda self: None)  # would see it first
    monkeypatch.setattr(training_stage.Stage, "_test_loss", lambda self: 1.0)
    monkeypatch.setattr(training_stage.evaluation, "validation_psnr", lambda net, samples: 30.0)
    match = r"train: the weights of conv1 are not finite at iteration 14, .*\(the snapshot of iteration 12 is kept\)"
    with pytest.raises(UserError, match=match):
        train.main(argv)
    found = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.caffemodel"))
    assert found == [
        "pretrain/final.caffemodel", "pretrain/idn_iter_1.caffemodel",
        *(f"train/idn_iter_{n}.caffemodel" for n in (12, 4, 8)),
    ]  # fmt: skip
    monkeypatch.undo()
    monkeypatch.setattr(train, "schedule", lambda *_: {"pretrain": 1, "train": 14, "finetune": 1})
    assert train.main(argv) == 0


def test_a_validation_that_is_not_finite_ends_the_training(data, tmp_path, monkeypatch):
    monkeypatch.setattr(training_stage.Stage, "_test_loss", lambda self: float("nan"))
    with pytest.raises(UserError, match="the validation gives a loss of nan"):
        train.main(arguments(data, tmp_path, "--stage", "pretrain", "--iters", "1"))
    assert not list(tmp_path.rglob("*.caffemodel"))


def test_weights_that_are_not_finite_are_no_start(data, finished, tmp_path):
    net = runtime.build_net(idn(SCALE), finished / "idn" / "IDN_x3.caffemodel")
    net.params["down2"][1].data[3] = np.nan
    net.save(str(tmp_path / "bad.caffemodel"))
    with pytest.raises(UserError, match="bad.caffemodel: layer 'down2' holds values that are not finite"):
        train.main(arguments(data, tmp_path / "run", "--weights", str(tmp_path / "bad.caffemodel")))


def strictly(path):
    """JSON as readers that know no NaN and Infinity take it."""

    def refuse(name):
        raise AssertionError(f"{path}: {name}")

    return json.loads(path.read_text(), parse_constant=refuse)


def test_a_flat_validation_image_is_said_not_stored_as_infinity(data, tmp_path, capsys):
    """Bicubic interpolation of one colour makes no error."""
    (tmp_path / "flat").mkdir()
    assert cv2.imwrite(str(tmp_path / "flat" / "gray.png"), np.full((60, 60, 3), 128, np.uint8))
    argv = arguments(data, tmp_path / "run", "--iters", "3", "--val-images", str(tmp_path / "flat"))
    assert train.main(argv) == 0
    assert "bicubic infinite (an image comes out without any error)" in capsys.readouterr().out
    report = strictly(tmp_path / "run" / "summary.json")
    assert report["bicubic"] is None and report["psnr"] > 0
    assert report["notes"] == [
        "bicubic: infinite, an image of the validation set comes out without any error (a flat one does); null here"
    ]
    assert learning_log.main([str(tmp_path / "run"), "-o", str(tmp_path / "curve.png")]) == 0


def test_a_perfect_net_has_an_infinite_psnr(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(training_stage.evaluation, "validation_psnr", lambda net, samples: float("inf"))
    assert train.main(arguments(data, tmp_path, "--iters", "3")) == 0
    assert "PSNR infinite (an image comes out without any error)" in capsys.readouterr().out
    report = strictly(tmp_path / "summary.json")
    assert report["psnr"] is None and report["notes"][0].startswith("psnr: infinite, ")
    assert all(stage["psnr"] is None for stage in report["stages"].values())
    assert learning_log.main([str(tmp_path), "-o", str(tmp_path / "curve.png")]) == 0


def refusal(argv):
    """One line on stderr and exit status 2, from the command as a user types it."""
    done = subprocess.run([sys.executable, TOOL, *argv], capture_output=True, text=True)
    assert done.returncode == 2, done
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_a_gpu_that_is_not_there_is_an_error(data, tmp_path):
    error = refusal(arguments(data, tmp_path, "--gpu", "0"))
    assert "train.py: gpu 0: " in error and "leave GPU empty to run on the CPU" in error
    assert "gpu 'first'" not in refusal(arguments(data, tmp_path, "--gpu", "0"))
    assert "got 'first', expected the number" in refusal(arguments(data, tmp_path, "--gpu", "first"))
    assert not list(tmp_path.iterdir())


def test_missing_databases_and_images(data, tmp_path):
    assert "no such list of HDF5 files" in refusal(["--scale", "2", "--hdf5-dir", str(data / "hdf5")])
    error = refusal(arguments(data, tmp_path, "--val-images", str(tmp_path / "none")))
    assert "no such folder of images" in error


def test_a_damaged_database_never_reaches_caffe(data, tmp_path):
    shutil.copytree(data / "hdf5", tmp_path / "hdf5")
    shard = tmp_path / "hdf5" / "x3" / "train" / "00000.h5"
    (tmp_path / "hdf5" / "x3" / "train.txt").write_text(f"{shard}\n")
    os.truncate(shard, shard.stat().st_size // 2)
    error = refusal(arguments(data, tmp_path / "run", "--hdf5-dir", str(tmp_path / "hdf5")))
    assert str(shard) in error and "truncated" in error


def test_weights_that_do_not_fit(data, tmp_path):
    other = tmp_path / "other.caffemodel"
    runtime.build_net(idn(SCALE, D3=32, d=8)).save(str(other))
    error = refusal(arguments(data, tmp_path / "a", "--weights", str(other)))
    assert "layer 'conv1' has shapes [(32, 1, 3, 3), (32,)], expected [(64, 1, 3, 3), (64,)]" in error
    other.write_bytes(b"no protobuf at all\0")
    assert "not a .caffemodel that Caffe can read" in refusal(arguments(data, tmp_path / "b", "--weights", str(other)))
    missing = str(tmp_path / "missing.caffemodel")
    assert "no such file" in refusal(arguments(data, tmp_path / "c", "--weights", missing))


HUGE = "9" * 5000


@pytest.mark.parametrize("name", ["--batch", "--snapshot", "--test-interval", "--iters", "--seed"])
@pytest.mark.parametrize("value", ["-1", "4294967296", str(2**64), "1.5", "1e3", "nan", "inf", "", HUGE])
def test_whole_numbers_out_of_range(name, value, capsys):
    with pytest.raises(SystemExit, match="2"):
        train.parse(["--scale", "3", f"{name}={value}"])
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and len(line) < 200
    assert f"argument {name}: got {value[:20]}" in line and "expected a whole number from " in line


@pytest.mark.parametrize("name", ["--batch", "--snapshot", "--test-interval", "--iters"])
@pytest.mark.parametrize("value", ["0", "2147483648"])
def test_counts_out_of_caffes_range(name, value, capsys):
    with pytest.raises(SystemExit, match="2"):
        train.parse(["--scale", "3", name, value])
    assert f"{name}: got {value}, expected a whole number from 1 to 2147483647" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name in ("--lr", "--beta1") for value in ("inf", "-inf", "nan", "-1", "x", "1e400")]
    + [("--lr", value) for value in ("0", "1e-50", "1e31", "1e39")] + [("--beta1", "1"), ("--beta1", "0.99999999")],
)
def test_rates_out_of_range(name, value, capsys):
    """1e-50 is 0 and 1e39 infinite, 0.99999999 is 1 in Caffe's float."""
    with pytest.raises(SystemExit, match="2"):
        train.parse(["--scale", "3", f"{name}={value}"])
    assert f"argument {name}: got {value}, expected a number from " in capsys.readouterr().err


def test_the_longest_schedule_that_caffe_counts(data, tmp_path, capsys):
    for stage in STAGES:
        args = train.parse(["--scale", "3", "--stage", stage, "--iters", str(2**31 - 1), "--seed", str(2**32 - 1)])
        (iterations,) = schedule(args.iters, stage).values()
        settings = settings_of(args, stage, iterations)
        message = training_stage.solver.stage_solver(
            3, stage, iterations=settings.iterations, stepsize=settings.stepsize, seed=settings.seed
        )
        assert message.max_iter == 2**31 - 1 and 250_000 < message.stepsize <= 2**31 - 1


def test_too_few_iterations_and_a_mistake_are_one_line(data, tmp_path):
    assert "iters" in refusal(arguments(data, tmp_path, "--iters", "2"))
    assert "--lr" in refusal(arguments(data, tmp_path, "--lr", "nan"))


@given(st.integers(3, 10**6))
def test_schedule_shares_all_iterations(iterations):
    lengths = schedule(iterations, None)
    assert sum(lengths.values()) == iterations and min(lengths.values()) >= 1
    assert list(lengths) == list(STAGES)


def test_schedule_is_the_papers_without_iters():
    assert schedule(None, None) == {"pretrain": 100_000, "train": 600_000, "finetune": 20_000}
    assert schedule(72, "finetune") == {"finetune": 72}
    with pytest.raises(UserError, match="iters: got 2, expected at least 3"):
        schedule(2, None)


def test_a_damaged_log_is_refused(tmp_path):
    (tmp_path / "log.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="not a training log; expected the columns stage,iteration"):
        Log(tmp_path / "log.csv")


ODD = os.fsdecode(b"caf\xe9 \xff \xd0\xb2")  # Latin-1 and a blank: not UTF-8


@pytest.mark.parametrize("name", ["with a blank", ODD, "\u0432\u0435\u0441\u0430 \u65e5\u672c", "tab\tin"])
def test_any_name_of_folders_and_weights(data, finished, tmp_path, name):
    """The run is killed in the middle, so that the state is restored by such a name as well."""
    shutil.copytree(data, tmp_path / name / "data")
    hdf5.write_list(tmp_path / name / "data" / "hdf5" / "x3" / "finetune")
    hdf5.write_list(tmp_path / name / "data" / "hdf5" / "x3" / "val")
    shutil.copy(finished / "idn" / "IDN_x3.caffemodel", tmp_path / f"{name}.caffemodel")
    argv = arguments(
        tmp_path / name / "data", tmp_path / name / "run", "--stage", "finetune", "--iters", "4", "--snapshot", "2",
        "--weights", str(tmp_path / f"{name}.caffemodel"),
    )  # fmt: skip
    done = subprocess.run([sys.executable, TOOL, *argv], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    run = tmp_path / name / "run"
    shutil.copy(run / "finetune" / "final.caffemodel", tmp_path / "whole.caffemodel")
    for left in ("final.caffemodel", "idn_iter_4.caffemodel", "idn_iter_4.solverstate"):
        (run / "finetune" / left).unlink()
    assert train.main(argv) == 0
    assert_same_weights(run / "finetune" / "final.caffemodel", tmp_path / "whole.caffemodel")
    assert strictly(run / "summary.json")["psnr"] > 0


def test_names_do_not_matter(data, finished, tmp_path):
    """The same weights as by plain names."""
    for name in ("plain", ODD):
        argv = arguments(data, tmp_path / name, "--stage", "pretrain", "--iters", "3")
        assert train.main(argv) == 0
    assert_same_weights(*(tmp_path / name / "idn" / "IDN_x3.caffemodel" for name in ("plain", ODD)))


def cut_short(path):
    os.truncate(path, 100)


def in_another_encoding(path):
    path.write_bytes(b"\xff\xfe{")


@pytest.mark.parametrize("damage", [cut_short, in_another_encoding])
def test_damaged_settings_are_one_line(data, finished, tmp_path, damage):
    shutil.copytree(finished, tmp_path / "run")
    damage(tmp_path / "run" / "train" / "settings.json")
    with pytest.raises(UserError, match="settings.json: damaged, expected what this stage was started with"):
        train.main(arguments(data, tmp_path / "run", "--iters", "43"))


def dated_back(run, *names):
    for name in names:
        (run / name).unlink(missing_ok=True)


@pytest.mark.parametrize("lost", [("summary.json",), ("summary.json", "idn/IDN_x3.caffemodel", "learning_curve.png")])
def test_what_a_kill_after_the_last_stage_left_out_is_made_up_for(data, finished, tmp_path, lost):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    dated_back(run, *lost)
    assert train.main(arguments(data, run, "--iters", "43")) == 0
    report, whole = strictly(run / "summary.json"), strictly(finished / "summary.json")
    for name in ("stages", "psnr", "bicubic", "hours", "weights_sha256", "validation"):
        assert report[name] == pytest.approx(whole[name], rel=1e-4) if name in ("psnr", "hours") else True
    assert report["stages"].keys() == whole["stages"].keys() and report["weights_sha256"] == whole["weights_sha256"]
    assert report["peak_memory_mb"] is None  # this call did not train
    assert all((run / name).is_file() for name in lost)


def test_a_summary_of_other_weights_is_renewed(data, finished, tmp_path):
    """A kill after a longer schedule's last stage, in a folder that had been summed up before."""
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    (run / "summary.json").write_text(json.dumps({**strictly(finished / "summary.json"), "weights_sha256": "0"}))
    assert train.main(arguments(data, run, "--iters", "43")) == 0
    assert strictly(run / "summary.json")["weights_sha256"] == file_sha256(run / "idn" / "IDN_x3.caffemodel")


def test_without_its_log_a_finished_run_is_summed_up(data, finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    dated_back(tmp_path / "run", "summary.json", "log.csv")
    assert train.main(arguments(data, tmp_path / "run", "--iters", "43")) == 0
    assert strictly(tmp_path / "run" / "summary.json")["psnr"] is None


def hidden(folder):
    return [str(path.relative_to(folder)) for path in folder.rglob(".*")]


def test_what_killed_runs_left_is_cleaned_at_the_next_start(data, finished, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    (run / "train" / ".part").mkdir(exist_ok=True)
    for left in ("train/.part/idn_iter_9.caffemodel", "train/.idn_iter_9.solverstate.part", ".log.999999999.part.csv",
                 "idn/.IDN_x3.999999999.part.caffemodel", "finetune/.final.999999999.part.caffemodel"):  # fmt: skip
        (run / left).write_bytes(b"half")
    assert train.main(arguments(data, run, "--iters", "43")) == 0
    assert hidden(run) == []


def test_a_finished_run_leaves_nothing_hidden(finished):
    assert hidden(finished) == []


def tried(argv, limit=None):
    """A run of the tool under `limit`, code that is run first: its CompletedProcess."""
    end = "cli.run(lambda: train.main(sys.argv[1:]))"
    script = f"import sys, resource; from tools.common import cli; from tools import train\n{limit or ''}\n{end}"
    return subprocess.run([sys.executable, "-c", script, *argv], cwd=train.ROOT, capture_output=True, text=True)


@pytest.mark.parametrize("megabytes", [0.0001, 0.005, 1, 3])
def test_a_disk_that_takes_no_more(data, tmp_path, megabytes):
    """Settings and nets, the log, a snapshot's weights, its state: each ends the run by one line with its name."""
    argv = arguments(data, tmp_path, "--stage", "pretrain", "--iters", "2", "--snapshot", "1")
    size = int(megabytes * 1e6)
    done = tried(argv, f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, -1))")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done
    assert str(tmp_path) in done.stderr and done.stderr.endswith(": File too large\n")
    assert not list(tmp_path.rglob("*.caffemodel")) and hidden(tmp_path) == []
    assert train.main(argv) == 0
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("room", [100, 7000, 7600, 9900, 14200, 15500])
def test_a_full_disk(data, small_disk, room):
    """A real one of 8 MB; earlier snapshots stay, and with room again the run goes on to the same weights."""
    subprocess.run(["mount", "-o", f"remount,size={room}k", small_disk], check=True)
    argv = arguments(data, small_disk / "run", "--stage", "pretrain", "--iters", "3", "--snapshot", "1")
    done = tried(argv)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done
    assert str(small_disk) in done.stderr and done.stderr.endswith(": No space left on device\n")
    shapes = runtime.param_shapes(runtime.build_net(idn(SCALE)))
    whole = snapshots.newest_whole(small_disk / "run" / "pretrain", shapes)
    assert (whole is None) == (room < 7000) and hidden(small_disk) == []
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    assert train.main(argv) == 0
    assert hidden(small_disk) == []


@pytest.mark.parametrize(
    ("limit", "batch", "message"),
    [
        ("", "2147483647", "a blob of more than 2^31-1 values, which Caffe cannot count; expected at most 119,304"),
        ("", "100000", "pairs of pretrain at x3 take about 535,0"),
        ("from prototxt.engine import caffe\ncaffe.Net\n"  # loads it
         "soft = int(open('/proc/self/statm').read().split()[0]) * 4096 + 10**8\n"
         "resource.setrlimit(resource.RLIMIT_AS, (soft, soft))", "64", "within `ulimit -v` are free; "),
    ],
)  # fmt: skip
def test_a_batch_that_does_not_fit_is_one_line(data, tmp_path, limit, batch, message):
    """119,304 = (2^31 - 1) // 18,000: conv3_6 has 80 maps of 15 x 15 pixels."""
    done = tried(arguments(data, tmp_path, "--iters", "3", "--batch", batch), limit)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done
    assert message in done.stderr and not list(tmp_path.iterdir())


def test_memory_of_a_batch_is_foretold(data, tmp_path):
    """Two real trainings; what the larger batch takes more is what the pairs are said to take."""
    peaks = {}
    for batch in (4, 64):
        out = tmp_path / str(batch)
        done = tried(arguments(data, out, "--stage", "pretrain", "--iters", "1", "--batch", str(batch)))
        assert done.returncode == 0, done
        peaks[batch] = strictly(out / "summary.json")["peak_memory_mb"]
    each, _ = needed_memory.pair_bytes(SCALE, "pretrain")
    assert (peaks[64] - peaks[4]) * 2**20 / 60 == pytest.approx(each, rel=0.15)


def in_small_shards(data, tmp_path):
    argv = ["--scale", "3", "--stage", "train", "--data-dir", data, "--out", tmp_path / "hdf5", "--shard-mb", "1.1"]
    assert prepare_data.main([str(a) for a in argv]) == 0
    shutil.copytree(data / "hdf5" / "x3" / "val", tmp_path / "hdf5" / "x3" / "val")
    hdf5.write_list(tmp_path / "hdf5" / "x3" / "val")
    return tmp_path / "hdf5"


@pytest.mark.parametrize("change", ["removed", "replaced"])
def test_a_shard_that_goes_while_training(data, tmp_path, monkeypatch, change):
    """Caffe opens the shards in turn, and ends the process where one is missing."""
    folder = in_small_shards(data, tmp_path)
    argv = arguments(data, tmp_path / "run", "--stage", "pretrain", "--iters", "24", "--hdf5-dir", str(folder))
    shard = folder / "x3" / "train" / "00002.h5"
    kept, step = shard.read_bytes(), training_stage.stepping.Plain.step

    def disturbed(self, count):
        if self.solver.iter == 5:
            shard.unlink()
            if change == "replaced":
                shutil.copy(folder / "x3" / "train" / "00001.h5", shard)
        return step(self, count)

    monkeypatch.setattr(training_stage.stepping.Plain, "step", disturbed)
    with pytest.raises(UserError, match=r"00002.h5: was .*; put the database back and run the same command"):
        train.main(argv)
    monkeypatch.undo()
    shard.write_bytes(kept)
    assert train.main([*argv, "--snapshot", "24"]) == 0
    undisturbed = arguments(data, tmp_path / "b", "--stage", "pretrain", "--iters", "24", "--hdf5-dir", str(folder))
    assert train.main(undisturbed) == 0
    assert_same_weights(*(tmp_path / name / "pretrain" / "final.caffemodel" for name in ("run", "b")))


def test_a_shard_that_is_locked(data, tmp_path):
    shard = data / "hdf5" / "x3" / "val" / "00000.h5"
    with h5py.File(shard, "r+"):
        error = refusal(arguments(data, tmp_path, "--iters", "3"))
    assert f"{shard}: locked by another process" in error and "HDF5_USE_FILE_LOCKING=FALSE" in error
