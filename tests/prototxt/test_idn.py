"""The generated IDN nets: structure against the release's facts, numbers against plain numpy, refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import convolve2d

from prototxt.engine import caffe
from prototxt.errors import NetError
from prototxt.idn import idn
from tools.nets import caffemodels, runtime

SCALES = (2, 3, 4)
# parameters of the released weights, counted in the three .caffemodel files of commit 482c601
PARAMETERS = 552_769
# Table 1 of the paper: LR and HR sub-images
TRAIN_SIZES = {2: (29, 57), 3: (15, 43), 4: (11, 41)}


def expected_layers(blocks=4):
    """(name, in, out, kernel, group) of every convolution in order; widths read off the released weights."""
    rows = [("conv1", 1, 64, 3, 1), ("conv2", 64, 64, 3, 1)]
    for k in range(1, blocks + 1):
        widths = [(64, 48, 1), (48, 32, 4), (32, 64, 1), (48, 64, 1), (64, 48, 4), (48, 80, 1)]
        rows += [(f"conv{k + 2}_{i}", cin, out, 3, g) for i, (cin, out, g) in enumerate(widths, 1)]
        rows.append((f"down{k}", 80, 64, 1, 1))
    return rows


def by_type(net, kind):
    return [layer for layer in net.layer if layer.type == kind]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("phase", ["train", "finetune", "deploy"])
def test_convolutions_are_the_released_ones(scale, phase):
    net = idn(scale, phase)
    found = by_type(net, "Convolution")
    assert [layer.name for layer in found] == [row[0] for row in expected_layers()]
    for layer, (_, _, out, kernel, group) in zip(found, expected_layers()):
        p = layer.convolution_param
        assert (p.num_output, list(p.kernel_size), list(p.pad), p.group) == (out, [kernel], [kernel // 2], group)
        assert [q.lr_mult for q in layer.param] == pytest.approx([1, 0.1])
        assert (p.weight_filler.type, p.weight_filler.variance_norm) == ("msra", p.weight_filler.AVERAGE)
        assert (p.bias_filler.type, p.bias_filler.value) == ("constant", 0)


@pytest.mark.parametrize("scale", SCALES)
def test_rblock_is_the_released_one(scale):
    (layer,) = by_type(idn(scale), "Deconvolution")
    p = layer.convolution_param
    assert layer.name == "upsample"
    assert (p.num_output, list(p.kernel_size), list(p.pad), list(p.stride)) == (1, [17], [8], [scale])
    assert [q.lr_mult for q in layer.param] == pytest.approx([0.1, 0.1])
    assert p.weight_filler.variance_norm == p.weight_filler.AVERAGE


def test_every_convolution_has_its_leaky_relu_and_upsample_none():
    net = idn(3)
    activated = {layer.bottom[0]: layer for layer in by_type(net, "ReLU")}
    assert set(activated) == {row[0] for row in expected_layers()}
    for blob, layer in activated.items():
        assert list(layer.top) == [blob]
        assert layer.relu_param.negative_slope == pytest.approx(0.05)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_enhancement_unit_is_wired_as_figure_3(k):
    layers = {layer.name: layer for layer in idn(3).layer}
    before = "conv2" if k == 1 else f"down{k - 1}"
    assert list(layers[f"conv{k + 2}_1"].bottom) == [before]
    piece = layers[f"slice{k}"]
    assert list(piece.bottom) == [f"conv{k + 2}_3"] and list(piece.slice_param.slice_point) == [16]
    assert piece.slice_param.axis == 1
    assert list(layers[f"concat{k}"].bottom) == [before, piece.top[0]]
    assert list(layers[f"conv{k + 2}_4"].bottom) == [piece.top[1]]
    assert list(layers[f"sum{k}"].bottom) == [f"concat{k}", f"conv{k + 2}_6"]
    assert list(layers[f"down{k}"].bottom) == [f"sum{k}"]


@pytest.mark.parametrize("scale", SCALES)
def test_parameters_and_shapes_in_caffe(scale):
    lr, hr = TRAIN_SIZES[scale]
    net = runtime.build_net(idn(scale, input_shape=(lr, lr)))
    assert sum(blob.data.size for blobs in net.params.values() for blob in blobs) == PARAMETERS
    for name, cin, out, kernel, group in expected_layers():
        weights, bias = net.params[name]
        assert weights.data.shape == (out, cin // group, kernel, kernel)
        assert bias.data.shape == (out,) and not bias.data.any()
    assert net.blobs["upsample"].data.shape == (1, 1, hr, hr)


def test_msra_filler_has_the_average_variance():
    caffe.set_random_seed(3)
    weights = runtime.build_net(idn(2)).params["conv3_6"][0].data
    # He et al.: variance 2 / n, with n the mean of fan-in 48 * 9 and fan-out 80 * 9 (34,560 weights)
    assert weights.var() == pytest.approx(2 / ((48 + 80) / 2 * 9), rel=0.05)


@pytest.mark.parametrize("scale", SCALES)
def test_released_weights_load_by_name(shared, scale):
    path = shared / "weights" / "idn" / f"IDN_x{scale}.caffemodel"
    net = runtime.build_net(idn(scale), path)
    assert sum(len(layer.blobs) > 0 for layer in caffemodels.read(path).layer) == 31
    assert all(np.abs(blobs[0].data).max() > 0.01 for blobs in net.params.values())


def lrelu(x, slope=0.05):
    return np.where(x > 0, x, slope * x)


def convolution(x, blobs, group):
    """Plain numpy/scipy convolution, (C, H, W) in and out, size kept."""
    weights, bias = (blob.data.astype(np.float64) for blob in blobs)
    out, per_group = weights.shape[:2]
    size = out // group
    return np.stack([
        bias[o] + sum(
            convolve2d(x[o // size * per_group + c], weights[o, c, ::-1, ::-1], "same")
            for c in range(per_group)
        )
        for o in range(out)
    ])  # fmt: skip


def reference_idn(net, x, scale):
    """Equations 1 to 12 and the transposed convolution, written again in numpy, float64."""
    conv = lambda name, x, group=1: lrelu(convolution(x, net.params[name], group))  # noqa: E731
    b = conv("conv2", conv("conv1", x[None].astype(np.float64)))
    for k in range(1, 5):
        name = f"conv{k + 2}_{{}}".format
        p1 = conv(name(3), conv(name(2), conv(name(1), b), 4))
        p2 = conv(name(6), conv(name(5), conv(name(4), p1[16:]), 4))
        b = conv(f"down{k}", p2 + np.concatenate([b, p1[:16]]))
    weights, bias = (blob.data.astype(np.float64) for blob in net.params["upsample"])
    h, w = x.shape
    spread = np.zeros((64, scale * (h - 1) + 1, scale * (w - 1) + 1))
    spread[:, ::scale, ::scale] = b
    return bias[0] + sum(convolve2d(spread[c], weights[c, 0], "same") for c in range(64))


@pytest.mark.parametrize("scale", SCALES)
def test_forward_equals_the_equations(scale):
    caffe.set_random_seed(scale)
    net = runtime.build_net(idn(scale, input_shape=(7, 9)))
    rng = np.random.default_rng(scale)
    for blobs in net.params.values():
        blobs[1].data[...] = rng.normal(0, 0.05, blobs[1].data.shape)  # a zero bias would hide its place
    x = rng.random((7, 9))
    net.blobs["data"].data[0, 0] = x
    found = net.forward()["upsample"][0, 0]
    expected = reference_idn(net, x, scale)
    assert np.abs(expected).max() > 0.01
    # single precision through 30 layers
    np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max())


def loss_net(loss, batch):
    """The loss layers of the train net alone, behind plain inputs."""
    net = idn(3, "train", loss=loss, batch=batch)
    part = caffe.proto.caffe_pb2.NetParameter(force_backward=True)
    for name in ("sum", "label"):
        layer = part.layer.add(name=name, type="Input", top=[name])
        layer.input_param.shape.add(dim=[batch, 1, 5, 4])
    part.layer.extend(layer for layer in net.layer if layer.name in ("difference", "loss"))
    return part


@pytest.mark.parametrize("loss", ["l1", "l2"])
def test_losses_and_gradients(loss):
    """l1: sum |d| / N and sign(d) / N, the release's L1Loss; l2: sum d^2 / (2N) and d / N."""
    batch = 64
    net = runtime.build_net(loss_net(loss, batch), phase=caffe.TRAIN)
    rng = np.random.default_rng(1)
    d = rng.normal(size=(2, batch, 1, 5, 4)).astype(np.float32)
    net.blobs["sum"].data[...], net.blobs["label"].data[...] = d
    difference = (d[0] - d[1]).astype(np.float64)
    value = np.abs(difference).sum() / batch if loss == "l1" else (difference**2).sum() / (2 * batch)
    gradient = np.sign(difference) / batch if loss == "l1" else difference / batch
    assert value > 1
    assert float(net.forward()["loss"]) == pytest.approx(value, rel=1e-5)
    net.backward()
    np.testing.assert_allclose(net.blobs["sum"].diff, gradient, rtol=1e-5, atol=1e-9)


