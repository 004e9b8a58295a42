"""Nets of the compared methods on real Caffe: parameters, wiring, arithmetic, one training pass, refusals."""

import h5py
import numpy as np
import pytest
from google.protobuf import text_format
from scipy.signal import convolve2d

from prototxt import builders, drcn, drrn, espcn, fsrcnn, lapsrn, memnet, network, red30, srcnn, vdsr
from prototxt.engine import caffe
from prototxt.errors import NetError
from prototxt.registry import NETWORKS
from tools.nets import runtime

CASES = [
    (net, variant, scale)
    for net in NETWORKS.values()
    if net.name != "idn"  # has tests of its own
    for variant in net.variants
    for scale in net.scales or (None,)
]
IDS = [net.stem(variant, scale) for net, variant, scale in CASES]

# vdsr, lapsrn and memnet_m6r6_released: counted in the released files; drrn, memnet: the papers' 297K and 677K;
# the others derived layer by layer in the generators' docstrings
PARAMETERS = {
    "srcnn_915": 8_129,
    "srcnn_955": 57_281,
    "fsrcnn_x2": 12_809,
    "fsrcnn_x3": 12_809,
    "fsrcnn_x4": 12_809,
    "espcn_x2": 21_284,
    "espcn_x3": 22_729,
    "espcn_x4": 24_752,
    "vdsr": 665_921,
    "drcn": 1_775_121,
    "red30": 4_134_785,
    "lapsrn_x2": 407_441,
    "lapsrn_x4": 814_242,
    "lapsrn_x8": 667_123,
    "drrn_b1u25": 297_601,
    "drrn_b1u9": 297_601,
    "memnet_m6r6": 678_209,
    "memnet_m6r6_released": 2_893_889,
    "memnet_m10r10": 1_375_297,
}


def counts(net, message):
    """Values in distinct arrays by layer type: shared arrays lie at one address and count once."""
    kinds = {layer.name: layer.type for layer in message.layer}
    seen, sums = set(), {}
    for name, blobs in net.params.items():
        for blob in blobs:
            address = blob.data.__array_interface__["data"][0]
            if address not in seen:
                seen.add(address)
                sums[kinds[name]] = sums.get(kinds[name], 0) + blob.data.size
    return sums


def by_name(message):
    return {layer.name: layer for layer in message.layer}


@pytest.mark.parametrize(("net", "variant", "scale"), CASES, ids=IDS)
def test_parameters_and_size_in_caffe(net, variant, scale):
    message = net.net("deploy", scale, variant, input_shape=(9, 11))
    built = runtime.build_net(message)
    found = counts(built, message)
    learnt = sum(found.get(kind, 0) for kind in ("Convolution", "Deconvolution", "PReLU"))
    assert learnt == PARAMETERS[net.stem(variant, scale)]
    (out,) = built.outputs
    m = scale or 1
    side = {"fsrcnn": lambda n: m * (n - 1) + 1}.get(net.name, lambda n: m * n)
    assert built.forward()[out].shape == (1, 1, side(9), side(11))


def test_released_memnet_with_its_scales():
    """2,911,177 in the released file: convolutions, Scale layers, output weights; no BatchNorm statistics."""
    message = memnet.memnet(share=False, input_shape=(8, 8))
    found = counts(runtime.build_net(message), message)
    assert found["Convolution"] + found["Scale"] == 2_911_177


