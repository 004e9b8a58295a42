"""The same net in Caffe, OpenCV and ONNX Runtime; ONNX files."""

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from google.protobuf import text_format

from prototxt import espcn
from prototxt.engine import caffe
from prototxt.idn import idn
from tools import benchmark, export_onnx, upscale
from tools.common.errors import UserError
from tools.methods import registry
from tools.nets import engines, onnx_graph, runtime, tiles

SIZES = ((20, 23), (33, 18))


def generated(root):
    return sorted((root / "prototxt" / "generated").glob("*_deploy.prototxt"))


def read(path):
    return text_format.Merge(path.read_text(), caffe.proto.caffe_pb2.NetParameter())


def random_net(message, seed=1):
    """A net with random weights; BatchNorm layers get statistics of their own, or they would hide a mistake."""
    caffe.set_random_seed(seed)
    net = runtime.build_net(message)
    rng = np.random.default_rng(seed)
    for layer in message.layer:
        if layer.type == "BatchNorm":
            mean, variance, weight = net.params[layer.name]
            mean.data[...] = rng.normal(0, 0.1, mean.data.shape)
            variance.data[...] = rng.uniform(0.5, 2, variance.data.shape)
            weight.data[...] = 2  # the arrays hold twice the statistics then
        elif layer.type == "PReLU":
            net.params[layer.name][0].data[...] = rng.uniform(0.1, 0.4, net.params[layer.name][0].data.shape)
    return net


def differences(net, other, output):
    """Largest difference at each of SIZES, as a part of the largest value."""
    rng = np.random.default_rng(0)
    for size in SIZES:
        image = rng.random(size, dtype=np.float32)
        expected, found = (runtime.forward(one, image, output) for one in (net, other))
        assert found.shape == expected.shape and found.dtype == np.float32
        assert np.abs(expected).max() > 0
        yield np.abs(found - expected).max() / np.abs(expected).max()


def test_opencv_runs_idn():
    message = idn(3, "deploy")
    net = random_net(message)
    assert max(differences(net, engines.convert(net, message, "opencv"), "upsample")) < 1e-5


def test_engines_take_tiles(tmp_path):
    method = registry.METHODS["VDSR"]
    message = method.build(2)
    net = random_net(message)
    image = np.random.default_rng(0).random((50, 70), dtype=np.float32)
    expected = tiles.forward(net, image, method.blob, (32, 20))
    found = tiles.forward(engines.convert(net, message, "opencv"), image, method.blob, (32, 20))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_opencv_says_what_it_cannot_run():
    message = espcn.espcn(scale=2)
    net = engines.convert(runtime.build_net(message), message, "opencv")
    with pytest.raises(UserError, match=r"engine opencv: cannot run ESPCN_x2 \(.*\); use --engine caffe"):
        runtime.forward(net, np.zeros((9, 9), np.float32), "shuffle")


def test_caffe_stays_caffe_and_others_are_refused():
    message = idn(2, "deploy")
    net = runtime.build_net(message)
    assert engines.convert(net, message, "caffe") is net
    with pytest.raises(UserError, match="engine: got 'mxnet', expected one of caffe, .*opencv, onnxruntime"):
        engines.convert(net, message, "mxnet")


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UserError, match="onnx is not installed.*pip install"):
        engines.check_engine("onnxruntime")


def test_benchmark_refuses_a_gpu_for_other_engines():
    with pytest.raises(UserError, match="--engine opencv: runs on the CPU only"):
        benchmark.main(["--engine", "opencv", "--gpu", "0"])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--engine", "opencv", "--gpu", "0"], "--engine opencv: runs on the CPU only"),
        (["--engine", "cudagraph"], "--engine cudagraph: runs on a GPU only; give its number with --gpu"),
    ],
)
def test_upscale_refuses_an_engine_on_the_wrong_device(tmp_path, options, text):
    picture = tmp_path / "a.png"
    cv2.imwrite(str(picture), np.zeros((20, 20), np.uint8))
    with pytest.raises(UserError, match=text):
        upscale.main([str(picture), "-o", str(tmp_path / "b.png"), "--scale", "3", *options])
    assert not (tmp_path / "b.png").exists()


