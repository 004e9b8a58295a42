"""Nets whose blobs share memory: the results of the same nets without, to the last bit, and refusals where not."""

import ctypes
import gc
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from caffe_build import memory
from hypothesis import given, settings
from hypothesis import strategies as st

from prototxt.engine import caffe
from tools.common.memory import resident_mb

SIZES = [(23, 31), (40, 36), (23, 31), (12, 12)]


def build(path, text, phase=caffe.TEST):
    path.write_text(text)
    return caffe.Net(str(path), phase)


def pair(path, text):
    """A net and one with its weights whose blobs share memory."""
    apart, shared = build(path, text), build(path, text)
    for blobs in apart.params.values():
        for blob in blobs:
            blob.data[...] = np.random.default_rng(blob.count).standard_normal(blob.data.shape) * 0.3
    shared.share_with(apart)
    memory.share(shared)
    return apart, shared


def outputs(net, values):
    """All outputs of a net of one input for `values` (ndarray)."""
    net.blobs[net.inputs[0]].reshape(*values.shape)
    net.blobs[net.inputs[0]].data[...] = values
    return {name: value.copy() for name, value in net.forward().items()}


def check_equal(apart, shared, values):
    expected, found = outputs(apart, values), outputs(shared, values)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)


INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 4 dim: 6 dim: 5 } } }\n'


def conv(bottom, top, maps=4):
    return (
        f'layer {{ name: "{top}" type: "Convolution" bottom: "{bottom}" top: "{top}" convolution_param '
        f"{{ num_output: {maps} kernel_size: 3 pad: 1 }} }}\n"
    )


def relu(blob, top=None):
    return (
        f'layer {{ name: "relu_{top or blob}" type: "ReLU" bottom: "{blob}" top: "{top or blob}" '
        "relu_param { negative_slope: 0.1 } }\n"
    )


def layer(kind, bottoms, tops, param=""):
    ends = "".join(f'bottom: "{name}" ' for name in bottoms) + "".join(f'top: "{name}" ' for name in tops)
    return f'layer {{ name: "{kind}_{tops[0]}" type: "{kind}" {ends}{param} }}\n'


MEMORY_DATA = layer(
    "MemoryData", [], ["more", "label"], "memory_data_param { batch_size: 1 channels: 1 height: 2 width: 2 }"
)
CHAIN = INPUT + "".join(conv("data" if i == 0 else f"c{i}", f"c{i + 1}") for i in range(8))


@pytest.mark.parametrize("name", ["idn_x3", "vdsr", "lapsrn_x4", "drrn_b1u9", "memnet_m6r6", "fsrcnn_x2", "espcn_x3"])
def test_generated_nets_give_the_same_bits_at_every_size(root, name):
    text = next((root / "prototxt" / "generated").glob(f"{name}*_deploy.prototxt"))
    apart, shared = (caffe.Net(str(text), caffe.TEST) for _ in range(2))
    shared.share_with(apart)
    memory.share(shared)
    rng = np.random.default_rng(1)
    for size in SIZES:
        check_equal(apart, shared, rng.random((1, 1, *size), dtype=np.float32))
    apart_bytes, shared_bytes = memory.forward_bytes(shared)
    assert shared_bytes < apart_bytes


def test_stock_layers_give_the_same_bits(root):
    script = f"""
        import sys
        sys.path.insert(0, {str(root / "tests" / "pycaffe")!r})
        import numpy as np, test_memory as here
        from prototxt.engine import caffe
        text = {str(root / "prototxt" / "generated" / "idn_x2_deploy.prototxt")!r}
        apart, shared = caffe.Net(text, caffe.TEST), caffe.Net(text, caffe.TEST)
        shared.share_with(apart)
        here.memory.share(shared)
        for size in here.SIZES:
            here.check_equal(apart, shared, np.random.default_rng(2).random((1, 1, *size), dtype=np.float32))
    """
    environment = {**os.environ, "CAFFE_CPU_ENGINE": "blas", "PYTHONPATH": str(root), "GLOG_minloglevel": "3"}
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], env=environment, check=True)


