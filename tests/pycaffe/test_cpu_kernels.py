"""The CPU engine's own kernels - Winograd's 3x3, 1x1, upsampling by phases - for each set of instructions."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from .layer_pairs import GRADIENT, OUTPUT, close, compare, fill, in_process, options, pair


@st.composite
def served(draw, kernel):
    """Sizes that the kernels take: any channels and groups, tiles that wrap around lines and images."""
    group = draw(st.sampled_from([1, 1, 1, 2, 4]))
    channels, outputs = (group * draw(st.integers(1, 40 // group)) for _ in range(2))
    pad = [draw(st.integers(0, kernel - 1)) for _ in range(2)]
    batch = draw(st.sampled_from([1, 1, 2, 5, 33]))
    most = 9 if batch == 33 else 70
    sides = [draw(st.integers(max(1, kernel - 2 * p), most)) for p in pad]
    return dict(
        batch=batch, channels=channels, sides=sides, num_output=outputs, group=group, kernel=[kernel] * 2,
        stride=[1, 1], pad=pad, dilation=1, bias_term=draw(st.booleans()),
    )  # fmt: skip


PLAIN = dict(stride=[1, 1], dilation=1, bias_term=True, group=1)


# many channels: fewer tiles are held at once
@example(dict(batch=1, channels=300, sides=[66, 75], num_output=20, kernel=[3, 3], pad=[1, 1], **PLAIN))
# more tiles than the gradient of the weights holds at once
@example(dict(batch=1, channels=64, sides=[150, 141], num_output=64, kernel=[3, 3], pad=[1, 1], **PLAIN))
@given(served(3))
def test_winograd_equals_upstream(tmp_path_factory, of):
    net = pair(tmp_path_factory, "Convolution", [of["batch"], of["channels"], *of["sides"]], options(of))
    compare(net, fill(net))


@example(dict(batch=64, channels=80, sides=[11, 11], num_output=64, kernel=[1, 1], pad=[0, 0], **PLAIN))
@given(served(1))
def test_pointwise_equals_upstream(tmp_path_factory, of):
    net = pair(tmp_path_factory, "Convolution", [of["batch"], of["channels"], *of["sides"]], options(of))
    compare(net, fill(net))


@st.composite
def upsampled(draw):
    """Sizes of transposed convolutions: phases with one, two, three and more taps, different ones along the axes."""
    stride = [draw(st.integers(1, 4)) for _ in range(2)]
    kernel = [draw(st.integers(s, 3 * s + 1)) for s in stride]
    pad = [draw(st.integers(0, k - 1)) for k in kernel]
    sides = [draw(st.integers(2 * p // s + 1, 40)) for p, s in zip(pad, stride)]
    return dict(
        batch=draw(st.sampled_from([1, 1, 3])), channels=draw(st.integers(1, 24)), sides=sides,
        num_output=draw(st.integers(1, 12)), group=1, kernel=kernel, stride=stride, pad=pad, dilation=1,
        bias_term=draw(st.booleans()),
    )  # fmt: skip


UPSAMPLING = dict(dilation=1, bias_term=False, group=1)


# LapSRN's, with the size at which several vectors of tiles begin and end within a line
@example(
    dict(batch=1, channels=64, sides=[61, 70], num_output=64, kernel=[4, 4], stride=[2, 2], pad=[0, 0], **UPSAMPLING)
)
@example(
    dict(batch=2, channels=20, sides=[37, 50], num_output=7, kernel=[9, 4], stride=[3, 2], pad=[3, 1], **UPSAMPLING)
)
@given(upsampled())
def test_upsampling_equals_upstream(tmp_path_factory, of):
    net = pair(tmp_path_factory, "Deconvolution", [of["batch"], of["channels"], *of["sides"]], options(of))
    compare(net, fill(net))


@st.composite
def of_one_map(draw):
    """Sizes of convolutions with one output: whole and incomplete vectors, borders of any width."""
    kernel = [draw(st.integers(1, 7)) for _ in range(2)]
    pad = [draw(st.integers(0, k - 1)) for k in kernel]
    sides = [draw(st.integers(max(1, k - 2 * p), 20)) for k, p in zip(kernel, pad)]
    sides[1] += draw(st.integers(48, 180))
    return dict(
        batch=draw(st.sampled_from([1, 1, 3])), channels=draw(st.integers(4, 20)), sides=sides, num_output=1, group=1,
        kernel=kernel, stride=[1, 1], pad=pad, dilation=1, bias_term=draw(st.booleans()),
    )  # fmt: skip


@given(of_one_map())
def test_one_output_equals_upstream(tmp_path_factory, of):
    net = pair(tmp_path_factory, "Convolution", [of["batch"], of["channels"], *of["sides"]], options(of))
    compare(net, fill(net))


# fewer tiles than channels: oneDNN's direct sum
@pytest.mark.parametrize("sides", [[7, 7], [14, 15]])
def test_many_channels_of_small_images_equal_upstream(tmp_path_factory, sides):
    of = dict(num_output=70, kernel=[3, 3], pad=[1, 1], **PLAIN)
    net = pair(tmp_path_factory, "Convolution", [1, 96, *sides], options(of))
    compare(net, fill(net))


@pytest.mark.parametrize("kernel", [1, 3])
def test_changed_weights_are_seen(tmp_path_factory, kernel):
    of = dict(num_output=9, kernel=[kernel] * 2, pad=[0, 0], **PLAIN)
    net = pair(tmp_path_factory, "Convolution", [1, 5, 9, 9], options(of))
    gradient = fill(net)
    for value in (0.25, -3):
        compare(net, gradient)
        for name in ("fast", "plain"):
            net.params[name][0].data[2, 3, 0, 0] = value
            net.params[name][0].diff[...] = 0
    compare(net, gradient)


# without a border, where upstream multiplies zeros by weights and oneDNN does not
@pytest.mark.parametrize("kind, kernel, stride, outputs", [
    ("Convolution", 3, 1, 4), ("Deconvolution", 4, 2, 4), ("Convolution", 3, 1, 1),
])  # fmt: skip
@pytest.mark.parametrize("where", ["in", "weights"])
@pytest.mark.parametrize("what", [np.nan, np.inf, 1e38])
def test_what_is_not_finite_goes_where_upstream_lets_it_go(
    tmp_path_factory, kind, kernel, stride, outputs, where, what
):
    """Tiles share sums, which would spread NaN, make NaN of infinity, and infinity of large numbers."""
    of = {**PLAIN, "num_output": outputs, "kernel": [kernel] * 2, "pad": [0, 0], "stride": [stride] * 2}
    net = pair(tmp_path_factory, kind, [2, 4, 19, 63], options(of))
    gradient = fill(net)
    for name in ("fast", "plain"):
        if where == "in":
            net.blobs[f"in_{name}"].data[1, 2, 3, 4] = what
        else:
            net.params[name][0].data[-1, 1, 2, 0] = what
    with np.errstate(all="ignore"):
        out = net.forward()
        net.backward(fast=gradient, plain=gradient)
        found = [out["fast"], net.blobs["in_fast"].diff, net.params["fast"][0].diff]
        expected = [out["plain"], net.blobs["in_plain"].diff, net.params["plain"][0].diff]
    for mine, theirs in zip(found, expected):
        for kind in (np.isnan, np.isposinf, np.isneginf):
            np.testing.assert_array_equal(kind(mine), kind(theirs))
        finite = np.isfinite(theirs)
        assert not finite.any() or close(mine[finite], theirs[finite], GRADIENT)


def test_what_an_earlier_pass_left_does_no_harm(tmp_path_factory):
    """NaN in working memory behind a row's last value is no result, which would be computed again by oneDNN."""
    of = dict(num_output=1, kernel=[9, 9], pad=[4, 4], **{**PLAIN, "stride": [3, 3]})
    net = pair(tmp_path_factory, "Deconvolution", [1, 8, 5, 50], options(of))
    fill(net)
    values = net.blobs["in_fast"].data.copy()
    clean = net.forward()["fast"].copy()
    net.blobs["in_fast"].reshape(1, 8, 5, 100)
    net.blobs["in_fast"].data[...] = np.nan
    assert np.isnan(net.forward()["fast"]).all()
    net.blobs["in_fast"].reshape(*values.shape)
    net.blobs["in_fast"].data[...] = values
    np.testing.assert_array_equal(net.forward()["fast"], clean)