@pytest.mark.parametrize(
    ("asked", "cores", "expected"), [("", 4, 4), ("3", 4, 3), ("9", 4, 4), ("2,1", 4, 2), ("x", 4, 4), ("0", 2, 2)]
)
def test_threads_follow_the_environment_and_the_affinity(monkeypatch, asked, cores, expected):
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    assert engines.threads() == expected


# ONNX --------------------------------------------------------------------------------------------------------


@pytest.fixture
def onnx():
    pytest.importorskip("onnxruntime", reason="pip install '.[speed]'")
    return pytest.importorskip("onnx", reason="pip install '.[speed]'")


def test_every_generated_net_agrees_in_onnx_runtime(root, onnx):
    tried = 0
    for path in generated(root):
        message = read(path)
        net = random_net(message)
        # DRRN is 52 convolutions deep with sums in between: random weights amplify rounding
        for difference in differences(net, engines.convert(net, message, "onnxruntime"), net.outputs[-1]):
            assert difference < (1e-4 if "drrn" in path.name else 1e-5), path.name
            tried += 1
    assert tried >= 2 * 15


RARE = """
name: "rare"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 1 dim: 12 dim: 12 } } }
layer { name: "maps" type: "Convolution" bottom: "data" top: "maps" convolution_param { num_output: 6 kernel_h: 3
    kernel_w: 5 pad_h: 1 pad_w: 2 dilation: 1 weight_filler { type: "gaussian" std: 0.5 } } }
layer { name: "two" type: "Split" bottom: "maps" top: "one" top: "other" }
layer { name: "prelu" type: "PReLU" bottom: "one" top: "bent" prelu_param { filler { value: 0.3 } } }
layer { name: "power" type: "Power" bottom: "other" top: "power" power_param { power: 2 scale: 0.5 shift: 0.1 } }
layer { name: "halves" type: "Slice" bottom: "power" top: "low" top: "high" }
layer { name: "product" type: "Eltwise" bottom: "low" bottom: "high" top: "product" eltwise_param { operation: PROD } }
layer { name: "largest" type: "Eltwise" bottom: "low" bottom: "product" top: "largest"
    eltwise_param { operation: MAX } }
layer { name: "weighted" type: "Eltwise" bottom: "largest" bottom: "high" top: "weighted"
    eltwise_param { operation: SUM coeff: -1 coeff: 0.25 } }
layer { name: "sigmoid" type: "Sigmoid" bottom: "weighted" top: "weighted" }
layer { name: "all" type: "Concat" bottom: "weighted" bottom: "bent" top: "all" }
layer { name: "norm" type: "BatchNorm" bottom: "all" top: "all" }
layer { name: "scale" type: "Scale" bottom: "all" top: "all" scale_param { bias_term: true filler { value: 0.7 }
    bias_filler { value: -0.2 } } }
layer { name: "grouped" type: "Deconvolution" bottom: "all" top: "up" convolution_param { num_output: 3 group: 3
    kernel_size: 5 stride: 2 pad: 2 weight_filler { type: "gaussian" std: 0.5 } } }
layer { name: "flat" type: "Reshape" bottom: "up" top: "flat" reshape_param { shape { dim: 0 dim: 1 dim: -1 }
    axis: 0 num_axes: 3 } }
"""


def test_options_that_no_generated_net_has(onnx):
    message = text_format.Merge(RARE, caffe.proto.caffe_pb2.NetParameter())
    net = random_net(message)
    assert max(differences(net, engines.convert(net, message, "onnxruntime"), "flat")) < 1e-5


def test_a_layer_without_translation_is_named(onnx):
    text = RARE + 'layer { name: "pool" type: "Pooling" bottom: "up" top: "pool" pooling_param { kernel_size: 2 } }'
    message = text_format.Merge(text, caffe.proto.caffe_pb2.NetParameter())
    with pytest.raises(UserError, match="layer 'pool': type Pooling has no translation to ONNX; known: Input, "):
        onnx_graph.model(message, runtime.build_net(message), "pool")