@st.composite
def nets(draw):
    """A net whose layers take any blobs before them, in place as well, cut them and put them together."""
    maps, text, read = {"data": 4}, INPUT, {"data"}
    for number in range(draw(st.integers(3, 14))):
        names, top = list(maps), f"t{number}"
        kind = draw(st.sampled_from(["conv", "relu", "in place", "slice", "concat", "sum", "flatten", "reshape"]))
        one, two = draw(st.sampled_from(names)), draw(st.sampled_from(names))
        if kind == "in place" and one not in read:  # Caffe takes no other
            text += layer("ReLU", [one], [one], "relu_param { negative_slope: 0.1 }").replace("ReLU_", f"in{number}_")
            continue
        read |= {one, two} if kind in ("concat", "sum") else {one}
        if kind == "slice" and maps[one] > 1:
            point = draw(st.integers(1, maps[one] - 1))
            text += layer("Slice", [one], [f"{top}a", f"{top}b"], f"slice_param {{ slice_point: {point} axis: 1 }}")
            maps.update({f"{top}a": point, f"{top}b": maps[one] - point})
        elif kind == "concat":
            text += layer("Concat", [one, two], [top])
            maps[top] = maps[one] + maps[two]
        elif kind == "sum" and maps[one] == maps[two]:
            text += layer("Eltwise", [one, two], [top])
            maps[top] = maps[one]
        elif kind == "reshape":
            text += layer("Reshape", [one], [top], "reshape_param { shape { dim: 0 dim: 0 dim: 0 dim: 0 } }")
            maps[top] = maps[one]
        elif kind == "flatten":
            text += layer("Flatten", [one], [top], "flatten_param { axis: 3 }")
            maps[top] = maps[one]
        elif kind == "relu":
            text += relu(one, top)
            maps[top] = maps[one]
        else:
            text += conv(one, top, draw(st.integers(1, 6)))
            maps[top] = int(text.rsplit("num_output: ", 1)[1].split()[0])
    return text


@settings(max_examples=120)
@given(text=nets(), images=st.sampled_from([1, 1, 1, 2]))
def test_nets_that_nobody_chose_give_the_same_bits(tmp_path_factory, text, images):
    apart, shared = pair(tmp_path_factory.mktemp("net") / "net.prototxt", text)
    rng = np.random.default_rng(3)
    for size in [(6, 5), (9, 11), (6, 5)]:
        check_equal(apart, shared, rng.standard_normal((images, 4, *size)).astype(np.float32))