# Forward and both gradients of the fast and of upstream's layer, saved; the kinds that have kernels of their own.
WORKER = """
import numpy as np, caffe
caffe.set_random_seed(5)
kinds = {
    "winograd": ("Convolution", [2, 12, 21, 26], "num_output: 20 kernel_size: 3 pad: 1 group: 4"),
    "many images": ("Convolution", [33, 5, 11, 11], "num_output: 9 kernel_size: 3 pad: 1"),
    "pointwise": ("Convolution", [3, 13, 11, 12], "num_output: 21 kernel_size: 1"),
    "upsample": ("Deconvolution", [2, 7, 10, 53], "num_output: 2 kernel_size: 9 stride: 3 pad: 4"),
    "one output": ("Convolution", [2, 9, 11, 150], "num_output: 1 kernel_size: 5 pad: 2"),
    "upsample many maps": ("Deconvolution", [2, 9, 21, 37], "num_output: 11 kernel_size: 4 stride: 2 pad: 1"),
}
arrays = {}
for name, (kind, shape, param) in kinds.items():
    dims = " ".join(f"dim: {n}" for n in shape)
    text = "force_backward: true\\n"
    for top, engine in (("fast", ""), ("plain", "engine: CAFFE")):
        text += f'layer {{ name: "in_{top}" type: "Input" top: "in_{top}" input_param {{ shape {{ {dims} }} }} }}'
        text += f'layer {{ name: "{top}" type: "{kind}" bottom: "in_{top}" top: "{top}" convolution_param {{ '
        text += f'{param} {engine} weight_filler {{ type: "gaussian" std: 0.1 }} '
        text += 'bias_filler { type: "gaussian" std: 1 } } }'
    open(out + ".prototxt", "w").write(text)
    net = caffe.Net(out + ".prototxt", caffe.TEST)
    rng = np.random.default_rng(0)
    net.blobs["in_fast"].data[...] = net.blobs["in_plain"].data[...] = rng.standard_normal(shape)
    for mine, theirs in zip(net.params["fast"], net.params["plain"]):
        theirs.data[...] = mine.data
    net.forward()
    gradient = rng.standard_normal(net.blobs["fast"].data.shape)
    net.backward(fast=gradient, plain=gradient)
    for top in ("fast", "plain"):
        parts = [net.blobs[top].data, net.blobs[f"in_{top}"].diff, *(p.diff for p in net.params[top])]
        arrays.update({f"{name}/{i}/{top}": part for i, part in enumerate(parts)})
np.savez(out, **arrays)
"""


