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

from prototxt.idn import idn
from tools import caffe_runtime, cli, learning_log, prepare_data, snapshots, train
from tools.cli import UserError

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
    model = caffe_runtime.read_caffemodel(path)
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
    settings = {s: json.loads((finished / s / "settings.json").read_text()) for s in train.STAGES}
    assert {s: settings[s]["iterations"] for s in train.STAGES} == {"pretrain": 5, "train": 37, "finetune": 1}
    assert settings["pretrain"]["start"] == "random"
    assert settings["train"]["start"] == train.sha256(finished / "pretrain" / "final.caffemodel")
    assert settings["finetune"]["start"] == train.sha256(finished / "train" / "final.caffemodel")
    assert settings["finetune"]["base_lr"] == pytest.approx(settings["train"]["base_lr"] / 10)
    assert_same_weights(finished / "idn" / "IDN_x3.caffemodel", finished / "finetune" / "final.caffemodel")


def test_learning_log_has_loss_rate_and_psnr(finished):
    rows = learning_log.read(finished / "log.csv")
    last = [r for r in rows if r["stage"] == "train"][-1]
    assert last["iteration"] == 37
    assert last["learning_rate"] == pytest.approx(1e-6)  # the steps at 15 and 31 of 37, as 250,000 of 600,000
    assert last["loss"] > 0 and last["iterations_per_second"] > 0
    assert [r["iteration"] for r in rows if r["stage"] == "train" and "psnr" in r] == [12, 24, 36, 37]
    assert cv2.imread(str(finished / "learning_curve.png")).std() > 1


def test_summary_says_what_was_run(finished):
    report = json.loads((finished / "summary.json").read_text())
    rows = learning_log.read(finished / "log.csv")
    assert report["psnr"] == pytest.approx(rows[-1]["psnr"], rel=1e-5) and report["bicubic"] > 20
    assert {name: stage["iterations"] for name, stage in report["stages"].items()} == {
        "pretrain": 5, "train": 37, "finetune": 1
    }  # fmt: skip
    assert report["command"].startswith("tools/train.py --scale 3 ") and "/tmp" not in report["command"]
    assert report["peak_memory_mb"] > 100
    assert report["weights_sha256"] == train.sha256(finished / "idn" / "IDN_x3.caffemodel")


def test_training_learns(data, tmp_path):
    argv = arguments(data, tmp_path, "--stage", "pretrain", "--iters", "40", "--lr", "1e-3", "--test-interval", "1")
    train.main(argv)
    rows = [r for r in learning_log.read(tmp_path / "log.csv") if "psnr" in r]
    assert rows[-1]["test_loss"] < 0.7 * rows[0]["test_loss"]
    assert rows[-1]["psnr"] > rows[0]["psnr"] + 1


def test_logged_test_loss_is_the_mean_absolute_error_of_the_validation_set(data, finished):
    """Computed again in numpy from the HDF5 file and the snapshot's weights."""
    (row,) = [r for r in learning_log.read(finished / "log.csv") if r["stage"] == "train" and r["iteration"] == 37]
    net = caffe_runtime.build_net(idn(SCALE, input_shape=(11, 11)), finished / "train" / "final.caffemodel")
    with h5py.File(data / "hdf5" / "x3" / "val" / "00000.h5") as file:
        lr, label, bic = (file[name][:] for name in ("data", "label", "bic"))
    errors = []
    for x, y, b in zip(lr, label, bic):
        net.blobs["data"].data[0] = x
        errors.append(np.abs(net.forward()["upsample"][0] + b - y).sum())
    assert row["test_loss"] == pytest.approx(np.mean(errors), rel=1e-4)


def test_logged_psnr_is_the_benchmark_tools(data, finished, tmp_path):
    from tools import benchmark

    rows = [r for r in learning_log.read(finished / "log.csv") if r["stage"] == "finetune"]
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
    logs = [learning_log.read(tmp_path / name / "log.csv") for name in ("whole", "killed")]
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
    shapes = caffe_runtime.param_shapes(caffe_runtime.build_net(idn(SCALE)))
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
    shapes = caffe_runtime.param_shapes(caffe_runtime.build_net(idn(SCALE)))
    assert snapshots.newest_whole(tmp_path / "train", shapes)[1] == 37
    newest = tmp_path / "train" / f"idn_iter_37{suffix}"
    os.truncate(newest, int(newest.stat().st_size * kept))
    assert snapshots.newest_whole(tmp_path / "train", shapes)[1] == 30


def test_a_solverstate_cut_between_two_fields_is_passed_over(finished, tmp_path):
    """Such a file parses; it lacks some of Adam's moments."""
    shutil.copytree(finished / "train", tmp_path / "train")
    path = tmp_path / "train" / "idn_iter_37.solverstate"
    state = caffe_runtime.read_solverstate(path)
    assert len(state.history) == 2 * 62  # 31 layers, weights and biases
    del state.history[100:]
    path.write_bytes(state.SerializeToString())
    shapes = caffe_runtime.param_shapes(caffe_runtime.build_net(idn(SCALE)))
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
    with train.claimed(tmp_path / "run"), pytest.raises(UserError, match="another training is at work in this folder"):
        train.main(arguments(data, tmp_path / "run", "--iters", "3"))


def test_a_diverged_training_says_so(data, tmp_path):
    argv = arguments(data, tmp_path, "--stage", "pretrain", "--iters", "50", "--lr", "1e30")
    with pytest.raises(UserError, match=r"the loss is (nan|inf) at iteration \d+, .* lower the learning rate"):
        train.main(argv)


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
    caffe_runtime.build_net(idn(SCALE, D3=32, d=8)).save(str(other))
    error = refusal(arguments(data, tmp_path / "a", "--weights", str(other)))
    assert "layer 'conv1' has shapes [(32, 1, 3, 3), (32,)], expected [(64, 1, 3, 3), (64,)]" in error
    other.write_bytes(b"no protobuf at all\0")
    assert "not a .caffemodel that Caffe can read" in refusal(arguments(data, tmp_path / "b", "--weights", str(other)))
    missing = str(tmp_path / "missing.caffemodel")
    assert "no such file" in refusal(arguments(data, tmp_path / "c", "--weights", missing))


@pytest.mark.parametrize("option", [("--batch", "0"), ("--snapshot", "-1"), ("--lr", "0"), ("--iters", "2")])
def test_values_out_of_range(data, tmp_path, option):
    assert option[0].strip("-") in refusal(arguments(data, tmp_path, *option))


@given(st.integers(3, 10**6))
def test_schedule_shares_all_iterations(iterations):
    lengths = train.schedule(iterations, None)
    assert sum(lengths.values()) == iterations and min(lengths.values()) >= 1
    assert list(lengths) == list(train.STAGES)


def test_schedule_is_the_papers_without_iters():
    assert train.schedule(None, None) == {"pretrain": 100_000, "train": 600_000, "finetune": 20_000}
    assert train.schedule(72, "finetune") == {"finetune": 72}
    with pytest.raises(cli.UserError, match="iters: got 2, expected at least 3"):
        train.schedule(2, None)


def test_a_damaged_log_is_refused(tmp_path):
    (tmp_path / "log.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="not a training log; expected the columns stage,iteration"):
        learning_log.Log(tmp_path / "log.csv")
