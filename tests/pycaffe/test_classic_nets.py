"""Three nets that everyone has met, on both CPU engines: LeNet, a small AlexNet, a ResNet, against NumPy and OpenCV.

NumPy computes in float64 from the papers' formulas (classic/numpy_net.py). The training is 50 iterations of SGD with
momentum and weight decay on five batches that repeat, so that the loss must fall.
"""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from google.protobuf import text_format

from prototxt.engine import caffe

HERE = Path(__file__).parent / "classic"
sys.path.append(str(HERE))  # the tests are imported without their folders
from numpy_net import NumpyNet  # noqa: E402

NETS = ("lenet", "alexnet", "resnet")
ENGINES = ("onednn", "blas")
BATCHES = 5


def layers_of(name):
    message = caffe.proto.caffe_pb2.NetParameter()
    text_format.Merge((HERE / f"{name}.prototxt").read_text(), message)
    return message.layer


def batches_of(name):
    """Noise with a stripe whose place is the label, float32 around 0."""
    shapes = {top: list(one.input_param.shape[0].dim) for one in layers_of(name) if one.type == "Input"
              for top in one.top}  # fmt: skip
    classes = [one.inner_product_param.num_output for one in layers_of(name) if one.type == "InnerProduct"][-1]
    rng = np.random.default_rng(1)
    label = rng.integers(0, classes, (BATCHES, *shapes["label"]))
    data = rng.standard_normal((BATCHES, *shapes["data"]), np.float32)
    for batch, image in np.ndindex(label.shape):
        data[batch, image, :, :, 1 + 2 * label[batch, image]] += 2
    return {"data": data, "label": label}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """What the worker gives for a net on an engine, computed once: its arrays, and its folder."""
    done = {}

    def get(name, engine):
        if (name, engine) not in done:
            folder = tmp_path_factory.mktemp(f"{name}-{engine}")
            np.savez(folder / "batches.npz", **batches_of(name))
            command = [sys.executable, HERE / "worker.py", HERE / f"{name}.prototxt", folder]
            environment = dict(os.environ, CAFFE_CPU_ENGINE=engine, GLOG_minloglevel="2")
            worker = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
            assert worker.returncode == 0, worker.stderr[-2000:]
            done[name, engine] = dict(np.load(folder / "result.npz")), folder
        return done[name, engine]

    return get


def part(result, prefix):
    """The arrays whose names begin with `prefix` and a colon."""
    return {name.partition(":")[2]: array for name, array in result.items() if name.startswith(f"{prefix}:")}


def params(arrays):
    """Weights by layer, from names such as "conv1/0"."""
    layers = {}
    for name, array in arrays.items():
        layers.setdefault(name.rpartition("/")[0], []).append(array)
    return layers


def close(found, expected, tolerance):
    """Whether the largest difference is below `tolerance` of the largest value."""
    return np.abs(found - expected).max() <= tolerance * max(np.abs(expected).max(), 1e-3)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", NETS)
def test_forward_and_backward(run, name, engine):
    result, _ = run(name, engine)
    batches = batches_of(name)
    net = NumpyNet(layers_of(name), caffe.TRAIN, params(part(result, "initial")))
    net.forward(data=batches["data"][0], label=batches["label"][0])
    blobs = part(result, "blob")
    for blob, expected in net.blobs.items():
        assert close(blobs[blob], expected, 1e-5), blob
    of_data = net.backward()["data"]
    assert close(result["of_data"], of_data, 1e-4) and np.abs(of_data).max() > 0
    found = params(part(result, "gradient"))
    checked = [(layer, k) for layer, gradients in net.gradients.items() for k in range(len(gradients))]
    assert len(checked) >= 8
    for layer, k in checked:
        assert close(found[layer][k], net.gradients[layer][k], 1e-4), (layer, k)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", NETS)
def test_fifty_iterations(run, name, engine):
    """Losses, weights, the running statistics of BatchNorm, and the TEST phase with them."""
    result, _ = run(name, engine)
    batches = batches_of(name)
    net = NumpyNet(layers_of(name), caffe.TRAIN, params(part(result, "initial")))
    losses = []
    for iteration in range(len(result["losses"])):
        k = iteration % BATCHES
        losses.append(net.forward(data=batches["data"][k], label=batches["label"][k]))
        net.backward()
        net.sgd(0.01, 0.9, 0.005)
    assert len(losses) == 50 and np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])
    np.testing.assert_allclose(result["losses"], losses, rtol=2e-3, atol=2e-4)
    final = params(part(result, "final"))
    for layer, blobs in net.params.items():
        for k, expected in enumerate(blobs):
            assert close(final[layer][k], expected, 5e-3), (layer, k)
    test = NumpyNet(layers_of(name), caffe.TEST, final)
    assert close(result["prob"], test.forward(data=batches["data"][0]), 1e-4)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", NETS)
def test_restored_training_ends_in_the_same_bits(run, name, engine):
    result, _ = run(name, engine)
    final, restored = part(result, "final"), part(result, "restored")
    assert final.keys() == restored.keys()
    for blob, expected in final.items():
        np.testing.assert_array_equal(restored[blob], expected, err_msg=blob)


@pytest.mark.parametrize("name", NETS)
def test_trained_net_in_opencv(run, name, tmp_path):
    """Another reader of the same two files, prototxt and caffemodel."""
    result, folder = run(name, "onednn")
    deploy = caffe.proto.caffe_pb2.NetParameter()
    deploy.layer.extend(one for one in layers_of(name) if not one.include or one.include[0].phase == caffe.TEST)
    (tmp_path / "deploy.prototxt").write_text(str(deploy))
    net = cv2.dnn.readNetFromCaffe(str(tmp_path / "deploy.prototxt"), str(folder / "final.caffemodel"))
    net.setInput(batches_of(name)["data"][0])
    assert close(net.forward("prob"), result["prob"], 1e-4)
