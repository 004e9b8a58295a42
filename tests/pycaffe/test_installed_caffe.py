"""The installed wheel: what it is, that it computes right, and that what was broken upstream works."""

import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
from google.protobuf import text_format
from scipy.signal import correlate2d

from prototxt.engine import caffe

caffe_build = pytest.importorskip("caffe_build", reason="another caffe than this project's wheel is in use")

# what IDN's train and deploy nets are made of
IDN_LAYERS = {
    *("Convolution", "Deconvolution", "ReLU", "Slice", "Concat", "Eltwise", "Reduction"),
    *("HDF5Data", "EuclideanLoss", "Python"),
}


@pytest.fixture
def net(tmp_path):
    """Build a net from prototxt text."""

    def build(text, phase=caffe.TEST):
        path = tmp_path / "net.prototxt"
        path.write_text(text)
        return caffe.Net(str(path), phase)

    return build


def input_layer(*shape):
    dims = " ".join(f"dim: {n}" for n in shape)
    return f'layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ {dims} }} }} }}\n'


# what it is -------------------------------------------------------------------------------------------------


def project_version(root):
    """The one number in the root's pyproject.toml; a line of it, since Python 3.9 reads no TOML."""
    lines = (root / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith("version = ")).split('"')[1]


def test_version_and_commit(root):
    import caffe_source

    assert caffe.__version__ == "1.0.0"
    assert caffe_source.PIN["version"] == "1.0.0+git20180821.99bd997"
    # a travelling CUDA wheel says in its version that it is one
    assert importlib.metadata.version("caffe").replace(".cu13", "") == caffe_source.PIN["version"]
    info = caffe_build.info()
    assert info["project"] == project_version(root)
    assert info["commit"].startswith("99bd997") and info["commit"] == caffe_source.PIN["commit"]
    assert info["source_sha256"] == caffe_source.PIN["content_sha256"]
    optional = {"nccl", "cuda_libraries"}  # of the CUDA build: without NCCL, with NVIDIA's wheels
    assert info["variant"] in ("cpu", "cuda") and all(value for name, value in info.items() if name not in optional)


def test_the_wheel_alone_has_no_version_of_the_project(tmp_path):
    """As after `pip install pycaffe/` in an environment that has Caffe and not this project."""
    shutil.copytree(Path(caffe_build.__file__).parent, tmp_path / "caffe_build")
    run = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
           "import caffe_build; print(caffe_build.info()['project'], caffe_build.info()['variant'])"]  # fmt: skip
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert done.stdout == f"None {caffe_build.info()['variant']}\n"


def test_upstream_files_are_installed_unmodified(root):
    """Byte for byte, by the manifest that the pinned digest covers."""
    pinned = {}
    for line in (root / "pycaffe" / "upstream.sha256").read_text().splitlines():
        checksum, path = line.split("  ")
        pinned[path] = checksum
    modules = [path for path in pinned if path.startswith("python/caffe/") and path.count("/") == 2]
    modules = [path for path in modules if path.endswith(".py")]
    assert len(modules) >= 8
    folder = Path(caffe.__file__).parent
    for path in modules:
        name = Path(path).name.replace("__init__", "upstream_init")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == pinned[path], path


def test_layers_of_idn_are_there():
    assert set(caffe.layer_type_list()) >= IDN_LAYERS


