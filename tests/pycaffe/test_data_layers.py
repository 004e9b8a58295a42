"""Databases as nets read them: LMDB with Caffe's transformations, and one line for each source that cannot be read."""

import os
import subprocess
import sys
from pathlib import Path

import h5py
import lmdb
import numpy as np
import pytest

from prototxt.engine import caffe

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 3, 6, 5), np.uint8)


@pytest.fixture
def database(tmp_path):
    """An LMDB of IMAGES with their numbers as labels, written as the world's scripts do; the folder (Path)."""
    write(tmp_path / "db", (caffe.io.array_to_datum(image, label) for label, image in enumerate(IMAGES)))
    return tmp_path / "db"


def write(folder, datums):
    with lmdb.open(str(folder), map_size=1 << 24) as environment, environment.begin(write=True) as transaction:
        for k, datum in enumerate(datums):
            transaction.put(f"{k:08}".encode(), datum if isinstance(datum, bytes) else datum.SerializeToString())


def net_of(tmp_path, layer, phase=caffe.TEST):
    (tmp_path / "net.prototxt").write_text(f'layer {{ name: "input" top: "data" {layer} }}')
    return caffe.Net(str(tmp_path / "net.prototxt"), phase)


def data(source, batch=3, more="", backend="backend: LMDB"):
    return f'type: "Data" data_param {{ source: "{source}" batch_size: {batch} {backend} }} {more}'


# --- LMDB -----------------------------------------------------------------------------------------------------------


def test_lmdb_is_read_in_turn(tmp_path, database):
    net = net_of(tmp_path, data(database, more='top: "label"'))
    for start in (0, 3, 6):
        found = net.forward()
        expected = [k % 7 for k in range(start, start + 3)]  # it begins anew after the last
        np.testing.assert_array_equal(found["label"], expected)
        np.testing.assert_array_equal(found["data"], IMAGES[expected])


def test_lmdb_with_transformations(tmp_path, database):
    """Crop (in TEST the middle), mean by channel and scale, which need no OpenCV for raw pixels."""
    param = "transform_param { crop_size: 4 scale: 0.5 mean_value: 10 mean_value: 20 mean_value: 30 }"
    net = net_of(tmp_path, data(database, batch=7, more=param))
    expected = 0.5 * (IMAGES[:, :, 1:5, 0:4] - np.float32([10, 20, 30])[:, None, None])
    np.testing.assert_array_equal(net.forward()["data"], expected)


def test_lmdb_with_a_mean_file_and_mirrored(tmp_path, database):
    mean = IMAGES.mean(0, keepdims=True, dtype=np.float32)
    (tmp_path / "mean.binaryproto").write_bytes(caffe.io.array_to_blobproto(mean).SerializeToString())
    param = f'transform_param {{ mirror: true mean_file: "{tmp_path / "mean.binaryproto"}" }}'
    net = net_of(tmp_path, data(database, batch=7, more=param), caffe.TRAIN)
    straight = IMAGES - mean
    for found, expected in zip(net.forward()["data"], straight):  # each by a coin's toss
        assert any(np.allclose(found, one, atol=1e-4) for one in (expected, expected[:, :, ::-1]))


def test_train_and_test_nets_share_a_database(tmp_path, database):
    """As in most train_val.prototxt of examples, and with the caffe program."""
    layers = "".join(
        f'layer {{ name: "input" top: "data" top: "label" include {{ phase: {phase} }} {data(database)} }}'
        for phase in ("TRAIN", "TEST")
    )
    (tmp_path / "train_val.prototxt").write_text(layers + """
        layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc"
          inner_product_param { num_output: 7 weight_filler { type: "xavier" } } }
        layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }""")
    solver = tmp_path / "solver.prototxt"
    solver.write_text(f'net: "{tmp_path / "train_val.prototxt"}" base_lr: 1e-6 lr_policy: "fixed" max_iter: 4 '
                      f'test_iter: 2 test_interval: 2 display: 1 snapshot_prefix: "{tmp_path / "s"}"')  # fmt: skip
    done = program("train", f"-solver={solver}")
    assert done.returncode == 0, done.stderr
    assert "Iteration 4, Testing net (#0)" in done.stderr and (tmp_path / "s_iter_4.caffemodel").is_file()


# --- sources that cannot be read --------------------------------------------------------------------------------------


