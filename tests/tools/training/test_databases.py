"""Databases that are missing or damaged never reach Caffe."""

import os
import shutil

import h5py


def test_missing_databases_and_images(training, tmp_path):
    assert "no such list of HDF5 files" in training.refusal(tmp_path, "--scale", "2")
    error = training.refusal(tmp_path, "--val-images", str(tmp_path / "none"))
    assert "no such folder of images" in error


def test_a_damaged_database_never_reaches_caffe(training, tmp_path):
    shutil.copytree(training.data / "hdf5", tmp_path / "hdf5")
    shard = tmp_path / "hdf5" / "x3" / "train" / "00000.h5"
    (tmp_path / "hdf5" / "x3" / "train.txt").write_text(f"{shard}\n")
    os.truncate(shard, shard.stat().st_size // 2)
    error = training.refusal(tmp_path / "run", "--hdf5-dir", str(tmp_path / "hdf5"))
    assert str(shard) in error and "truncated" in error


def test_a_shard_that_is_locked(training, tmp_path):
    shard = training.data / "hdf5" / "x3" / "val" / "00000.h5"
    with h5py.File(shard, "r+"):
        error = training.refusal(tmp_path, "--iters", "3")
    assert f"{shard}: locked by another process" in error and "HDF5_USE_FILE_LOCKING=FALSE" in error