def test_every_set_of_instructions_agrees(tmp_path):
    """AVX-512 where it is, AVX2, and none of them: oneDNN's own limit chooses, under its two names."""
    found = {}
    for limit in ("", "AVX2", "SSE41"):
        variables = {"ONEDNN_MAX_CPU_ISA": limit, "DNNL_MAX_CPU_ISA": limit} if limit else {}
        arrays = found[limit] = in_process(WORKER, "onednn", tmp_path, **variables)
        for name in arrays:
            if name.endswith("fast"):
                plain = arrays[name.replace("fast", "plain")]
                assert close(arrays[name], plain, OUTPUT if name.split("/")[1] == "0" else GRADIENT), (limit, name)
    # another set sums in another order, or the limit was not heard
    assert any((found[""][name] != found["SSE41"][name]).any() for name in found[""] if name.endswith("fast"))


@pytest.mark.parametrize("threads", ["1", "3"])
def test_threads_do_not_change_a_forward_pass(tmp_path, threads):
    one, other = (in_process(WORKER, "onednn", tmp_path, OMP_NUM_THREADS=n) for n in ("2", threads))
    for name in one:
        if name.endswith("/0/fast"):
            np.testing.assert_array_equal(one[name], other[name])


RECURSIONS = """
import numpy as np, caffe
from tools.common import memory
layer = '''layer {{ name: "c{0}" type: "Convolution" bottom: "{1}" top: "b{0}" param {{ name: "w{2}" }}
    convolution_param {{ num_output: 256 kernel_size: 3 pad: 1 bias_term: false
        weight_filler {{ type: "gaussian" std: 0.01 }} }} }}'''
text = 'layer { name: "data" type: "Input" top: "b0" input_param { shape { dim: 1 dim: 256 dim: 65 dim: 65 } } }'
for i in range(1, 17):
    text += layer.format(i, f"b{i - 1}", 0 if SHARED else i)
open(out + ".prototxt", "w").write(text)
net = caffe.Net(out + ".prototxt", caffe.TEST)
before = memory.peak_mb()
net.forward()
np.savez(out, megabytes=memory.peak_mb() - before)
"""


def test_recursions_share_their_transformed_weights(tmp_path):
    """16 layers of 256 to 256 maps: 9 MB of transformed weights, once; each layer's own are 140 MB more."""
    shared, own = (
        in_process(RECURSIONS.replace("SHARED", flag), "onednn", tmp_path)["megabytes"] for flag in ("True", "False")
    )
    assert own - shared > 120
