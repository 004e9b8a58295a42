"""The layer type L1Loss against NumPy and against the stock layers that the generators write for the same loss."""

import h5py
import numpy as np
import pytest

from prototxt import builders
from prototxt.engine import caffe
from prototxt.idn import idn

IN = 'layer {{ name: "{0}" type: "Input" top: "{0}" input_param {{ shape {{ {1} }} }} }}\n'


def build(tmp_path, text, force=True):
    path = tmp_path / "net.prototxt"
    path.write_text(f"force_backward: {str(force).lower()}\n" + text)
    return caffe.Net(str(path), caffe.TRAIN)


def two_inputs(shape, names=("sum", "label")):
    dims = " ".join(f"dim: {side}" for side in shape)
    return "".join(IN.format(name, dims) for name in names)


def loss_layer(options=""):
    return f'layer {{ name: "loss" type: "L1Loss" bottom: "sum" bottom: "label" top: "loss" {options} }}\n'


def fill(net, seed=0):
    rng = np.random.default_rng(seed)
    for name in ("sum", "label"):
        net.blobs[name].data[...] = rng.standard_normal(net.blobs[name].shape)
    net.blobs["label"].data.flat[:3] = net.blobs["sum"].data.flat[:3]  # equal values have no gradient
    return np.float32(net.blobs["sum"].data) - net.blobs["label"].data


@pytest.mark.parametrize("shape", [(4, 1, 7, 5), (6, 3, 4, 4), (5,), (3, 2)])
def test_the_sum_is_over_the_batch_size(tmp_path, shape):
    net = build(tmp_path, two_inputs(shape) + loss_layer("loss_weight: 0.5"))
    difference = fill(net)
    assert net.forward()["loss"] == pytest.approx(np.abs(difference, dtype=float).sum() / shape[0], rel=1e-6)
    net.backward()
    np.testing.assert_allclose(net.blobs["sum"].diff, 0.5 * np.sign(difference) / shape[0], rtol=1e-6)
    np.testing.assert_array_equal(net.blobs["label"].diff, -net.blobs["sum"].diff)
    assert (net.blobs["sum"].diff.flat[:3] == 0).all()


def test_the_loss_weighs_1_unless_said_otherwise(tmp_path):
    net = build(tmp_path, two_inputs((2, 3)) + loss_layer())
    assert net.blob_loss_weights["loss"] == 1


@pytest.mark.parametrize("asked", [(True, False), (False, True), (True, True)])
def test_propagate_down_is_heeded(tmp_path, asked):
    """Each bottom comes from a layer that learns; force_backward would overrule propagate_down."""
    text = two_inputs((2, 3), ("a", "b"))
    for name, top in (("a", "sum"), ("b", "label")):
        text += f'layer {{ name: "scale_{name}" type: "Scale" bottom: "{name}" top: "{top}" }}\n'
    options = " ".join(f"propagate_down: {str(one).lower()}" for one in asked)
    net = build(tmp_path, text + loss_layer(options), force=False)
    net.blobs["a"].data[...] = 1
    net.forward()
    for name in ("sum", "label"):
        net.blobs[name].diff[...] = 9
    net.backward()
    for name, one, slope in zip(("sum", "label"), asked, (0.5, -0.5)):
        assert (net.blobs[name].diff == (slope if one else 9)).all()


def test_a_diverged_net_shows(tmp_path):
    net = build(tmp_path, two_inputs((2, 3)) + loss_layer())
    fill(net)
    net.blobs["sum"].data[0, 1] = np.nan
    assert np.isnan(net.forward()["loss"])


def stock_chain(batch):
    """Text of the layers that the generators write: Eltwise and Reduction."""
    n = caffe.NetSpec()
    n.sum, n.label = builders.L.Input(ntop=2)
    builders.difference(n, "difference", n.sum, n.label)
    layers = [*list(n.to_proto().layer)[1:], builders.mean_over_batch(caffe.TRAIN, batch)]
    return "".join(f"layer {{ {layer} }}\n" for layer in layers)


@pytest.mark.parametrize(("batch", "tolerance"), [(64, 0), (2, 0), (5, 1e-6), (48, 1e-6)])
def test_equal_to_the_stock_layers(tmp_path, batch, tolerance):
    """Gradients to the bit at the release's batch sizes, 64 and 2, whose inverses are exact.

    The loss is the BLAS's sum, which may round its last bit differently for values at another address.
    """
    results = []
    for text in (loss_layer(), stock_chain(batch)):
        net = build(tmp_path, two_inputs((batch, 1, 57, 57)) + text)
        fill(net)
        loss = float(net.forward()["loss"])
        net.backward()
        results.append((loss, net.blobs["sum"].diff.copy(), net.blobs["label"].diff.copy()))
    (ours, *gradients), (stock, *expected) = results
    assert ours == pytest.approx(stock, rel=1e-6)
    for found, gradient in zip(gradients, expected):
        np.testing.assert_allclose(found, gradient, rtol=tolerance, atol=0)


def with_l1_loss(net):
    """A generated train net whose chain for the loss is one L1Loss, as the release has it."""
    layers = [layer for layer in net.layer if layer.name not in ("difference", "loss")]
    assert len(net.layer) - len(layers) == 3
    del net.layer[:]
    net.layer.extend(layers)
    net.layer.add(name="loss", type="L1Loss", bottom=["sum", "label"], top=["loss"])
    return net


def trained(tmp_path, net, iterations=3):
    (tmp_path / "net.prototxt").write_text(str(net))
    solver = tmp_path / "solver.prototxt"
    solver.write_text(f'net: "{tmp_path / "net.prototxt"}" type: "Adam" base_lr: 1e-4 lr_policy: "fixed" '
                      'weight_decay: 1e-4 random_seed: 3 test_iter: 2 test_interval: 100 test_initialization: false')
    run = caffe.get_solver(str(solver))
    losses = []
    for _ in range(iterations):
        run.step(1)
        losses.append(float(run.net.blobs["loss"].data))
    tested = float(run.test_nets[0].forward()["loss"])
    return losses, tested, {name: [blob.data.copy() for blob in blobs] for name, blobs in run.net.params.items()}


def test_idn_trains_to_the_same_bits(tmp_path):
    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "pairs.h5", "w") as file:
        for name, side in (("data", 6), ("bic", 11), ("label", 11)):
            file[name] = rng.random((8, 1, side, side), np.float32)
    (tmp_path / "list.txt").write_text(f"{tmp_path / 'pairs.h5'}\n")
    options = dict(batch=4, source=str(tmp_path / "list.txt"), test_source=str(tmp_path / "list.txt"), blocks=1)
    stock = trained(tmp_path, idn(2, "train", **options))
    ours = trained(tmp_path, with_l1_loss(idn(2, "train", **options)))
    assert ours[0] == pytest.approx(stock[0], rel=1e-6) and ours[1] == pytest.approx(stock[1], rel=1e-6)
    assert stock[0][0] != stock[0][-1]
    for name, blobs in stock[2].items():
        for expected, found in zip(blobs, ours[2][name]):
            np.testing.assert_array_equal(found, expected)
