"""Shards, and the refusals of damaged databases."""

import fcntl
import re
import subprocess
import sys

import h5py
import numpy as np
import pytest

from data_prep import hdf5
from data_prep.errors import DataError
from data_prep.geometry import geometry
from data_prep.hdf5 import check_database


def shard(database, number=0):
    return database.with_suffix("") / f"{number:05d}.h5"


def test_sound_database(database):
    found = check_database(database, 3, "train")
    assert found == check_database(str(database), 3, "pretrain")
    assert found.sides == {"data": 15, "label": 43, "bic": 43}
    assert found.pairs == found.attributes["pairs"] == 320
    assert len(found.shards) == found.attributes["shards"] == 3
    assert found.bytes == sum(path.stat().st_size for path in found.shards)
    assert found.largest_bytes == 128 * 4 * (15**2 + 2 * 43**2)


def test_files_are_as_promised(database):
    with h5py.File(shard(database)) as file:
        assert sorted(file) == ["bic", "data", "label"]
        assert {name: file[name].shape for name in file} == {
            "data": (128, 1, 15, 15),
            "label": (128, 1, 43, 43),
            "bic": (128, 1, 43, 43),
        }
        assert {file[name].chunks for name in file} == {(64, 1, 15, 15), (64, 1, 43, 43)}
        assert {file[name].dtype for name in file} == {np.dtype("<f4")}
        assert {file[name].compression for name in file} == {None}
        assert set(hdf5.identity_names(geometry(3, "train"))) | {"shard", "versions"} == set(file.attrs)
        assert (file.attrs["scale"], file.attrs["lr_stride"], file.attrs["seed"]) == (3, 15, 0)
        assert (file.attrs["source_set"], file.attrs["stage"]) == ("tiny", "train")


def test_a_locked_shard_is_not_called_damaged(database):
    with shard(database, 1).open("rb") as file:  # not h5py, which shares what one process opens twice
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(DataError, match="00001.h5: locked by another process") as caught:
            check_database(database, 3, "train")
    assert "HDF5_USE_FILE_LOCKING=FALSE" in str(caught.value) and "--force" not in str(caught.value)


def test_a_shard_left_open_by_a_killed_writer(database):
    """HDF5 marks files of its newer formats as open; a kill leaves the mark."""
    path = shard(database, 1)
    path.unlink()
    script = "import h5py, os, sys; f = h5py.File(sys.argv[1], 'w', libver='latest'); f.flush(); os._exit(1)"
    subprocess.run([sys.executable, "-c", script, path])
    with pytest.raises(DataError, match="00001.h5: marked as open for writing by a process"):
        check_database(database, 3, "train")


def test_a_shard_that_may_not_be_read(database, monkeypatch):
    """Root may read all; so the error is h5py's of such a file."""
    error = PermissionError(13, "Unable to open file (unable to open file: name = 'x', errno = 13)")

    def refuse(*_):
        raise error

    monkeypatch.setattr(hdf5.h5py, "File", refuse)
    with pytest.raises(DataError, match=r"00000.h5: cannot be read \(Permission denied\)"):
        check_database(database, 3, "train")


def test_a_damaged_index_behind_a_sound_header(database):
    """HDF5 ends the process of Caffe over it; every place of the index is tried."""
    path = shard(database)
    whole = path.read_bytes()
    places = [found.start() for found in re.finditer(b"TREE|SNOD|FAHD|FADB|EAHD|EAIB|EADB|BTHD|BTLF", whole)]
    assert places
    refused = 0
    for place in places:
        path.write_bytes(whole[:place] + bytes(64) + whole[place + 64 :])
        try:
            check_database(database, 3, "train")
        except DataError as error:
            assert "make it again" in str(error)
            refused += 1
    assert refused == len(places)


def test_a_shard_of_more_values_than_caffe_counts(database):
    """1,161,429 = (2^31 - 1) // 43^2; chunks that are not written take no room."""
    rows = 1_161_472  # the next multiple of 64
    with h5py.File(shard(database, 0), "r+") as file:
        for name, shape in hdf5.shapes(rows, geometry(3, "train").sides).items():
            del file[name]
            file.create_dataset(name, shape, "<f4", chunks=(64, *shape[1:]))
    with pytest.raises(DataError, match="1,161,472 pairs in one file, Caffe reads 1,161,429 at most; .*--shard-mb"):
        check_database(database, 3, "train")


@pytest.mark.parametrize(
    ("scale", "stage", "message"),
    [
        (2, "train", r"00000.h5: scale is 3, expected 2; make it again"),
        (3, "finetune", r"00000.h5: stage is train, expected finetune"),
        (7, "train", "scale 7: expected 2, 3 or 4"),
    ],
)
def test_another_database_than_asked_for(database, scale, stage, message):
    with pytest.raises(DataError, match=message):
        check_database(database, scale, stage)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1000])


def edit(function):
    """Turn a change of an open file into a change of a path."""

    def change(path):
        with h5py.File(path, "r+") as file:
            function(file)

    return change


def drop_bic(file):
    del file["bic"]


def to_double(file):
    values = file["data"][:].astype(np.float64)
    del file["data"]
    file["data"] = values


def shorten(file):
    values = file["label"][:64]
    del file["label"]
    file["label"] = values


def drop_seed(file):
    del file.attrs["seed"]


def other_seed(file):
    file.attrs["seed"] = 5


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (truncate, "00001.h5: truncated or not HDF5; make it again with tools/prepare_data.py --force"),
        (lambda path: path.write_bytes(b""), "00001.h5: truncated or not HDF5"),
        (lambda path: path.write_text("<html>"), "00001.h5: truncated or not HDF5"),
        (lambda path: path.unlink(), "names .*00001.h5, which is not there"),
        (edit(drop_bic), "00001.h5: no dataset 'bic'"),
        (edit(to_double), r"00001.h5: data is float64 \(128, 1, 15, 15\), expected float32"),
        (edit(shorten), r"00001.h5: label is float32 \(64, 1, 43, 43\), expected float32 \(128, 1, 43, 43\)"),
        (edit(drop_seed), "00001.h5: no attribute 'seed'"),
        (edit(other_seed), "00001.h5: seed is 5, but 0 in 00000.h5"),
    ],
)
def test_damaged_shard(database, damage, message):
    damage(shard(database, 1))
    with pytest.raises(DataError, match=message):
        check_database(database, 3, "train")


def test_caffe_reads_the_very_bytes(database, tmp_path):
    """Real Caffe, all batches, over the borders of shards and round to the first again."""
    caffe = pytest.importorskip("caffe", reason="pycaffe is not installed here; run make setup")
    net = tmp_path / "read.prototxt"
    net.write_text(
        'layer { name: "read" type: "HDF5Data" top: "data" top: "label" top: "bic"\n'
        f'  hdf5_data_param {{ source: "{database}" batch_size: 64 }} }}\n'
    )
    network = caffe.Net(str(net), caffe.TEST)
    stored = {name: [] for name in ("data", "label", "bic")}
    for path in check_database(database, 3, "train").shards:
        with h5py.File(path) as file:
            for name, parts in stored.items():
                parts.append(file[name][:])
    stored = {name: np.concatenate(parts) for name, parts in stored.items()}
    for batch in range(6):
        network.forward()
        rows = slice(64 * (batch % 5), 64 * (batch % 5) + 64)
        for name, values in stored.items():
            assert np.array_equal(network.blobs[name].data, values[rows])
