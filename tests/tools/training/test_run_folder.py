"""The folder of a run: one training at a time, with the same settings, cleaned of what a kill left."""

import os
import shutil

import pytest

from tools import prepare_data
from tools.common.errors import UserError
from tools.training import run_folder


def test_other_settings_do_not_go_on(training, finished):
    with pytest.raises(UserError, match=r"other settings \(beta1 0.0 then, 0.9 now\); give the same"):
        training.run(finished, "--iters", "43", "--beta1", "0.9")


def test_other_data_do_not_go_on(training, finished, tmp_path):
    """The pairs in another order: the place in the database would mean nothing."""
    for stage in ("train", "finetune", "val"):
        argv = ["--scale", "3", "--stage", stage, "--data-dir", training.data, "--out", tmp_path, "--seed", "7"]
        assert prepare_data.main([str(a) for a in argv]) == 0
    with pytest.raises(UserError, match=r"other settings \(data \{.*'seed': 0.*then.*'seed': 7.* now\)"):
        training.run(finished, "--iters", "43", "--hdf5-dir", str(tmp_path))


def test_two_runs_in_one_folder_are_refused(training, tmp_path):
    busy = "another training is running in this folder"
    with run_folder.claimed(tmp_path / "run"), pytest.raises(UserError, match=busy):
        training.run(tmp_path / "run", "--iters", "3")


def cut_short(path):
    os.truncate(path, 100)


def in_another_encoding(path):
    path.write_bytes(b"\xff\xfe{")


@pytest.mark.parametrize("damage", [cut_short, in_another_encoding])
def test_damaged_settings_are_one_line(training, finished, tmp_path, damage):
    shutil.copytree(finished, tmp_path / "run")
    damage(tmp_path / "run" / "train" / "settings.json")
    with pytest.raises(UserError, match="settings.json: damaged, expected what this stage was started with"):
        training.run(tmp_path / "run", "--iters", "43")


def test_what_killed_runs_left_is_cleaned_at_the_next_start(training, finished, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    (run / "train" / ".part").mkdir(exist_ok=True)
    for left in ("train/.part/idn_iter_9.caffemodel", "train/.idn_iter_9.solverstate.part", ".log.999999999.part.csv",
                 "idn/.IDN_x3.999999999.part.caffemodel", "finetune/.final.999999999.part.caffemodel"):  # fmt: skip
        (run / left).write_bytes(b"half")
    assert training.run(run, "--iters", "43") == 0
    assert training.hidden(run) == []


def test_a_finished_run_leaves_nothing_hidden(training, finished):
    assert training.hidden(finished) == []


def test_published_weights_name_no_place(training, finished):
    """The run's own snapshots do: Caffe resumes from them."""
    final, published = finished / "finetune/final.caffemodel", finished / "idn/IDN_x3.caffemodel"
    place = str(training.data).encode()
    assert place in final.read_bytes() and place not in published.read_bytes()
    training.assert_same_weights(final, published)