def test_import_is_quiet_and_needs_no_library_path():
    environment = {k: v for k, v in os.environ.items() if k not in ("LD_LIBRARY_PATH", "GLOG_minloglevel")}
    run = [sys.executable, "-W", "error", "-c", "import caffe"]
    done = subprocess.run(run, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# what it computes -------------------------------------------------------------------------------------------


def test_grouped_convolution_equals_scipy(net):
    text = input_layer(2, 4, 9, 8) + """layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 6 kernel_size: 3 pad: 1 group: 2 } }"""
    made = net(text)
    rng = np.random.default_rng(0)
    data = rng.standard_normal((2, 4, 9, 8)).astype(np.float32)
    weights, bias = (blob.data for blob in made.params["conv"])
    for array in (weights, bias):
        array[...] = rng.standard_normal(array.shape)
    made.blobs["data"].data[...] = data
    out = made.forward()["conv"]
    expected = np.empty((2, 6, 9, 8))
    for n in range(2):
        for k in range(6):
            group = k // 3  # 3 outputs and 2 inputs a group
            planes = [correlate2d(data[n, 2 * group + c], weights[k, c], "same") for c in range(2)]
            expected[n, k] = sum(planes) + bias[k]
    assert np.abs(expected).max() > 1
    np.testing.assert_allclose(out, expected, atol=1e-4)  # float32 sums of 18 products


def test_deconvolution_is_the_adjoint_of_convolution(net):
    """IDN's upsample layer in small: stride 3, size m(n-1)+1, and <conv x, y> = <x, deconv y>."""
    shape = 'kernel_size: 5 pad: 2 stride: 3 num_output: 1 bias_term: false'
    deconv = net(input_layer(1, 1, 6, 4) + 'layer { name: "up" type: "Deconvolution" bottom: "data" top: "up" '
                 f"convolution_param {{ {shape} }} }}")  # fmt: skip
    conv = net(input_layer(1, 1, 16, 10) + 'layer { name: "down" type: "Convolution" bottom: "data" top: "down" '
               f"convolution_param {{ {shape} }} }}")  # fmt: skip
    rng = np.random.default_rng(1)
    small, large = (rng.standard_normal(s).astype(np.float32) for s in ((1, 1, 6, 4), (1, 1, 16, 10)))
    weights = rng.standard_normal((1, 1, 5, 5))
    for params in (deconv.params["up"], conv.params["down"]):
        params[0].data[...] = weights
    deconv.blobs["data"].data[...] = small
    conv.blobs["data"].data[...] = large
    up, down = (out.astype(float) for out in (deconv.forward()["up"], conv.forward()["down"]))
    assert up.shape == (1, 1, 16, 10) and down.shape == (1, 1, 6, 4)
    assert abs((small * down).sum()) > 0.1
    assert (small * down).sum() == pytest.approx((large * up).sum(), rel=1e-4)


def test_gradient_equals_scipy(net):
    """Through the loss, a leaky ReLU and a convolution down to its weights."""
    text = input_layer(1, 2, 5, 6) + """
    layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 1 dim: 3 dim: 5 dim: 6 } } }
    layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 3 kernel_size: 3 pad: 1 } }
    layer { name: "relu" type: "ReLU" bottom: "conv" top: "relu" relu_param { negative_slope: 0.05 } }
    layer { name: "loss" type: "EuclideanLoss" bottom: "relu" bottom: "label" top: "loss" }
    force_backward: true"""
    made = net(text)
    rng = np.random.default_rng(2)
    weights, bias = made.params["conv"]
    for array in (made.blobs["data"].data, made.blobs["label"].data, weights.data, bias.data):
        array[...] = rng.standard_normal(array.shape)
    loss = made.forward()["loss"]
    made.backward()
    data, label, conv, relu = (made.blobs[name].data[0].astype(float) for name in ("data", "label", "conv", "relu"))
    np.testing.assert_allclose(loss, ((relu - label) ** 2).sum() / 2, rtol=1e-5)
    slope = np.where(conv > 0, 1, 0.05) * (relu - label)
    assert (conv < 0).any() and (conv > 0).any()
    padded = np.pad(data, ((0, 0), (1, 1), (1, 1)))
    expected = [[correlate2d(padded[c], slope[k], "valid") for c in range(2)] for k in range(3)]
    np.testing.assert_allclose(weights.diff, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(bias.diff, slope.sum(axis=(1, 2)), rtol=1e-4, atol=1e-4)


def test_hdf5_data_reads_what_h5py_writes(net, tmp_path):
    """Two HDF5 libraries in one process: h5py's own and the system's that libcaffe links."""
    values = np.random.default_rng(3).random((6, 1, 5, 5), dtype=np.float32)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", data=values, chunks=(2, 1, 5, 5))
    (tmp_path / "list.txt").write_text(f"{tmp_path / 'a.h5'}\n")
    made = net(f"""layer {{ name: "data" type: "HDF5Data" top: "data"
        hdf5_data_param {{ source: "{tmp_path / "list.txt"}" batch_size: 3 }} }}""")
    for first in (0, 3, 0):  # it starts again after the last
        np.testing.assert_array_equal(made.forward()["data"], values[first : first + 3])


def test_saved_weights_are_read_by_caffe_pb2(net, tmp_path):
    text = input_layer(1, 1, 4, 4) + """layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: "msra" } } }"""
    made = net(text)
    made.save(str(tmp_path / "net.caffemodel"))
    message = caffe.proto.caffe_pb2.NetParameter.FromString((tmp_path / "net.caffemodel").read_bytes())
    layer = {one.name: one for one in message.layer}["conv"]
    array = caffe.io.blobproto_to_array(layer.blobs[0])
    np.testing.assert_array_equal(array, made.params["conv"][0].data)
    assert text_format.Merge(text, caffe.proto.caffe_pb2.NetParameter()).layer[1].convolution_param.num_output == 2


PYTHON_LAYER = '''
import caffe

class Scale(caffe.Layer):
    """top = factor * bottom; the factor is the layer's parameter."""

    def setup(self, bottom, top):
        self.factor = float(self.param_str)

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)

    def forward(self, bottom, top):
        top[0].data[...] = self.factor * bottom[0].data

    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = self.factor * top[0].diff
'''
PYTHON_NET = input_layer(1, 3) + """force_backward: true
layer { name: "scale" type: "Python" bottom: "data" top: "scale"
        python_param { module: "idn_test_layer" layer: "Scale" param_str: "2.5" } }"""


def test_python_layer(net, tmp_path, monkeypatch):
    (tmp_path / "idn_test_layer.py").write_text(PYTHON_LAYER)
    monkeypatch.syspath_prepend(tmp_path)
    made = net(PYTHON_NET)
    made.blobs["data"].data[...] = [[1, 2, -4]]
    np.testing.assert_array_equal(made.forward()["scale"], [[2.5, 5, -10]])
    made.blobs["scale"].diff[...] = 2
    assert (made.backward()["data"] == 5).all()


@pytest.mark.skipif(not shutil.which("nm"), reason="no nm on this machine")
def test_nothing_of_boost_is_shared_with_another_copy_in_the_process():
    """GNU's unique symbols, which a process has once: a second Boost.Python would get our table of converters."""
    libraries = [path for module in (caffe, caffe_build) for path in Path(module.__file__).parent.glob("*.so")]
    assert len(libraries) >= 3
    listing = subprocess.run(["nm", "-D", "--defined-only", *libraries], capture_output=True, text=True, check=True)
    unique = [line.split()[2] for line in listing.stdout.splitlines() if len(line.split()) == 3 and " u " in line]
    assert any("LayerRegistry" in name for name in unique)  # Caffe's own registries are to be shared, by our libraries
    assert [name for name in unique if "registered_base" in name or "N5boost6python" in name] == []


# the caffe program ------------------------------------------------------------------------------------------


def program(*arguments, **environment):
    """Run .venv/bin/caffe; its log goes to stderr."""
    path = Path(sys.prefix) / "bin" / "caffe"
    clean = {k: v for k, v in os.environ.items() if k not in ("LD_LIBRARY_PATH", "GLOG_minloglevel")}
    return subprocess.run([path, *arguments], env={**clean, **environment}, capture_output=True, text=True)


def test_program_times_a_net(tmp_path):
    (tmp_path / "net.prototxt").write_text(
        input_layer(1, 1, 8, 8) + """layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: "msra" } } }"""
    )
    done = program("time", f"-model={tmp_path / 'net.prototxt'}", "-iterations=2")
    assert done.returncode == 0, done.stderr
    assert "Average Forward pass" in done.stderr
    assert program("device_query").returncode == 0


def test_program_runs_python_layers(tmp_path):
    """Its embedded Python finds the environment's packages and PYTHONPATH."""
    (tmp_path / "idn_test_layer.py").write_text(PYTHON_LAYER)
    (tmp_path / "net.prototxt").write_text(PYTHON_NET)
    done = program("time", f"-model={tmp_path / 'net.prototxt'}", "-iterations=1", PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "Average Forward pass" in done.stderr


def test_program_refuses_a_missing_net():
    done = program("time", "-model=/nowhere.prototxt")
    assert done.returncode != 0 and "/nowhere.prototxt" in done.stderr


# what was broken upstream -----------------------------------------------------------------------------------


@pytest.fixture
def images(tmp_path):
    """Files of one picture: colour, with alpha, gray, 16 bits; and the RGB values (uint8)."""
    rgb = np.random.default_rng(4).integers(0, 256, (6, 7, 3), np.uint8)
    gray = rgb[..., 1]
    cv2.imwrite(str(tmp_path / "rgb.png"), rgb[..., ::-1])
    cv2.imwrite(str(tmp_path / "rgba.png"), np.dstack([rgb[..., ::-1], gray]))
    cv2.imwrite(str(tmp_path / "gray.png"), gray)
    cv2.imwrite(str(tmp_path / "deep.png"), gray.astype(np.uint16) * 257)
    return tmp_path, rgb


def test_load_image(images):
    """Upstream's imread(as_grey=...) is gone from scikit-image; its docstring is what is promised here."""
    folder, rgb = images
    scaled = rgb / 255
    for name in ("rgb.png", "rgba.png"):
        np.testing.assert_allclose(caffe.io.load_image(str(folder / name)), scaled, atol=1e-6)
        luma = scaled @ [0.2125, 0.7154, 0.0721]  # scikit-image's rgb2gray
        np.testing.assert_allclose(caffe.io.load_image(str(folder / name), color=False)[..., 0], luma, atol=1e-6)
    for name in ("gray.png", "deep.png"):
        single = caffe.io.load_image(str(folder / name), color=False)
        np.testing.assert_allclose(single, scaled[..., 1:2], atol=1e-6)
        triple = caffe.io.load_image(str(folder / name))
        assert triple.shape == (6, 7, 3) and (triple == single).all() and triple.dtype == np.float32


def test_datum_round_trip():
    """Upstream's tostring and fromstring are gone from NumPy 2.3."""
    rng = np.random.default_rng(5)
    for array in (rng.integers(0, 256, (3, 4, 5), np.uint8), rng.random((2, 3, 4))):
        datum = caffe.io.array_to_datum(array, label=7)
        back = caffe.io.datum_to_array(datum)
        assert datum.label == 7 and back.dtype == array.dtype
        np.testing.assert_allclose(back, array, rtol=1e-6)  # float_data is float32
        back[0, 0, 0] = 1  # a copy of one's own
    with pytest.raises(ValueError, match=r"expected an array \(C, H, W\), got shape \(4, 5\)"):
        caffe.io.array_to_datum(np.zeros((4, 5)))


def test_resize_image_has_no_antialiasing():
    """As in 2018: shrinking a checkerboard by 2 samples between its pixels, it does not blur over more."""
    edge = np.zeros((8, 8, 1), np.float32)
    edge[:, 4:] = 1
    shrunk = caffe.io.resize_image(edge, (4, 4))
    np.testing.assert_allclose(shrunk[..., 0], np.repeat([[0, 0, 1, 1]], 4, axis=0), atol=1e-6)


def test_classifier_predicts(net, tmp_path):
    """Ten crops, preprocessing and forward of upstream's Classifier, against the mean of the image."""
    text = input_layer(10, 3, 6, 6) + """layer { name: "pool" type: "Pooling" bottom: "data" top: "pool"
        pooling_param { pool: AVE global_pooling: true } }"""
    net(text).save(str(tmp_path / "net.caffemodel"))
    classifier = caffe.Classifier(
        str(tmp_path / "net.prototxt"), str(tmp_path / "net.caffemodel"), image_dims=(8, 8), channel_swap=(2, 1, 0)
    )
    image = np.zeros((8, 8, 3), np.float32) + np.float32([0.1, 0.2, 0.3])
    np.testing.assert_allclose(classifier.predict([image]), [[0.3, 0.2, 0.1]], atol=1e-5)
