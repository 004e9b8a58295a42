"""Training from the images themselves: the weights of any number of workers, of a run that was killed; one line."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
from google.protobuf import text_format

from data_prep.geometry import geometry
from data_prep.plan import gather, make_plan
from data_prep.shard_list import read_list
from data_prep.stream import Stream
from prototxt.engine import caffe
from tools import train
from tools.common.errors import UserError
from tools.nets import caffemodels
from tools.training import databases, image_feed, image_source, stepping
from tools.training import subject as subjects
from tools.training.from_images import FromImages


@pytest.fixture
def data(training, tmp_path):
    """A data folder of this test's own, without databases."""
    for name in ("291", "Set5"):
        shutil.copytree(training.data / name, tmp_path / "data" / name)
    return tmp_path / "data"


def arguments(data, out, *more):
    """A run of pretrain: 24 iterations of 16 pairs, which is more than one window of the three pictures' pairs."""
    return [
        "--scale", "3", "--data-dir", str(data), "--from-images", str(data / "291"), "--out", str(out),
        "--stage", "pretrain", "--iters", "24", "--batch", "16", "--snapshot", "8", "--test-interval", "24", *more,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(training, tmp_path_factory):
    """Folder of a run from the images that nothing disturbs, by one worker."""
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    assert train.main(arguments(training.data, out, "--workers", "1")) == 0
    return out


def final(out):
    return out / "pretrain" / "final.caffemodel"


def test_no_database_is_needed_and_what_was_read_is_said(training, undisturbed):
    total = make_plan(gather(training.data / "291"), geometry(3, "train")).total
    tests = make_plan(gather(training.data / "Set5"), geometry(3, "val")).pairs
    found = training.read_json(undisturbed / "summary.json")
    assert found["pairs"] == {"train": total, "val": tests}
    assert found["images"]["train"] == "3 of 291, without a database"
    recorded = training.read_json(undisturbed / "pretrain" / "settings.json")["data"]
    window = recorded["window"]
    assert recorded["cut_from"] == "images" and total - 16 < window <= total and window < 24 * 16
    assert image_feed._open == {}


def test_the_loss_on_the_validation_pairs_is_that_of_their_database(training, undisturbed, tmp_path):
    """The same weights, judged by a stage of one iteration with a rate of next to nothing."""
    weights = ["--weights", str(final(undisturbed)), "--lr", "1e-30", "--iters", "1", "--test-interval", "1"]
    assert train.main(arguments(training.data, tmp_path / "images", *weights)) == 0
    assert training.run(tmp_path / "hdf5", "--stage", "pretrain", *weights) == 0
    rows = [(tmp_path / name / "log.csv").read_text().splitlines()[-1].split(",") for name in ("images", "hdf5")]
    assert rows[0][-2:] == rows[1][-2:] and float(rows[0][-2]) > 0


def test_kept_pairs_are_the_validation_database(training):
    plan = make_plan(gather(training.data / "Set5"), geometry(3, "val"))
    feed, (path,) = image_feed.Kept(plan), read_list(training.data / "hdf5/x3/val.txt")
    out = {name: np.empty((2, 1, side, side), np.float32) for name, side in plan.geometry.sides.items()}
    with h5py.File(path) as file:
        for start in (*range(0, plan.pairs, 2), 0):  # and from the beginning again
            feed.read(out, 0, 1)
            for name, array in out.items():
                assert np.array_equal(array, file[name][start : start + 2])


def test_killed_run_goes_on_to_the_very_same_weights(training, undisturbed, tmp_path):
    """kill -9 after the first snapshot, then the same command with another number of workers."""
    argv = arguments(training.data, tmp_path / "killed", "--workers", "2")
    process = training.process(argv)
    training.wait_for(tmp_path / "killed/pretrain/idn_iter_8.solverstate", process)
    process.kill()
    process.communicate()
    assert not final(tmp_path / "killed").exists()
    again = training.process([*argv[:-1], "1"])
    out, err = again.communicate()
    assert again.returncode == 0 and "resuming from idn_iter_" in out, err
    training.assert_same_weights(final(undisturbed), final(tmp_path / "killed"))


@pytest.mark.parametrize("change", ["gone", "changed"])
def test_an_image_that_changes_while_training(training, data, undisturbed, tmp_path, monkeypatch, change):
    """One line with its name and a snapshot; when it is back, the run goes on to the same weights."""
    path, out = data / "291" / "1.png", tmp_path / "run"
    kept, step = path.read_bytes(), stepping.Plain.step

    def disturbed(self, count):
        if self.solver.iter == 5:
            path.unlink() if change == "gone" else shutil.copy(data / "291" / "2.png", path)
        return step(self, count)

    monkeypatch.setattr(stepping.Plain, "step", disturbed)
    said = {"gone": "cannot be read", "changed": "changed while it was being used"}[change]
    with pytest.raises(UserError, match=rf"1.png: {said}.*; put that right and run the same command to continue"):
        train.main(arguments(data, out))
    monkeypatch.undo()
    assert list((out / "pretrain").glob("idn_iter_*.solverstate")) and not final(out).exists()
    path.write_bytes(kept)
    assert train.main(arguments(data, out)) == 0
    training.assert_same_weights(final(undisturbed), final(out))


def test_a_worker_that_is_killed_ends_the_run_in_one_line(training, tmp_path, monkeypatch):
    step = stepping.Plain.step

    def disturbed(self, count):
        if self.solver.iter == 5:
            (feed,) = [one for one in image_feed._open.values() if isinstance(one, image_feed.Streamed)]
            os.kill(next(iter(feed._stream._pool._processes)), signal.SIGKILL)
        return step(self, count)

    monkeypatch.setattr(stepping.Plain, "step", disturbed)
    with pytest.raises(UserError, match=r"a process that cuts training pairs was killed.* run the same command"):
        train.main(arguments(training.data, tmp_path / "run", "--workers", "2"))
    assert image_feed._open == {}


def test_other_images_are_refused_when_a_run_goes_on(data, tmp_path):
    assert train.main(arguments(data, tmp_path / "run", "--iters", "1")) == 0
    (data / "291" / "2.png").unlink()
    with pytest.raises(UserError, match=r"was started with other settings \(data .*give the same to continue"):
        train.main(arguments(data, tmp_path / "run", "--iters", "1"))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--from-images", "nowhere"), "nowhere: no such folder of images"),
        (("--from-images", "small"), "small: 0 pairs from 1 images, expected at least one batch of 64"),
        (("--from-images", "bad"), "0.png: not a picture"),
        (("--workers", "0"), "argument --workers: got 0, expected a whole number from 1 to 1024"),
    ],
)
def test_what_cannot_be_trained_on_is_one_line(training, data, tmp_path, more, said):
    (tmp_path / "small").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "0.png").write_bytes(b"no picture")
    (tmp_path / "small" / "0.png").write_bytes(picture_of_one_pixel())
    more = [str(tmp_path / word) if (tmp_path / word).exists() or word == "nowhere" else word for word in more]
    process = training.process(arguments(data, tmp_path / "run", *more))
    _, err = process.communicate()
    assert process.returncode == 2 and err.count("\n") <= 2 and said in err.splitlines()[-1], err


