"""Shards, lists, and the refusals of damaged databases."""

import h5py
import numpy as np
import pytest

from data_prep import hdf5
from data_prep.build import build
from data_prep.errors import DataError
from data_prep.geometry import geometry
from data_prep.hdf5 import check_database, write_list
from data_prep.plan import gather, make_plan


@pytest.fixture
def database(small_set, tmp_path):
    """A sound x3 database in several shards; its list."""
    plan = make_plan(gather(small_set), geometry(3, "train"), shard_mb=2.1)
    report = build(plan, tmp_path / "out", processes=1, progress=False)
    return hdf5.list_path(report.folder)


def shard(database, number=0):
    return database.with_suffix("") / f"{number:05d}.h5"


def test_sound_database(database):
    found = check_database(database, 3, "train")
    assert found == check_database(str(database), 3, "pretrain")
    assert (found.lr_size, found.hr_size) == (15, 43)
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
        assert set(hdf5.IDENTITY) | {"shard", "versions"} == set(file.attrs)
        assert (file.attrs["scale"], file.attrs["lr_stride"], file.attrs["seed"]) == (3, 15, 0)
        assert (file.attrs["source_set"], file.attrs["stage"]) == ("tiny", "train")


def test_list_names_absolute_paths_in_order(database):
    paths = database.read_text().splitlines()
    assert paths == [str(shard(database, number)) for number in range(3)]
    assert all(path.startswith("/") for path in paths)


def test_moved_database(database):
    moved = database.parent / "moved"
    database.with_suffix("").rename(moved)
    with pytest.raises(DataError, match="train.txt: names .*00000.h5, which is not there; has the database moved"):
        check_database(database, 3, "train")
    assert check_database(write_list(moved), 3, "train").pairs == 320


def test_white_space_in_the_path_is_refused(database):
    moved = database.parent / "my data"
    database.with_suffix("").rename(moved)
    with pytest.raises(DataError, match="my data: Caffe splits its list of HDF5 files at white space"):
        write_list(moved)


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


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("", "train.txt: empty, expected one HDF5 file a line"),
        ("/nowhere/00000.h5\n", "names /nowhere/00000.h5, which is not there"),
        ("{0}\n{2}\n", r"shards \[0, 2\] of 3"),
        ("{1}\n{0}\n{2}\n", r"shards \[1, 0, 2\] of 3"),
    ],
)
def test_damaged_list(database, lines, message):
    database.write_text(lines.format(*(shard(database, number) for number in range(3))))
    with pytest.raises(DataError, match=message):
        check_database(database, 3, "train")


def test_missing_or_binary_list(tmp_path):
    with pytest.raises(DataError, match="none.txt: no such list of HDF5 files; run tools/prepare_data.py"):
        check_database(tmp_path / "none.txt", 3, "train")
    (tmp_path / "binary.txt").write_bytes(b"\x89HDF\xff")
    with pytest.raises(DataError, match="not a readable text list"):
        check_database(tmp_path / "binary.txt", 3, "train")
    with pytest.raises(DataError, match="not a readable text list"):
        check_database(tmp_path, 3, "train")


def test_list_of_an_empty_folder(tmp_path):
    with pytest.raises(DataError, match="no HDF5 shards"):
        write_list(tmp_path)


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
