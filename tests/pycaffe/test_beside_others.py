"""Caffe in one process with packages that bring their own protobuf, OpenMP, BLAS or HDF5 along, in either order.

Those that are installed are tried: h5py and OpenCV always are, the others with `pip install ".[speed]" tensorflow-cpu`.
"""

import importlib.util
import subprocess
import sys

import pytest

pytest.importorskip("caffe_build", reason="another caffe than this project's wheel is in use")

CAFFE = """
import faulthandler; faulthandler.enable()
import os, tempfile
import numpy as np
def use_caffe():
    import caffe
    from caffe.proto import caffe_pb2
    from google.protobuf import text_format
    text = '''layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 16 dim: 40 dim: 40 } } }
    layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param {
      num_output: 8 kernel_size: 3 pad: 1 weight_filler { type: "constant" value: 1 } } }
    layer { name: "f" type: "InnerProduct" bottom: "c" top: "f" inner_product_param {
      num_output: 4 weight_filler { type: "constant" value: 0.5 } } }'''
    text_format.Merge(text, caffe_pb2.NetParameter())
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "net.prototxt")
        open(path, "w").write(text)
        net = caffe.Net(path, caffe.TEST)
        for _ in range(3):
            net.blobs["data"].data[...] = 1
            net.forward()
        # 16 channels of ones under a 3 x 3 kernel of ones, four pixels at a corner, six at an edge, nine inside
        found = [net.blobs["c"].data[1, 7, 0, 0], net.blobs["c"].data[0, 0, 5, 5]]
        np.testing.assert_allclose(found, [64, 144], rtol=1e-5)
        per_channel = 16 * (4 * 4 + 4 * 38 * 6 + 38 * 38 * 9)
        np.testing.assert_allclose(net.blobs["f"].data, 0.5 * 8 * per_channel, rtol=1e-5)
        net.save_hdf5(os.path.join(folder, "w.h5"))
        net.params["f"][0].data[...] = 0
        net.load_hdf5(os.path.join(folder, "w.h5"))
        assert (net.params["f"][0].data == 0.5).all()
"""

OTHERS = {
    "torch": """
def use_other():
    import torch
    x = torch.ones(300, 300)
    assert float((x @ x).sum()) == 300.0 ** 3
    convolution = torch.nn.functional.conv2d(torch.ones(1, 3, 20, 20), torch.ones(4, 3, 3, 3))
    assert float(convolution[0, 0, 0, 0]) == 27
""",
    "h5py": """
def use_other():
    import h5py
    with h5py.File("x.h5", "w", driver="core", backing_store=False) as file:
        file["x"] = np.arange(5)
        assert file["x"][3] == 3
""",
    "cv2": """
def use_other():
    import cv2
    assert cv2.GaussianBlur(np.ones((50, 50), np.float32), (5, 5), 1).round(5).min() == 1
    net = cv2.dnn.readNetFromCaffe(np.frombuffer(
        b'name: "n" input: "data" input_dim: 1 input_dim: 1 input_dim: 2 input_dim: 2 '
        b'layer { name: "r" type: "ReLU" bottom: "data" top: "r" }', np.uint8))
    net.setInput(-np.ones((1, 1, 2, 2), np.float32))
    assert (net.forward() == 0).all()
""",
    "onnxruntime": """
def use_other():
    import onnxruntime
    assert "CPUExecutionProvider" in onnxruntime.get_available_providers()
    try:
        onnxruntime.InferenceSession(b"no model")
    except Exception as error:  # its own protobuf has refused it
        assert "protobuf" in str(error).lower(), error
    else:
        raise AssertionError("no model was taken for one")
""",
    "tensorflow": """
def use_other():
    import tensorflow as tf
    x = tf.ones((300, 300))
    assert float(tf.reduce_sum(x @ x)) == 300.0 ** 3
    graph = tf.function(lambda y: y + 1).get_concrete_function(tf.constant(1.0)).graph.as_graph_def()
    assert type(graph).FromString(graph.SerializeToString()) == graph
""",
}


@pytest.mark.parametrize("order", ["use_caffe(); use_other()", "use_other(); use_caffe(); use_other(); use_caffe()"])
@pytest.mark.parametrize("package", OTHERS)
def test_beside(package, order, tmp_path):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    script = f"{CAFFE}{OTHERS[package]}\n{order}\nprint('both work')\n"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "both work\n"), done.stderr[-2000:]
