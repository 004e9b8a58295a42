"""A stage on real Caffe: it learns, logs, goes on to the same bits, and ends when it diverges."""

import shutil
import signal

import h5py
import numpy as np
import pytest

from data_prep import shard_list
from prototxt.idn import idn
from tools import prepare_data, train
from tools.common.errors import UserError
from tools.methods import evaluation
from tools.nets import runtime
from tools.training import plan, stepping
from tools.training.log import read
from tools.training.stage import Stage


def test_training_learns(training, tmp_path):
    argv = training.arguments(tmp_path, "--stage", "pretrain", "--iters", "40", "--lr", "1e-3", "--test-interval", "1")
    train.main(argv)
    rows = [r for r in read(tmp_path / "log.csv") if "psnr" in r]
    assert rows[-1]["test_loss"] < 0.7 * rows[0]["test_loss"]
    assert rows[-1]["psnr"] > rows[0]["psnr"] + 1


def test_logged_test_loss_is_the_mean_absolute_error_of_the_validation_set(training, finished):
    """Computed again in numpy from the HDF5 file and the snapshot's weights."""
    (row,) = [r for r in read(finished / "log.csv") if r["stage"] == "train" and r["iteration"] == 37]
    net = runtime.build_net(idn(training.scale, input_shape=(11, 11)), finished / "train" / "final.caffemodel")
    with h5py.File(training.data / "hdf5" / "x3" / "val" / "00000.h5") as file:
        lr, label, bic = (file[name][:] for name in ("data", "label", "bic"))
    errors = []
    for x, y, b in zip(lr, label, bic):
        net.blobs["data"].data[0] = x
        errors.append(np.abs(net.forward()["upsample"][0] + b - y).sum())
    assert row["test_loss"] == pytest.approx(np.mean(errors), rel=1e-4)


def test_a_diverged_training_says_so(training, tmp_path):
    argv = training.arguments(tmp_path, "--stage", "pretrain", "--iters", "50", "--lr", "1e30")
    with pytest.raises(UserError, match=r"the loss is (nan|inf) at iteration 2, .* diverged \(there is no snapshot\)"):
        train.main(argv)


@pytest.mark.parametrize("iterations", [1, 2])
@pytest.mark.parametrize("rate", ["1e30", "1"])
def test_a_training_that_diverges_in_its_last_update_is_not_finished(training, tmp_path, rate, iterations):
    """The loss is taken before the update, so that at iteration 1 it says nothing."""
    argv = training.arguments(tmp_path, "--stage", "pretrain", "--iters", str(iterations), "--lr", rate)
    with pytest.raises(UserError, match="the training has diverged"):
        train.main(argv)
    assert not list(tmp_path.rglob("*.caffemodel")) and not (tmp_path / "summary.json").exists()


def test_a_diverged_stage_keeps_the_good_snapshots_and_the_stage_before(training, tmp_path, monkeypatch):
    """The weights are spoilt between two iterations, as one wild update does; the loss stays finite."""
    step = stepping.Plain.step

    def spoil(self, count):
        losses = step(self, count)
        if self.solver.iter == 14:
            self.solver.net.params["conv1"][0].data[0, 0, 0, 0] = np.inf
        return losses

    argv = training.arguments(tmp_path, "--iters", "16", "--snapshot", "4", "--test-interval", "4")
    monkeypatch.setattr(stepping.Plain, "step", spoil)
    monkeypatch.setattr(plan, "schedule", lambda *_: {"pretrain": 1, "train": 14, "finetune": 1})
    monkeypatch.setattr(Stage, "_check_weights", lambda self: None)  # would see it first
    monkeypatch.setattr(Stage, "_test_loss", lambda self: 1.0)
    monkeypatch.setattr(evaluation, "validation_psnr", lambda *_: 30.0)
    match = r"train: the weights of conv1 are not finite at iteration 14, .*\(the snapshot of iteration 12 is kept\)"
    with pytest.raises(UserError, match=match):
        train.main(argv)
    found = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.caffemodel"))
    assert found == [
        "pretrain/final.caffemodel", "pretrain/idn_iter_1.caffemodel",
        *(f"train/idn_iter_{n}.caffemodel" for n in (12, 4, 8)),
    ]  # fmt: skip
    monkeypatch.undo()
    monkeypatch.setattr(plan, "schedule", lambda *_: {"pretrain": 1, "train": 14, "finetune": 1})
    assert train.main(argv) == 0