def resident_without_free_heap():
    """Resident MB (int) without what glibc keeps of blocks that are free: arrays below 32 MB may lie on its heap."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return resident_mb()


def addresses(net, *names):
    blobs = dict(zip(net._blob_names, net._blobs))
    return [blobs[name].data.__array_interface__["data"][0] for name in names]


CUT = (
    conv("data", "whole", 6)
    + layer("Slice", ["whole"], ["a", "b"], "slice_param { slice_point: 2 }")
    + conv("b", "c")
    + layer("Concat", ["c", "a"], ["together"])
    + conv("together", "out")
)


def test_parts_lie_within_the_whole(tmp_path):
    _, shared = pair(tmp_path / "net.prototxt", INPUT + CUT)
    shared.forward()
    whole, a, b, c, together = addresses(shared, "whole", "a", "b", "c", "together")
    assert (a, b) == (whole, whole + 4 * 2 * 30)
    assert c == together
    shared.blobs["data"].reshape(2, 4, 6, 5)  # of two images the parts do not lie in one piece
    shared.forward()
    whole, a, b = addresses(shared, "whole", "a", "b")
    assert a != whole or b != whole + 4 * 2 * 30


def test_a_part_that_is_changed_while_the_whole_is_needed_is_a_copy(tmp_path):
    text = CUT.replace(conv("b", "c"), relu("b") + conv("b", "c")) + layer("Eltwise", ["whole", "whole"], ["again"])
    apart, shared = pair(tmp_path / "net.prototxt", INPUT + text)
    check_equal(apart, shared, np.random.default_rng(4).standard_normal((1, 4, 6, 5)).astype(np.float32))
    whole, b = addresses(shared, "whole", "b")
    assert b != whole + 4 * 2 * 30


def test_memory_is_that_of_two_layers_and_goes_with_the_net(tmp_path):
    net = build(tmp_path / "net.prototxt", CHAIN)
    memory.share(net)
    net.blobs["data"].reshape(1, 4, 1200, 1200)
    apart, shared = memory.forward_bytes(net)
    blob = 4 * 4 * 1200 * 1200
    assert apart == 9 * blob
    assert shared == 4 * blob  # the input, the output, and what lies between two layers
    net.forward()
    held = resident_without_free_heap()
    del net
    assert held - resident_without_free_heap() > 60  # MB; input and output were 46


def test_a_blob_outlives_its_net(tmp_path):
    net = build(tmp_path / "net.prototxt", CHAIN)
    memory.share(net)
    net.forward()
    blob = net._blobs[3]
    del net
    gc.collect()
    assert blob.data.shape == (1, 4, 6, 5)
    blob.data[...] = 1  # memory that still is there


def test_blobs_that_are_kept(tmp_path):
    apart, shared = build(tmp_path / "net.prototxt", CHAIN), build(tmp_path / "net.prototxt", CHAIN)
    shared.share_with(apart)
    memory.share(shared, keep=["c3"])
    memory.share(shared, keep=["c3"])  # changes nothing
    values = np.random.default_rng(5).random((1, 4, 6, 5), dtype=np.float32)
    outputs(apart, values), outputs(shared, values)
    np.testing.assert_array_equal(shared.blobs["c3"].data, apart.blobs["c3"].data)
    assert set(shared.forward(blobs=["c3"])) == {"c3", "c8"}
    with pytest.raises(RuntimeError, match="shares its memory already, and keeps other blobs"):
        memory.share(shared)


@pytest.fixture
def net(tmp_path):
    made = build(tmp_path / "net.prototxt", CHAIN)
    memory.share(made)
    return made


def test_figures_that_are_overwritten_are_refused(net):
    assert net.blobs["c3"].shape[1] == 4
    for read in (
        lambda: net.blobs["c3"].data,
        lambda: net.blobs["c3"].diff,
        lambda: net.forward(blobs=["c3"]),
        lambda: net.forward(end="c3"),
    ):
        with pytest.raises(RuntimeError, match=r"^blob 'c3': its figures are overwritten .*share\(net, keep=") as error:
            read()
        assert "\n" not in str(error.value)
    assert memory.is_shared(net)


def test_a_pass_that_begins_in_the_middle(net):
    expected = net.forward()["c8"].copy()
    with pytest.raises(RuntimeError, match=r"^memory.share: a pass of this net cannot start at layer 'c4', whose"):
        net.forward(start="c4")
    for index in range(len(net.layers)):  # one after the other is one pass
        net._forward(index, index)
    np.testing.assert_array_equal(net.blobs["c8"].data, expected)
    net._forward(0, 3)
    with pytest.raises(RuntimeError, match="cannot start at layer 'c5'"):
        net._forward(5, 8)


def test_nets_that_need_their_blobs_are_refused(tmp_path, net):
    with pytest.raises(RuntimeError, match="cannot go backward"):
        net.backward()
    train = build(tmp_path / "train.prototxt", CHAIN, caffe.TRAIN)
    with pytest.raises(RuntimeError, match="expected a net in phase TEST"):
        memory.share(train)
    for text, words in (
        ("force_backward: true\n" + CHAIN, r"layer .data. \(Input\) needs a backward pass"),
        (CHAIN + layer("EuclideanLoss", ["c8", "data"], ["loss"]), "needs a backward pass"),
        (CHAIN + MEMORY_DATA, r"\(MemoryData\) decides in the pass"),
    ):
        with pytest.raises(RuntimeError, match=words) as error:
            memory.share(build(tmp_path / "other.prototxt", text))
        assert "\n" not in str(error.value)
    with pytest.raises(RuntimeError, match="keep: the net has no blob 'c9'"):
        memory.share(build(tmp_path / "net.prototxt", CHAIN), keep=["c9"])
    with pytest.raises(RuntimeError, match="does not share its memory"):
        memory.forward_bytes(build(tmp_path / "net.prototxt", CHAIN))


def test_a_blob_that_grew_and_shrank_again_is_found(tmp_path):
    apart, shared = pair(tmp_path / "net.prototxt", INPUT + CUT)
    rng = np.random.default_rng(6)
    check_equal(apart, shared, rng.random((1, 4, 6, 5), dtype=np.float32))
    shared.blobs["data"].reshape(1, 4, 40, 40)
    shared.reshape()  # the blobs get memory of their own
    check_equal(apart, shared, rng.random((1, 4, 6, 5), dtype=np.float32))
    assert addresses(shared, "a") == addresses(shared, "whole")


def test_constants_and_what_layers_hold_stay_where_they_are(tmp_path):
    text = (
        INPUT
        + 'layer { name: "ones" type: "DummyData" top: "ones" dummy_data_param { shape { dim: 1 dim: 4 dim: 6 dim: 5 } '
        'data_filler { type: "constant" value: 2 } } }\n'
        + conv("data", "c1") + conv("c1", "c2") + layer("Eltwise", ["c2", "ones"], ["sum"]) + conv("sum", "out")
    )  # fmt: skip
    apart, shared = pair(tmp_path / "net.prototxt", text)
    values = np.random.default_rng(7).random((1, 4, 6, 5), dtype=np.float32)
    for _ in range(3):
        check_equal(apart, shared, values)