def test_export_writes_a_checked_model(root, tmp_path, onnx, capsys):
    import onnxruntime

    prototxt = root / "prototxt" / "generated" / "idn_x3_deploy.prototxt"
    net = random_net(read(prototxt))
    net.save(str(tmp_path / "idn.caffemodel"))
    out = tmp_path / "made" / "idn.onnx"
    assert export_onnx.main([str(prototxt), str(tmp_path / "idn.caffemodel"), str(out)]) == 0
    assert "upsample" in capsys.readouterr().err
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    assert [one.shape for one in session.get_inputs()] == [["batch", 1, "height", "width"]]
    image = np.random.default_rng(3).random((2, 1, 13, 29), dtype=np.float32)
    found = session.run(["upsample"], {"data": image})[0]
    assert found.shape == (2, 1, 37, 85)
    np.testing.assert_allclose(found[1, 0], runtime.forward(net, image[1, 0]), atol=1e-5)
    assert [path.name for path in out.parent.iterdir()] == ["idn.onnx"]


def test_export_refuses_what_does_not_fit(root, tmp_path, onnx):
    prototxt = str(root / "prototxt" / "generated" / "idn_x3_deploy.prototxt")
    runtime.build_net(idn(3, "deploy", D3=32, d=8)).save(str(tmp_path / "small.caffemodel"))
    out = tmp_path / "out.onnx"
    with pytest.raises(UserError, match="expected a name that ends in .onnx"):
        export_onnx.main([prototxt, str(tmp_path / "small.caffemodel"), str(tmp_path / "out")])
    with pytest.raises(UserError, match="has shapes .*, expected "):
        export_onnx.main([prototxt, str(tmp_path / "small.caffemodel"), str(out)])
    with pytest.raises(UserError, match="no such file, expected a .caffemodel"):
        export_onnx.main([prototxt, str(tmp_path / "none.caffemodel"), str(out)])
    with pytest.raises(UserError, match="expected pairs of height and width"):
        export_onnx.main([prototxt, "w.caffemodel", str(out), "--sizes", "9"])
    assert not out.exists()


SHARED = """
name: "shared"
input: "LR" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 9
layers { name: "maps" type: CONVOLUTION bottom: "LR" top: "maps" convolution_param { num_output: 4 kernel_size: 3 } }
layers { name: "drop" type: DROPOUT bottom: "maps" top: "maps" }
layers { name: "other" type: CONVOLUTION bottom: "maps" top: "other" include { phase: TRAIN }
    convolution_param { num_output: 4 kernel_size: 3 } }
layers { name: "relu" type: RELU bottom: "maps" top: "out" }
"""
SCALARS = """
name: "scalars"
layer { name: "data" type: "Input" top: "LR" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 9 } } }
layer { name: "maps" type: "Convolution" bottom: "LR" top: "maps" convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "label" type: "HDF5Data" top: "label" include { phase: TRAIN } }
layer { name: "slope" type: "PReLU" bottom: "maps" top: "maps" prelu_param { channel_shared: true } }
layer { name: "factor" type: "Scale" bottom: "maps" top: "maps" scale_param { num_axes: 0 axis: 0 bias_term: true } }
layer { name: "last" type: "Scale" bottom: "maps" top: "out" scale_param { axis: -3 } }
"""