def test_a_validation_that_is_not_finite_ends_the_training(training, tmp_path, monkeypatch):
    monkeypatch.setattr(Stage, "_test_loss", lambda self: float("nan"))
    with pytest.raises(UserError, match="the validation gives a loss of nan"):
        training.run(tmp_path, "--stage", "pretrain", "--iters", "1")
    assert not list(tmp_path.rglob("*.caffemodel"))


def test_killed_run_goes_on_to_the_very_same_weights(training, tmp_path):
    """Adam's moments, the iteration and the place in the database are restored: no bit differs."""
    more = ("--stage", "pretrain", "--iters", "30", "--snapshot", "10", "--batch", "5")
    assert training.run(tmp_path / "whole", *more) == 0
    killed = training.arguments(tmp_path / "killed", *more)
    process = training.process(killed)
    training.wait_for(tmp_path / "killed" / "pretrain" / "idn_iter_10.solverstate", process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "killed" / "pretrain" / "final.caffemodel").exists()
    assert train.main(killed) == 0
    training.assert_same_weights(*(tmp_path / name / "pretrain" / "final.caffemodel" for name in ("whole", "killed")))
    logs = [read(tmp_path / name / "log.csv") for name in ("whole", "killed")]
    columns = ("stage", "iteration", "learning_rate", "psnr")
    rows = [[[row.get(c) for c in columns] for row in log] for log in logs]
    assert rows[0] == rows[1] and len(rows[0]) == 30
    # the printed loss is a sum that OpenBLAS adds in an order that depends on where the array lies in memory
    losses = [[row["loss"] for row in log] for log in logs]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_a_moved_run_folder_goes_on(training, finished, tmp_path, capsys):
    """The solverstate names its weights by path; the run must not need the old place."""
    shutil.copytree(finished, tmp_path / "moved")
    for name in ("train/final.caffemodel", "train/idn_iter_37.solverstate"):
        (tmp_path / "moved" / name).unlink()
    shutil.rmtree(tmp_path / "moved" / "finetune")
    hidden = finished.with_name("elsewhere")
    finished.rename(hidden)
    try:
        assert training.run(tmp_path / "moved", "--iters", "43") == 0
    finally:
        hidden.rename(finished)
    assert "train: resuming from idn_iter_30.solverstate" in capsys.readouterr().out
    training.assert_same_weights(*(d / "train" / "final.caffemodel" for d in (finished, tmp_path / "moved")))


def in_small_shards(training, tmp_path):
    argv = ["--scale", "3", "--stage", "train", "--data-dir", training.data]
    argv += ["--out", tmp_path / "hdf5", "--shard-mb", "1.1"]
    assert prepare_data.main([str(a) for a in argv]) == 0
    shutil.copytree(training.data / "hdf5" / "x3" / "val", tmp_path / "hdf5" / "x3" / "val")
    shard_list.write_list(tmp_path / "hdf5" / "x3" / "val")
    return tmp_path / "hdf5"


@pytest.mark.parametrize("change", ["removed", "replaced"])
def test_a_shard_that_goes_while_training(training, tmp_path, monkeypatch, change):
    """Caffe opens the shards in turn, and ends the process where one is missing."""
    folder = in_small_shards(training, tmp_path)
    argv = training.arguments(tmp_path / "run", "--stage", "pretrain", "--iters", "24", "--hdf5-dir", str(folder))
    shard = folder / "x3" / "train" / "00002.h5"
    kept, step = shard.read_bytes(), stepping.Plain.step

    def disturbed(self, count):
        if self.solver.iter == 5:
            shard.unlink()
            if change == "replaced":
                shutil.copy(folder / "x3" / "train" / "00001.h5", shard)
        return step(self, count)

    monkeypatch.setattr(stepping.Plain, "step", disturbed)
    with pytest.raises(UserError, match=r"00002.h5: was .*; put the database back and run the same command"):
        train.main(argv)
    monkeypatch.undo()
    shard.write_bytes(kept)
    assert train.main([*argv, "--snapshot", "24"]) == 0
    undisturbed = training.arguments(tmp_path / "b", "--stage", "pretrain", "--iters", "24", "--hdf5-dir", str(folder))
    assert train.main(undisturbed) == 0
    training.assert_same_weights(*(tmp_path / name / "pretrain" / "final.caffemodel" for name in ("run", "b")))