def test_l1_divides_by_the_batch_of_its_phase():
    net = idn(3, "train", batch=16)
    coefficients = {layer.include[0].phase: layer.reduction_param.coeff for layer in by_type(net, "Reduction")}
    assert coefficients == {caffe.TRAIN: 1 / 16, caffe.TEST: 1 / 2}


def test_train_net_reads_both_databases():
    train, test = by_type(idn(4, "finetune", source="a.txt", test_source="b.txt", batch=8), "HDF5Data")
    for layer, phase, source, size in ((train, caffe.TRAIN, "a.txt", 8), (test, caffe.TEST, "b.txt", 2)):
        assert list(layer.top) == ["data", "label", "bic"]
        assert [rule.phase for rule in layer.include] == [phase]
        assert (layer.hdf5_data_param.source, layer.hdf5_data_param.batch_size) == (source, size)
        assert not layer.hdf5_data_param.shuffle


def test_finetuning_is_mse_and_training_mae():
    assert [layer.type for layer in idn(2, "train").layer[-2:]] == ["Reduction", "Reduction"]
    assert idn(2, "finetune").layer[-1].type == "EuclideanLoss"


@given(
    blocks=st.integers(1, 9), d=st.integers(1, 12), extra=st.integers(1, 12), s=st.sampled_from([2, 3, 4]),
    groups=st.sampled_from([1, 2, 4]), scale=st.sampled_from(SCALES),
)  # fmt: skip
def test_any_widths_that_fit_make_a_net(blocks, d, extra, s, groups, scale):
    d, D3 = d * groups * s, (2 * d + extra) * groups * s
    net = idn(scale, blocks=blocks, D3=D3, d=d, s=s, groups=groups)
    outputs = {layer.name: layer.convolution_param.num_output for layer in by_type(net, "Convolution")}
    for k in range(1, blocks + 1):
        D = [outputs[f"conv{k + 2}_{i}"] for i in range(1, 7)]
        # equations 6 and 7
        assert D[2] - D[0] == D[0] - D[1] == d and D[5] - D[3] == D[3] - D[4] == d and D[3] == D[2]
        # both sides of the sum in equation 11 are equally wide
        assert outputs[f"down{k}"] + D3 // s == D[5]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (dict(d=64), r"d: got 64 with D3 = 64, expected d < D3"),
        (dict(d=32), r"expected 2d < D3 \(D2 = D3 - 2d"),
        (dict(s=5), r"s: got 5, expected a divisor of D3 = 64"),
        (dict(s=1), r"s: got 1, expected at least 2"),
        (dict(groups=5), r"groups: got 5, expected a divisor of D1 = D3 - d = 48"),
        (dict(D3=60, d=14, groups=4), r"groups: got 4, expected a divisor of D1 = D3 - d = 46"),
        (dict(blocks=0), r"blocks: got 0, expected a whole number of at least 1"),
        (dict(blocks=10), r"blocks: got 10, expected 1 to 9"),
        (dict(D3=64.0), r"D3: got 64.0, expected a whole number"),
        (dict(slope=1.5), r"slope: got 1.5"),
        (dict(phase="test"), r"phase: got 'test', expected one of train, finetune, deploy"),
        (dict(phase="train", loss="huber"), r"loss: got 'huber', expected l1 or l2"),
        (dict(scale=5), r"scale: got 5, expected 2, 3 or 4"),
    ],
)
def test_options_that_make_no_net_are_refused(options, text):
    with pytest.raises(NetError, match=text):
        idn(**{"scale": 3, "phase": "deploy", **options})