@pytest.mark.parametrize("text", [SHARED, SCALARS])
@pytest.mark.parametrize("form", ["save", "save_hdf5"])
def test_export_of_foreign_nets(text, form, tmp_path, onnx, capsys):
    """Old fields and layers, rules, scalar weights, another input than `data`, three maps, both weight formats."""
    import onnxruntime

    (tmp_path / "net.prototxt").write_text(text)
    net = caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST)
    rng = np.random.default_rng(2)
    for blobs in net.params.values():
        for blob in blobs:
            blob.data[...] = rng.normal(0, 0.5, blob.data.shape)
    getattr(net, form)(str(tmp_path / "weights"))
    files = [str(tmp_path / name) for name in ("net.prototxt", "weights", "out.onnx")]
    assert export_onnx.main(files) == 0
    assert "out.onnx: out, " in capsys.readouterr().err
    session = onnxruntime.InferenceSession(files[2], providers=["CPUExecutionProvider"])
    image = rng.random((1, 3, 8, 9), dtype=np.float32)
    net.blobs["LR"].data[...] = image
    net.forward()
    np.testing.assert_allclose(session.run(["out"], {"LR": image})[0], net.blobs["out"].data, atol=1e-5)
    assert np.ptp(net.blobs["out"].data) > 0.1


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--sizes", "1", "1"], "Caffe refuses layer 'maps', input 1x1 .*give sizes that this net takes"),
        (["--sizes", "9", "9", "2", "2"], "--sizes: 2 2 leaves nothing of blob 'out'; give larger ones"),
        (["--sizes", "1000000", "1000000"], "Caffe refuses input 1000000x1000000 .*exceeds INT_MAX"),
        (["--sizes", "9" * 30, "9"], "expected pairs of height and width from 1 to 1048576"),
        (["--sizes", "-9", "9"], "expected pairs of height and width from 1 to 1048576"),
        (["--output", "nope"], "--output nope: .* has no such blob; it has LR, maps, out"),
        (["--level", "3000000000"], "--level: got 3000000000, expected"),
    ],
)
def test_export_says_which_option_is_wrong(options, text, tmp_path, onnx):
    (tmp_path / "net.prototxt").write_text(SCALARS)
    caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST).save(str(tmp_path / "weights"))
    files = [str(tmp_path / name) for name in ("net.prototxt", "weights", "out.onnx")]
    with pytest.raises(UserError, match=text):
        export_onnx.main([*files, *options])
    assert not (tmp_path / "out.onnx").exists()


def test_export_refuses_a_folder_for_a_file(tmp_path, onnx):
    (tmp_path / "out.onnx").mkdir()
    with pytest.raises(UserError, match="out.onnx: is a folder, expected the name of a file to write"):
        export_onnx.main(["net.prototxt", "weights", str(tmp_path / "out.onnx")])


def test_export_to_a_full_disk_leaves_nothing(root, tmp_path, onnx):
    (tmp_path / "net.prototxt").write_text(SCALARS.replace("num_output: 4", "num_output: 1500"))
    caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST).save(str(tmp_path / "weights"))
    command = f"ulimit -f 100; exec {root}/tools/export_onnx.py net.prototxt weights out.onnx --sizes 5 5"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "File too large" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.prototxt", "weights"]


def test_onnx_runtime_out_of_memory_is_one_line(root, tmp_path, onnx):
    (tmp_path / "net.prototxt").write_text(SCALARS)
    caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST).save(str(tmp_path / "weights"))
    command = f"ulimit -v 3000000; exec {root}/tools/export_onnx.py net.prototxt weights o.onnx --sizes 5000 5000"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "memory" in done.stderr


def test_export_writes_nothing_that_disagrees(root, tmp_path, onnx, monkeypatch):
    """A translation with a mistake in it: the slope of the activations left out."""
    wrong = lambda graph, layer, sources, tops: graph.node("Relu", sources, tops)  # noqa: E731
    monkeypatch.setitem(onnx_graph.LAYERS, "ReLU", wrong)
    prototxt = root / "prototxt" / "generated" / "idn_x2_deploy.prototxt"
    random_net(read(prototxt)).save(str(tmp_path / "w.caffemodel"))
    with pytest.raises(UserError, match="not written, ONNX Runtime's output differs from Caffe's by"):
        export_onnx.main([str(prototxt), str(tmp_path / "w.caffemodel"), str(tmp_path / "o.onnx")])
    assert not (tmp_path / "o.onnx").exists()


def test_export_is_one_line_for_a_user(root, tmp_path):
    tool = root / "tools" / "export_onnx.py"
    done = subprocess.run([tool, "a.prototxt", "b.caffemodel", "c.txt"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "export_onnx.py: c.txt: expected a name that ends in .onnx\n"