def program(*arguments, cwd=None):
    """Run .venv/bin/caffe; its log goes to stderr."""
    clean = {k: v for k, v in os.environ.items() if k != "GLOG_minloglevel"}
    path = Path(sys.prefix) / "bin" / "caffe"
    return subprocess.run([path, *arguments], env=clean, cwd=cwd, capture_output=True, text=True, timeout=120)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A working directory with good and bad sources."""
    monkeypatch.chdir(tmp_path)
    with h5py.File("pairs.h5", "w") as file:
        file["data"] = np.zeros((2, 1, 3, 3), np.float32)
    with h5py.File("matlab.mat", "w", userblock_size=512) as file:  # as MATLAB's -v7.3 begins
        file["data"] = np.zeros((2, 1, 3, 3), np.float32)
    Path("list.txt").write_text("pairs.h5\nother.h5\n")
    Path("good.txt").write_text("pairs.h5\n")
    Path("binary").write_bytes(b"\x89PN\x01\xffG\xc3\xa9\xc3" + b"x" * 9000)
    encoded = caffe.proto.caffe_pb2.Datum(encoded=True, data=b"\xff\xd8\xff")
    write(tmp_path / "jpeg", [encoded])
    write(tmp_path / "text", [b"no protobuf \xff\xff"])
    write(tmp_path / "empty", [])
    write(tmp_path / "lmdb", [caffe.io.array_to_datum(IMAGES[0])])
    Path("leveldb").mkdir()
    Path("leveldb/CURRENT").write_text("MANIFEST-000002\n")
    Path("broken").mkdir()
    Path("broken/data.mdb").write_bytes(b"x" * 8192)
    return tmp_path


def hdf5(source):
    return f'type: "HDF5Data" hdf5_data_param {{ source: "{source}" batch_size: 1 }}'


BAD = [
    (hdf5("pairs.h5"), 'source "pairs.h5" is itself an HDF5 file; Caffe expects a text file that lists HDF5 files: run '
                       '`echo pairs.h5 > pairs.txt` and set source: "pairs.txt"'),
    (hdf5("matlab.mat"), "run `echo matlab.mat > matlab.txt`"),
    (hdf5("none.txt"), 'source "none.txt" does not exist (working directory: '),
    (hdf5("list.txt"), 'source "list.txt" lists "other.h5", which does not exist (working directory: '),
    (hdf5("binary"), 'source "binary" lists "?PN??G\u00e9?xxx'),
    (data("lmdb", backend=""), 'source "lmdb" is an LMDB; set `backend: LMDB` in data_param'),
    (data("none", backend="backend: LEVELDB"), "has the backend LEVELDB (Caffe's default), which this build"),
    (data("leveldb"), 'source "leveldb" is a LevelDB, which this build leaves out'),
    (data("none"), 'source "none" is no LMDB: expected a folder with a file data.mdb (working directory: '),
    (data("broken"), 'source "broken" cannot be read as an LMDB: MDB_INVALID'),
    (data("empty"), 'source "empty" is an empty LMDB'),
    (data("text"), 'source "text" holds values that are no Datum'),
    (data("jpeg"), 'source "jpeg" holds encoded pictures (JPEG or PNG), which need OpenCV'),
    ('type: "ImageData" image_data_param { source: "list.txt" }', "type ImageData reads pictures by OpenCV"),
    ('type: "WindowData" window_data_param { source: "list.txt" }', "type WindowData reads pictures by OpenCV"),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "words"), BAD)
def test_a_bad_source_is_an_exception_of_one_line(files, layer, words):
    with pytest.raises(RuntimeError) as error:
        net_of(files, layer)
    assert words in str(error.value) and "\n" not in str(error.value)
    assert str(error.value).startswith("layer input")


@pytest.mark.parametrize(("layer", "words"), BAD[:1] + BAD[-2:-1])
def test_the_program_ends_with_that_line_and_status_2(files, layer, words):
    Path("net.prototxt").write_text(f'layer {{ name: "input" top: "data" {layer} }}')
    done = program("time", "-model=net.prototxt", "-iterations=1")
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 2 and last.startswith("caffe: layer input") and words in last


def test_good_sources_pass(files):
    assert net_of(files, hdf5("good.txt")).forward()["data"].shape == (1, 1, 3, 3)
    assert net_of(files, data("lmdb", batch=1)).forward()["data"].shape == (1, 3, 6, 5)