def picture_of_one_pixel():
    return cv2.imencode(".png", np.zeros((1, 1, 3), np.uint8))[1].tobytes()


def test_workers_are_for_images_alone(training, tmp_path):
    with pytest.raises(UserError, match="workers: cut the images of --from-images"):
        train.main(training.arguments(tmp_path, "--workers", "2"))


def test_each_rank_has_its_share_of_the_one_stream(training):
    """Two ranks with 3 pairs each have, together, the 6 pairs of one process in their order."""
    plan = make_plan(gather(training.data / "291"), geometry(3, "train"), 1)
    with Stream(plan, 1, 1) as stream:
        whole = stream.read(6, 6)["data"]
    for rank in range(2):
        feed = image_feed.Streamed(plan, 1)
        for _ in range(2):  # the second iteration
            out = {name: np.empty((3, 1, side, side), np.float32) for name, side in plan.geometry.sides.items()}
            feed.read(out, rank, 2)
        feed.close()
        assert np.array_equal(out["data"], whole[rank::2]) and feed.place == 12


def test_two_processes_train_as_one_does(training, undisturbed, tmp_path):
    """Each cuts its share of every batch.

    Sums in another order, which Adam magnifies, move the weights by 1e-4 of their norm (measured); other pairs would
    by 4e-2.
    """
    process = training.process(arguments(training.data, tmp_path / "two", "--workers", "1", "--processes", "2"))
    _, err = process.communicate()
    assert process.returncode == 0, err
    one, two = (weights(final(out)) for out in (undisturbed, tmp_path / "two"))
    assert np.linalg.norm(one - two) < 1e-3 * np.linalg.norm(one)


@pytest.mark.parametrize(("method", "scale"), [("VDSR", 3), ("LapSRN", 4), ("FSRCNN", 3)])
def test_other_methods_nets_read_images_too(training, tmp_path, method, scale):
    """Their data layers have other tops, and sources for factors that are mixed."""
    for number in range(4):
        shutil.copy(training.data / "Set5" / "0.png", tmp_path / f"{number}.png")
    subject = subjects.Subject(subjects.METHODS[method], scale)
    found = databases.check(FromImages(training.data / "291", tmp_path, 1), subject, ["train"])
    net = subject.train_net("train", found["train"].name_for_caffe(), found["val"].name_for_caffe(), 4)
    for layer, name in zip(net.layer[:2], ("train", "val")):
        assert (layer.type, list(layer.top)) == ("Python", list(subject.cut(name).sides))
        source, _, tops = image_source.of_parameter(layer.python_param.param_str)
        assert source == found[name].name_for_caffe() and tops == list(layer.top)
        assert image_source.plan_of(source).identity() == found[name].plan.identity()


def test_caffe_alone_runs_the_net(training, undisturbed, tmp_path):
    """The net's file is complete: Caffe reads it with nothing of the trainer but the checkout on its path."""
    script = (
        "import sys, caffe\n"
        "net = caffe.Net(sys.argv[1].encode(), caffe.TRAIN)\n"
        "net.forward()\nprint(net.blobs['data'].data.shape, float(net.blobs['label'].data.mean()))"
    )
    path = undisturbed / "pretrain" / "net.prototxt"
    environment = {**os.environ, "PYTHONPATH": str(train.ROOT)}
    command = [sys.executable, "-c", script, path]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0 and done.stdout.startswith("(16, 1, 15, 15) 0."), done.stderr
    changed = tmp_path / "net.prototxt"
    about = json.loads(image_source.of_parameter(parameter(path))[0][len(image_source.MARK) :])
    changed.write_text(path.read_text().replace(about["sha256"], "0" * 64))
    done = subprocess.run([*command[:-1], changed], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode and "has other images than when this net's file was written" in done.stderr


def parameter(path):
    net = text_format.Parse(Path(path).read_text(), caffe.proto.caffe_pb2.NetParameter())
    return net.layer[0].python_param.param_str


def weights(path):
    model = caffemodels.read(path)
    return np.concatenate([np.array(blob.data) for layer in model.layer for blob in layer.blobs])