@pytest.mark.parametrize(("net", "variant", "scale"), CASES, ids=IDS)
def test_training_pass(net, variant, scale, tmp_path):
    """The train net reads its HDF5 file, has a loss and a gradient in every array that learns."""
    n, m = {"srcnn": 33, "fsrcnn": 11, "espcn": 17}.get(net.name, 8), 1 if net.name == "srcnn" else scale or 1
    srcnn_label = 21 if variant == "915" else 17
    label = {"fsrcnn": m * (n - 5) + 1, "espcn": m * (n - 8), "srcnn": srcnn_label}.get(net.name, m * n)
    tops = {"label": label}
    if net.name == "lapsrn":
        tops = {f"level{k}_HR": n * m // 2 ** (k - 1) for k in range(lapsrn.LEVELS[scale], 0, -1)}
    rng = np.random.default_rng(5)
    with h5py.File(tmp_path / "pairs.h5", "w") as file:
        file["data"] = rng.random((2, 1, n, n), np.float32)
        for name, side in tops.items():
            file[name] = rng.random((2, 1, side, side), np.float32)
    (tmp_path / "list.txt").write_text(f"{tmp_path}/pairs.h5\n")
    message = net.net("train", scale, variant, source=f"{tmp_path}/list.txt", batch=2)
    caffe.set_random_seed(3)
    built = runtime.build_net(message, phase=caffe.TRAIN)
    losses = [float(value) for name, value in built.forward().items() if "loss" in name]
    assert len(losses) >= 1 and np.isfinite(losses).all() and min(losses) > 0
    built.backward()
    kinds = {layer.name: layer.type for layer in message.layer}
    for name, blobs in built.params.items():
        if kinds[name] != "BatchNorm":
            assert np.abs(blobs[0].diff).max() > 0, name
    train, test = [layer for layer in message.layer if layer.type == "HDF5Data"]
    assert list(train.top) == list(test.top) == ["data", *tops]
    assert [train.include[0].phase, test.include[0].phase] == [caffe.TRAIN, caffe.TEST]


def test_databases_of_make_data_train_an_interpolated_net(capsys):
    vdsr.main(["--phase", "train", "--data-top", "bic"])
    message = text_format.Parse(capsys.readouterr().out, caffe.proto.caffe_pb2.NetParameter())
    assert list(message.layer[0].top) == ["bic", "label"]
    assert list(by_name(message)["conv1"].bottom) == ["bic"] and by_name(message)["sum"].bottom[0] == "bic"


# --- arithmetic ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_pixel_shuffle(scale):
    n = caffe.NetSpec()
    n.data = caffe.layers.Input(shape=dict(dim=[2, scale**2, 5, 3]))
    espcn.pixel_shuffle(n, "shuffle", n.data, scale)
    message = n.to_proto()
    message.force_backward = True
    net = runtime.build_net(message)
    for h, w in ((5, 3), (4, 7)):  # and after a reshape
        x = np.random.default_rng(scale).random((2, scale**2, h, w)).astype(np.float32)
        net.blobs["data"].reshape(*x.shape)
        net.blobs["data"].data[...] = x
        found = net.forward()["shuffle"]
        expected = x.reshape(2, scale, scale, h, w).transpose(0, 3, 1, 4, 2).reshape(2, 1, scale * h, scale * w)
        np.testing.assert_array_equal(found, expected)
        net.blobs["shuffle"].diff[...] = found
        net.backward()
        np.testing.assert_array_equal(net.blobs["data"].diff, x)  # a permutation: its transpose undoes it


def test_lapsrn_level_is_matconvnets():
    """Transposed convolutions against numpy: out[2i + k] += w[k] in[i], then MatConvNet's crops."""
    net = runtime.build_net(lapsrn.lapsrn(scale=2, input_shape=(6, 5)))
    rng = np.random.default_rng(0)
    for blobs in net.params.values():
        for blob in blobs:
            blob.data[...] = rng.normal(0, 0.05, blob.data.shape)
    x = rng.random((6, 5)).astype(np.float32)
    net.blobs["data"].data[0, 0] = x
    net.forward()
    image = transposed(x[None], net.params["level1_img_up"][0].data)[:, 1:-1, 1:-1]
    np.testing.assert_allclose(net.blobs["level1_img_up"].data[0], image, atol=1e-6)
    weights, bias = net.params["level1_upconv"]
    features = transposed(net.blobs["level1_conv10"].data[0], weights.data)[:, :-1, :-1] + bias.data[:, None, None]
    features = np.where(features > 0, features, 0.2 * features)
    np.testing.assert_allclose(net.blobs["level1_upcrop"].data[0], features, atol=1e-5)
    weights, bias = (blob.data for blob in net.params["level1_residual"])
    padded = np.pad(features, ((0, 0), (1, 1), (1, 1)))
    residual = sum(convolve2d(p, w[::-1, ::-1], "valid") for p, w in zip(padded, weights[0])) + bias[0]
    np.testing.assert_allclose(net.blobs["level1_output"].data[0, 0], image[0] + residual, atol=1e-5)


def transposed(x, weights, stride=2):
    """(C, H, W) through weights (C, D, k, k) to (D, 2 (H - 1) + k, 2 (W - 1) + k)."""
    k = weights.shape[-1]
    out = np.zeros((weights.shape[1], stride * (x.shape[1] - 1) + k, stride * (x.shape[2] - 1) + k))
    for i in range(x.shape[1]):
        for j in range(x.shape[2]):
            out[:, stride * i : stride * i + k, stride * j : stride * j + k] += np.tensordot(x[:, i, j], weights, 1)
    return out


def test_charbonnier_value_and_gradient():
    n = caffe.NetSpec()
    n.a = caffe.layers.Input(shape=dict(dim=[2, 1, 3, 4]))
    n.b = caffe.layers.Input(shape=dict(dim=[2, 1, 3, 4]))
    builders.charbonnier(n, "loss", n.a, n.b, batch=2)
    message = n.to_proto()
    message.force_backward = True
    net = runtime.build_net(message, phase=caffe.TRAIN)
    a, b = np.random.default_rng(1).normal(size=(2, 2, 1, 3, 4)).astype(np.float32)
    net.blobs["a"].data[...], net.blobs["b"].data[...] = a, b
    d = (a - b).astype(np.float64)
    assert float(net.forward()["loss"]) == pytest.approx(np.sqrt(d**2 + 1e-6).sum() / 2, rel=1e-5)
    net.backward()
    np.testing.assert_allclose(net.blobs["a"].diff, d / np.sqrt(d**2 + 1e-6) / 2, rtol=1e-3, atol=1e-6)


def test_drcn_is_the_weighted_sum_of_its_predictions():
    net = runtime.build_net(drcn.drcn(recursions=3, width=8, input_shape=(7, 6)))
    net.params["ensemble"][0].data.flat = [0.2, 0.5, 0.3]
    net.blobs["data"].data[...] = np.random.default_rng(2).random((1, 1, 7, 6))
    net.forward()
    predictions = [net.blobs[f"prediction{k}"].data[0, 0] for k in (3, 4, 5)]
    assert np.ptp(predictions, axis=0).max() > 1e-4
    expected = sum(w * p for w, p in zip((0.2, 0.5, 0.3), predictions))
    np.testing.assert_allclose(net.blobs["ensemble"].data[0, 0], expected, atol=1e-6)
    net.params["conv3"][0].data[...] = 0.5  # shared: the other recursions change with it
    assert (net.params["conv5"][0].data == 0.5).all() and not (net.params["conv2"][0].data == 0.5).any()


# --- wiring ------------------------------------------------------------------------------------------


def test_vdsr_is_the_public_port():
    layers = by_name(vdsr.vdsr())
    assert [name for name in layers if name.startswith("conv")] == [f"conv{k}" for k in range(1, 21)]
    assert list(layers["sum"].bottom) == ["data", "conv20"]
    assert sum(layer.type == "ReLU" for layer in layers.values()) == 19


def test_drrn_adds_the_head_and_shares_its_convolutions():
    layers = by_name(drrn.drrn(units=9))
    for u in range(1, 10):
        assert list(layers[f"eltwise1_{u}"].bottom) == ["conv1", f"conv1_{u}b"]
        assert [p.name for p in layers[f"conv1_{u}a"].param] == ["RB1_wa", "RB1_ba"]
        assert [p.name for p in layers[f"conv1_{u}b"].param] == ["RB1_wb", "RB1_bb"]
        assert [p.lr_mult for p in layers[f"bn_conv1_{u}a"].param] == [0, 0, 0]
    assert list(layers["bn_conv_end"].bottom) == ["eltwise1_9"]
    assert list(layers["HR_recovery"].bottom) == ["data", "conv_end"]


def test_memnet_gates_see_all_memory():
    layers = by_name(memnet.memnet(blocks=6, recursions=6, share=False))
    short_term = [f"eltwise03_{r:02}" for r in range(1, 7)]
    long_term = ["conv1", "conv_transition_01", "conv_transition_02"]
    assert list(layers["concat03"].bottom) == long_term + short_term
    assert list(layers["eltwise03_01"].bottom) == ["conv_transition_02", "conv03_01_b"]
    assert [p.name for p in layers["conv_end_05"].param] == ["Recon_w", "Recon_b"]
    assert not any(p.name for p in layers["conv03_02_a"].param)
    shared = by_name(memnet.memnet(blocks=10, recursions=10))
    assert [p.name for p in shared["conv07_10_b"].param] == ["conv07_wb", "conv07_bb"]
    assert len(layers["HR_recovery"].bottom) == 6 and not layers["weight_output_end_01"].scale_param.bias_term


def test_red30_skips_are_mirrored():
    layers = by_name(red30.red30())
    skips = {name: layer.bottom[1] for name, layer in layers.items() if layer.type == "Eltwise" and name != "sum"}
    assert skips == {f"sum{k}": f"conv{15 - k}" for k in (1, 3, 5, 7, 9, 11, 13)}
    assert list(layers["sum"].bottom) == ["data", "deconv15"]


# --- refusals ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: srcnn.srcnn(middle=7), r"middle: got 7, expected 1, 3 or 5"),
        (lambda: fsrcnn.fsrcnn(scale=2, s=0), r"s: got 0, expected a whole number"),
        (lambda: drcn.drcn(recursions=0), r"recursions: got 0, expected a whole number"),
        (lambda: drcn.drcn(alpha=2), r"alpha: got 2, expected 0 to 1"),
        (lambda: red30.red30(width=1.5), r"width: got 1.5, expected a whole number"),
        (lambda: lapsrn.lapsrn(scale=3), r"scale: got 3, lapsrn has 2, 4, 8; x3 is the output of the x4 net"),
        (lambda: lapsrn.lapsrn(scale=2, loss="l2"), r"loss: got 'l2', expected charbonnier"),
        (lambda: lapsrn.lapsrn(scale=2, depth=0), r"depth: got 0, expected a whole number"),
        (lambda: drrn.drrn(units=0), r"units: got 0, expected a whole number"),
        (lambda: memnet.memnet(blocks=100), r"blocks: got 100, expected a whole number of 1 to 99"),
        (lambda: NETWORKS["vdsr"].net("test"), r"phase: got 'test', expected one of train, deploy"),
        (lambda: NETWORKS["vdsr"].net(scale=5), r"scale: got 5, expected 2, 3 or 4"),
        (lambda: NETWORKS["fsrcnn"].net(scale=8), r"scale: got 8, fsrcnn has 2, 3, 4"),
        (lambda: NETWORKS["drrn"].net(variant="b2"), r"variant: got 'b2', drrn has b1u25, b1u9"),
        (lambda: NETWORKS["vdsr"].solver(lr_step=4), r"lr-step: got 4, expected 0 to 3 \(the schedule has 4"),
    ],
)
def test_options_that_make_no_net_are_refused(call, text):
    with pytest.raises(NetError, match=text):
        call()


def test_every_network_has_its_files(root):
    for net in NETWORKS.values():
        assert isinstance(net, network.Network)
        assert set(net.files()) <= {path.name for path in (root / "prototxt/generated").iterdir()}
