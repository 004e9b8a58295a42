"""Weight files of every kind: Caffe's two formats against Caffe itself, other kinds by name, damage."""

import os
import shutil

import h5py
import numpy as np
import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st

from prototxt import drcn, srcnn
from prototxt.engine import caffe
from tools.common.errors import UserError
from tools.methods import registry, weight_check
from tools.nets import caffemodels, matconvnet, runtime, weight_files

pb = caffe.proto.caffe_pb2
# a shared slope, a single factor and shift, and an ordinary layer
SCALARS = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 1 dim: 5 dim: 6 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 3 kernel_size: 3 } }
layer { name: "slope" type: "PReLU" bottom: "conv" top: "bent" prelu_param { channel_shared: true } }
layer { name: "factor" type: "Scale" bottom: "bent" top: "out" scale_param { num_axes: 0 axis: 0 bias_term: true } }
"""


def scalars():
    return text_format.Parse(SCALARS, pb.NetParameter())


def random_net(message, seed=0):
    net = runtime.build_net(message)
    rng = np.random.default_rng(seed)
    for blobs in net.params.values():
        for blob in blobs:
            blob.data[...] = rng.normal(0, 0.3, blob.data.shape)
    return net


def arrays(net):
    return [blob.data.copy() for blobs in net.params.values() for blob in blobs]


def same(net, other):
    return all(a.shape == b.shape and (a == b).all() for a, b in zip(arrays(net), arrays(other)))


NETS = {"scalars": scalars, "srcnn": srcnn.srcnn, "drcn": lambda: drcn.drcn(recursions=3, width=8)}  # DRCN shares


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("form", ["save", "save_hdf5"])
def test_what_caffe_writes_is_read_as_caffe_reads_it(name, form, tmp_path):
    net, path = random_net(NETS[name]()), tmp_path / "w"
    getattr(net, form)(str(path))
    read = runtime.build_net(NETS[name](), path)
    by_caffe = runtime.build_net(NETS[name]())
    by_caffe.copy_from(str(path))
    assert same(read, by_caffe) and same(read, net)
    assert weight_files.kind(path) == (weight_files.HDF5 if form == "save_hdf5" else weight_files.OTHER)


def test_older_forms_are_read_as_caffe_reads_them(tmp_path):
    """`layers` with four numbers a blob, doubles, and the oldest: a layer within a layer."""
    net, path = random_net(srcnn.srcnn()), tmp_path / "old.caffemodel"
    old = pb.NetParameter()
    for index, (name, blobs) in enumerate(net.params.items()):
        layer = old.layers.add()
        kind = layer.layer if index == 2 else layer
        kind.name = name
        if kind is layer:
            layer.type = pb.V1LayerParameter.CONVOLUTION
        else:
            layer.layer.type = "conv"
        for blob in blobs:
            values = blob.data
            one = kind.blobs.add()
            one.num, one.channels, one.height, one.width = (1,) * (4 - values.ndim) + values.shape
            (one.double_data if index == 1 else one.data).extend(values.ravel().tolist())
    by_layer = pb.NetParameter(layers=list(old.layers)[:2])
    for model in (by_layer, old):
        path.write_bytes(model.SerializeToString())
        read = {name: [list(b.data or b.double_data) for b in blobs]
                for name, blobs in caffemodels.weight_layers(caffemodels.read(path))}  # fmt: skip
        assert all(
            np.array_equal(np.float32(values), blob.data.ravel())
            for name, found in read.items()
            for values, blob in zip(found, net.params[name])
        )
    assert len(read) == 3 and same(runtime.build_net(srcnn.srcnn(), path), net)


def changed(tmp_path, change, message=None):
    """A caffemodel of SCALARS after `change` of its NetParameter."""
    random_net(message or scalars()).save(str(tmp_path / "w.caffemodel"))
    model = caffemodels.read(tmp_path / "w.caffemodel")
    change({layer.name: layer.blobs for layer in model.layer})
    (tmp_path / "w.caffemodel").write_bytes(model.SerializeToString())
    return tmp_path / "w.caffemodel"


def set_first(name, value):
    def change(blobs):
        blobs[name][0].data[0] = value

    return change


def set_dims(dims):
    def change(blobs):
        blobs["conv"][0].shape.dim[:] = dims

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (set_first("conv", np.nan), "layer 'conv' holds values that are not finite .*give other weights"),
        (set_first("slope", np.inf), "layer 'slope' holds values that are not finite"),
        (set_first("factor", -np.inf), "layer 'factor' holds values that are not finite"),
        (set_dims([2**40, 2**22]), r"layer 'conv' has shapes .*1099511627776, 4194304"),
        (set_dims([-3, 1, 3, 3]), r"layer 'conv' has shapes \[\(-3, 1, 3, 3\)"),
        (set_dims([1] * 5000), r"layer 'conv' has shapes \[\(1, 1, .* \.\.\., expected"),
        # equal but for leading ones, which Caffe takes in the old form only
        (set_dims([1, 3, 1, 3, 3]), r"layer 'conv' has shapes \[\(1, 3, 1, 3, 3\)"),
        (lambda blobs: blobs["slope"][0].data.append(1), "layer 'slope' is cut short"),
        (lambda blobs: blobs["slope"][0].ClearField("data"), "layer 'slope' has shapes"),
        (lambda blobs: blobs["factor"].pop(), "layer 'factor' has shapes"),
        (lambda blobs: blobs["conv"][0].double_data.append(1), "layer 'conv' is cut short"),
    ],
)
def test_values_and_shapes_that_do_not_fit(change, said, tmp_path):
    path, net = changed(tmp_path, change), random_net(scalars(), seed=1)
    before = arrays(net)
    with pytest.raises(UserError, match=said) as error:
        caffemodels.load_weights(net, path)
    assert str(error.value).startswith(f"{path}: ") and len(str(error.value)) < 600
    assert all((a == b).all() for a, b in zip(before, arrays(net)))


def test_names_in_a_damaged_model(tmp_path):
    """protobuf gives the bytes of a name that is not UTF-8."""
    random_net(srcnn.srcnn()).save(str(tmp_path / "w"))
    (tmp_path / "w").write_bytes((tmp_path / "w").read_bytes().replace(b"conv1", b"\xffon\x1b1"))
    with pytest.raises(UserError, match=r"has no layer 'conv1' \(it has \\xffon\?1, conv2, conv3\)"):
        runtime.build_net(srcnn.srcnn(), tmp_path / "w")


@settings(max_examples=40)
@given(st.data())
def test_random_damage_is_one_line_or_other_values(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp()
    path = folder / "damaged.caffemodel"
    if not path.exists():
        random_net(scalars()).save(str(folder / "whole.caffemodel"))
    content = bytearray((folder / "whole.caffemodel").read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    try:
        runtime.build_net(scalars(), path)
    except UserError as error:
        assert "\n" not in str(error)


# --- HDF5 ----------------------------------------------------------------------------------------------


def replace(group, name, make):
    del group[name]
    make()


def as_link(link):
    return lambda f: replace(f["data/conv"], "0", lambda: f["data/conv"].__setitem__("0", link))


def typed(dtype):
    return lambda f: replace(f["data/conv"], "0", lambda: f["data/conv"].create_dataset("0", (3, 1, 3, 3), dtype))


def outside(f):
    replace(f["data/conv"], "0", lambda: f["data/conv"].create_dataset(
        "0", (3, 1, 3, 3), "f4", external=[("/etc/passwd", 0, 108)]))  # fmt: skip


def virtual(f):
    layout = h5py.VirtualLayout((3, 1, 3, 3), "f4")
    layout[...] = h5py.VirtualSource("other.h5", "x", (3, 1, 3, 3))
    replace(f["data/conv"], "0", lambda: f["data/conv"].create_virtual_dataset("0", layout))


def typed_as_row(f):
    replace(f["data/conv"], "1", lambda: f["data/conv"].create_dataset("1", (1, 3), "f4"))


def claims(f):
    replace(f["data/conv"], "0", lambda: f["data/conv"].create_dataset("0", (2**40, 4), "f4", chunks=(16, 4)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (as_link(h5py.ExternalLink("other.h5", "x")), "/data/conv/0 is a link"),
        (as_link(h5py.SoftLink("/data/slope/0")), "/data/conv/0 is a link"),
        (lambda f: replace(f, "data", lambda: f.__setitem__("data", h5py.ExternalLink("o.h5", "x"))), "data is a link"),
        (outside, "conv/0 takes its values from other files"),
        (virtual, "conv/0 takes its values from other files"),
        (claims, r"conv/0 claims an array of \(1099511627776, 4\)"),
        (typed("S4"), "conv/0 holds no numbers"),
        (lambda f: f["data"].__delitem__("slope"), "has no layer 'slope'"),
        (lambda f: f["data/conv"].__delitem__("1"), "layer 'conv' has shapes"),
        (lambda f: f["data/conv"].create_dataset("x", (1,), "f4"), "conv/x: expected datasets 0, 1"),
        (lambda f: f["data"].create_dataset("x", (1,), "f4"), "/data/x is a Dataset, expected a Group"),
        (lambda f: f.__delitem__("data"), "has no group 'data', expected what Caffe's save_hdf5 writes"),
        (lambda f: f["data/slope/0"].__setitem__((), np.nan), "layer 'slope' holds values that are not finite"),
        (typed_as_row, "layer 'conv' has shapes"),
    ],
)
def test_hdf5_that_does_not_fit_or_reaches_outside(change, said, tmp_path):
    path = tmp_path / "w.caffemodel.h5"
    random_net(scalars()).save_hdf5(str(path))
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(UserError, match=said) as error:
        runtime.build_net(scalars(), path)
    assert str(error.value).startswith(f"{path}: ")


@pytest.mark.parametrize("kept", [0.05, 0.5, 0.95])
def test_hdf5_cut_anywhere(kept, tmp_path):
    path = tmp_path / "w.caffemodel.h5"
    random_net(scalars()).save_hdf5(str(path))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(UserError, match="not an HDF5 file that can be read, or damaged .*; get it again"):
        runtime.build_net(scalars(), path)


def test_integers_and_doubles_in_hdf5_become_floats(tmp_path):
    path = tmp_path / "w.h5"
    net = random_net(scalars())
    net.save_hdf5(str(path))
    with h5py.File(path, "r+") as file:
        replace(file["data/conv"], "1", lambda: file["data/conv"].create_dataset("1", data=np.array([1, 2, 3])))
        replace(file["data/slope"], "0", lambda: file["data/slope"].create_dataset("0", data=np.float64(0.1)))
    net.copy_from(str(path))
    assert same(runtime.build_net(scalars(), path), net)


# --- other kinds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", r"is empty \(0 bytes\), expected a .caffemodel"),
        (b'name: "net"\nlayer { name: "data" }\n', "is text, such as a prototxt; expected a .caffemodel"),
        (b"PK\x03\x04" + bytes(50), r"is a ZIP archive \(such as PyTorch's .pth"),
        (b"\x80\x02\x8a\nl\xfc\x9c", "is a Python pickle"),
        (b"\x1f\x8b\x08" + bytes(50), "is compressed with gzip"),
        (b"<!DOCTYPE html><html>", "is a web page that was saved instead"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "is a picture"),
        (b"MATLAB 5.0 MAT-file, Platform: GLNXA64", "a MATLAB file, .*tools/import_weights.py makes one"),
        (bytes(range(1, 256)), "not a .caffemodel that Caffe can read, or cut short"),
        (pb.NetParameter(name="net").SerializeToString(), "holds no weights; expected a .caffemodel with conv1, conv2"),
    ],
)
def test_other_kinds_of_files_are_called_what_they_are(content, said, tmp_path):
    path = tmp_path / "net.caffemodel"
    path.write_bytes(content)
    with pytest.raises(UserError, match=said) as error:
        runtime.build_net(srcnn.srcnn(), path)
    assert "\n" not in str(error.value)


def test_a_solvers_state(tmp_path):
    path = tmp_path / "net_iter_5.solverstate"
    path.write_bytes(pb.SolverState(iter=5, learned_net="runs/net_iter_5.caffemodel").SerializeToString())
    with pytest.raises(UserError, match="is the state of a solver, expected the .caffemodel beside it"):
        runtime.build_net(srcnn.srcnn(), path)


def test_folders_pipes_and_files_beyond_what_caffe_reads(tmp_path):
    (tmp_path / "w.caffemodel").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(3 << 30)  # takes no room
        file.seek(0)
        file.write(b"\x0a")
    for name, said in (("w.caffemodel", "is a folder"), ("pipe", "is no regular file"), ("none", "no such file"),
                       ("large", "has 3,221,225,472 bytes, and Caffe reads no more")):  # fmt: skip
        with pytest.raises(UserError, match=said):
            caffemodels.read(tmp_path / name)


NAMES = [os.fsdecode(b"\xff w\xfe.MAT"), "веса 权重.CaffeModel", "no suffix", "VDSR.MAT"]


@pytest.mark.parametrize("name", NAMES)
def test_names_count_for_nothing(name, shared, tmp_path):
    """The same weights, as .mat and .caffemodel, under names that Caffe could not take or that tell nothing."""
    method = registry.METHODS["VDSR"]
    expected = runtime.build_net(method.build(2))
    matconvnet.load_mat(expected, shared / "weights/vdsr/VDSR_Official.mat", "vdsr")
    expected.save(str(tmp_path / "w.caffemodel"))
    for source in (shared / "weights/vdsr/VDSR_Official.mat", tmp_path / "w.caffemodel"):
        shutil.copy(source, tmp_path / name)
        weight_check.checked_net(method, 2, tmp_path / name)
        assert same(method.load(2, tmp_path / name), expected)


def test_a_training_takes_hdf5_weights_and_refuses_a_mat(shared, tmp_path):
    net = random_net(srcnn.srcnn())
    net.save_hdf5(str(tmp_path / "w.h5"))
    layers = caffemodels.weight_layers(caffemodels.read(tmp_path / "w.h5"))
    assert [name for name, _ in layers] == list(net.params)
    with pytest.raises(UserError, match="a MATLAB file, expected a .caffemodel; tools/import_weights.py"):
        caffemodels.read(shared / "weights/vdsr/VDSR_Official.mat")
