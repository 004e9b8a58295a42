"""MatConvNet weights into our nets: every layout written here and read back, the released files, every refusal."""

import os
import resource
import struct
import subprocess
import zipfile
import zlib

import numpy as np
import pytest
import scipy.signal

from prototxt import drcn, srcnn, vdsr
from prototxt.registry import NETWORKS
from tools import import_weights
from tools.common.errors import UserError
from tools.nets import matconvnet, runtime


def random_net(message, seed=0):
    """A net whose arrays all differ."""
    net = runtime.build_net(message)
    rng = np.random.default_rng(seed)
    for blobs in net.params.values():
        for blob in blobs:
            blob.data[...] = rng.normal(0, 0.1, blob.data.shape)
    return net


def arrays(net):
    return {(name, k): blob.data.copy() for name, blobs in net.params.items() for k, blob in enumerate(blobs)}


def cell(values):
    """A MATLAB cell array, (1, n)."""
    out = np.empty((1, len(values)), object)
    for k, value in enumerate(values):
        out[0, k] = value
    return out


def turned(blob):
    """Caffe's filters as MatConvNet keeps them, trailing axes of length 1 dropped as MATLAB does."""
    value = blob.data.transpose(2, 3, 1, 0)
    while value.ndim > 2 and value.shape[-1] == 1:
        value = value[..., 0]
    return value


def save_dagnn(path, params):
    """A DagNN of {name: array}."""
    kind = [("name", object), ("value", object), ("learningRate", object)]
    records = np.array([(name, value, 1.0) for name, value in params.items()], dtype=kind)
    scipy.io.savemat(path, {"net": {"params": records, "layers": np.zeros((1, 0))}})


def vdsr_mat(path, net):
    model = {
        "weight": cell([turned(net.params[f"conv{k}"][0]) for k in range(1, 21)]),
        "bias": cell([net.params[f"conv{k}"][1].data.reshape(-1, 1) for k in range(1, 21)]),
    }
    scipy.io.savemat(path, {"model": model})


def lapsrn_mat(path, net):
    params = {}
    for layer, blobs in net.params.items():
        name = f"{layer}_conv" if layer.endswith("_residual") else layer
        params[f"{name}_f"] = turned(blobs[0])
        if len(blobs) == 2:
            params[f"{name}_b"] = blobs[1].data.reshape(1, -1)
    save_dagnn(path, params)


def drcn_mat(path, net):
    names = {"conv1": "1", "conv2": "2", "conv3": "_share", "conv_outh3": "19", "conv_out3": "20"}
    params = {f"filters{suffix}": turned(net.params[layer][0]) for layer, suffix in names.items()}
    params.update({f"biases{suffix}": net.params[layer][1].data for layer, suffix in names.items()})
    params["ensemble_weight"] = turned(net.params["ensemble"][0])
    save_dagnn(path, params)


def srcnn_mat(path, net):
    content = {}
    for layer, (weights, bias) in net.params.items():
        out, inputs, kernel, _ = weights.data.shape
        flat = weights.data.transpose(1, 3, 2, 0).reshape(inputs, kernel**2, out)
        squeezed = flat[0] if layer == "conv1" else flat[..., 0] if layer == "conv3" else flat
        content[f"weights_{layer}"], content[f"biases_{layer}"] = squeezed, bias.data.reshape(-1, 1)
    scipy.io.savemat(path, content)


LAYOUTS = [
    ("vdsr", None, None, vdsr_mat),
    ("lapsrn", 2, None, lapsrn_mat),
    ("lapsrn", 4, None, lapsrn_mat),
    ("drcn", None, None, drcn_mat),
    ("srcnn", None, "915", srcnn_mat),
    ("srcnn", None, "955", srcnn_mat),
]


@pytest.mark.parametrize(("network", "scale", "variant", "save"), LAYOUTS, ids=lambda v: str(getattr(v, "__name__", v)))
def test_every_layout_comes_back(network, scale, variant, save, tmp_path):
    message = NETWORKS[network].net("deploy", scale, variant)
    net = random_net(message)
    save(tmp_path / "weights.mat", net)
    other = runtime.build_net(message)
    report = matconvnet.load_mat(other, tmp_path / "weights.mat", network)
    expected, found = arrays(net), arrays(other)
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value, err_msg=str(key))
    assert len(report) == len(expected)


def test_srcnn_filters_are_in_matlabs_column_order():
    """reshape(weights(:, 1), 9, 9) in MATLAB puts element 2 below element 1; imfilter correlates."""
    weights = np.zeros((81, 64), np.float32)
    weights[1, 0] = 1  # row 2, column 1
    kernel = matconvnet.patches(weights, (64, 1, 9, 9))[0, 0]
    assert np.argwhere(kernel).tolist() == [[1, 0]]


def test_the_command_writes_a_caffemodel_that_the_net_loads(tmp_path, capsys):
    net = random_net(srcnn.srcnn())
    srcnn_mat(tmp_path / "x3.mat", net)
    assert import_weights.main([str(tmp_path / "x3.mat"), "--network", "srcnn"]) == 0
    out = capsys.readouterr().out
    assert "conv2: weights_conv2 (64, 1, 32) -> (32, 64, 1, 1)\n" in out
    assert out.endswith(f"6 arrays of x3.mat written to {tmp_path / 'x3.caffemodel'}\n")
    loaded = runtime.build_net(srcnn.srcnn(), tmp_path / "x3.caffemodel")
    for key, value in arrays(net).items():
        np.testing.assert_array_equal(arrays(loaded)[key], value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x3.caffemodel", "x3.mat"]


HEADER = b"MATLAB 5.0 MAT-file, made by hand".ljust(124) + b"\x00\x01IM"


def element(kind, content):
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def matrix(array_class, dims, name, rest=b""):
    """An miMATRIX of version 5 that claims `dims`."""
    flags = element(6, struct.pack("<II", array_class, 0))
    return element(14, flags + element(5, struct.pack(f"<{len(dims)}i", *dims)) + element(1, name) + rest)


def bomb(gigabytes):
    """A compressed array of zeros: one block that deflates 1 MB, repeated."""
    size = gigabytes << 30
    start = struct.pack("<II", 14, size + 64) + element(6, struct.pack("<II", 6, 0))
    start += element(5, struct.pack("<ii", size // 8, 1)) + element(1, b"model") + struct.pack("<II", 9, size)
    first, block = zlib.compressobj(9), zlib.compressobj(9, zlib.DEFLATED, -15)
    stream = first.compress(start) + first.flush(zlib.Z_FULL_FLUSH)
    stream += (block.compress(bytes(1 << 20)) + block.flush(zlib.Z_FULL_FLUSH)) * (size >> 20)
    return HEADER + struct.pack("<II", 15, len(stream)) + stream


def nested(levels):
    """Cells in cells in cells; scipy's reader recurs in C."""
    inner = matrix(6, (1, 1), b"", element(9, bytes(8)))
    size, heads = len(inner), []
    for level in range(levels):
        name = b"model" if level == levels - 1 else b""
        head = element(6, struct.pack("<II", 1, 0)) + element(5, struct.pack("<ii", 1, 1)) + element(1, name)
        size += len(head)
        heads.append(struct.pack("<II", 14, size) + head)
        size += 8
    return HEADER + b"".join(reversed(heads)) + inner


OPAQUE = element(6, struct.pack("<II", 17, 0)) + element(1, b"net") + element(1, b"MCOS") + element(1, b"dagnn.DagNN")
OPAQUE += matrix(13, (6, 1), b"", element(6, struct.pack("<6I", 0xDD000000, 2, 1, 1, 1, 1)))
HOSTILE = {
    "bomb": (bomb(2), "it claims more than the 1024 MB"),
    "cells": (HEADER + matrix(1, (2**30, 1), b"model"), "it claims more than the 1024 MB"),
    "cells beyond any address": (HEADER + matrix(1, (2**31 - 1, 2**31 - 1), b"model"), "not a .mat file that can be"),
    "negative": (HEADER + matrix(1, (-5, 3), b"model"), "not a .mat file that can be read"),
    "numbers": (HEADER + matrix(6, (2**30, 2**20), b"model", element(9, bytes(80))), "cannot reshape array of size 10"),
    "nested": (nested(200_000), "cannot be read, damaged or not what it claims .*its reader ended with status -11"),
    "element": (HEADER + struct.pack("<II", 14, 0xFFFFFFF0) + bytes(100), "not a .mat file that can be read"),
    "version 4": (struct.pack("<iiiii", 0, 2**30, 2**20, 0, 6) + b"model\0", "it claims more than the 1024 MB"),
    "object": (HEADER + element(14, OPAQUE), "holds an object of a MATLAB class, .*saveobj"),
    "version 7.3": (b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(600), r"version 7.3; save it .*'-v7'"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(600), "HDF5, such as a .mat of version 7.3; save it"),
    "header": (HEADER, "holds nothing; expected a struct `model`"),
    "empty": (b"", r"is empty \(0 bytes\), expected a .mat with weights"),
    "text": (b"hello world\n", "not a .mat file that can be read"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_and_damaged_files_end_in_one_line(case, tmp_path):
    """What crashes or needs terabytes ends the reader's process, not ours, which holds no more than before."""
    content, said = HOSTILE[case]
    path = tmp_path / "weights.mat"
    path.write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match=said) as error:
        matconvnet.mapping({"conv1": [(1, 1, 3, 3), (1,)]}, path, "vdsr")
    assert "\n" not in str(error.value) and str(path) in str(error.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_complex_arrays_are_no_weights(tmp_path):
    path = tmp_path / "weights.mat"
    scipy.io.savemat(path, {"weights_conv1": np.full((81, 64), 1 + 2j)})
    refused(path, "srcnn", "holds weights_conv1; expected arrays weights_conv1, biases_conv1", variant="915")


def test_a_full_disk_leaves_nothing(root, tmp_path):
    """A limit on the size of files stands for the disk: Caffe would end the process when a write fails."""
    srcnn_mat(tmp_path / "x3.mat", random_net(srcnn.srcnn()))
    (tmp_path / "x3.caffemodel").write_bytes(b"old")
    command = f"ulimit -f 8; exec {root}/tools/import_weights.py x3.mat --network srcnn"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2 and done.stderr == "import_weights.py: x3.caffemodel: File too large\n"
    assert (tmp_path / "x3.caffemodel").read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 2


def test_names_that_are_not_utf8(root, tmp_path):
    path = tmp_path / os.fsdecode(b"\xff x3.MAT")
    srcnn_mat(tmp_path / "x3.mat", random_net(srcnn.srcnn()))
    (tmp_path / "x3.mat").rename(path)
    command = [root / "tools/import_weights.py", path, "--network", "srcnn"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "6 arrays of \\xff x3.MAT written to" in done.stdout
    assert runtime.build_net(srcnn.srcnn(), path.with_suffix(".caffemodel"))


# --- the released files --------------------------------------------------------------------------------------------


def test_released_vdsr_is_a_residual_network(shared):
    """On a smooth image the residual is small; at an edge the result is sharper than its input."""
    net = runtime.build_net(vdsr.vdsr())
    report = matconvnet.load_mat(net, shared / "weights/vdsr/VDSR_Official.mat", "vdsr")
    assert report[0] == ("conv1", "model.weight{1}", (3, 3, 1, 64), (64, 1, 3, 3)) and len(report) == 40
    step = np.full((40, 40), 0.3, np.float32)
    step[:, 20:] = 0.7
    blurred = scipy.signal.convolve2d(step, np.full((1, 5), 0.2), "same", "symm").astype(np.float32)
    result = runtime.forward(net, blurred, "sum")
    assert np.abs(result - blurred)[15:25, 8:12].max() < 0.02
    assert np.diff(result[20]).max() > 1.3 * np.diff(blurred[20]).max()


@pytest.mark.parametrize(("scale", "number"), [(2, 27), (4, 52), (8, 47)])
def test_released_lapsrn(shared, scale, number):
    net = runtime.build_net(NETWORKS["lapsrn"].net("deploy", scale))
    report = matconvnet.load_mat(net, shared / f"weights/lapsrn/LapSRN_x{scale}.mat", "lapsrn")
    assert len(report) == number
    flat = runtime.forward(net, np.full((12, 12), 0.5, np.float32), "level1_output")
    assert flat.shape == (12 * scale, 12 * scale)
    assert np.abs(flat - 0.5)[4 * scale : -4 * scale, 4 * scale : -4 * scale].max() < 0.02


def test_released_adam_caffemodel_loads_as_it_is(shared):
    runtime.build_net(vdsr.vdsr(), shared / "weights/vdsr/VDSR_Adam.caffemodel")


# --- refusals -------------------------------------------------------------------------------------------------------


def refused(path, network, text, scale=None, variant=None):
    net = runtime.build_net(NETWORKS[network].net("deploy", scale, variant))
    before = arrays(net)
    with pytest.raises(UserError, match=text) as error:
        matconvnet.load_mat(net, path, network)
    assert "\n" not in str(error.value) and str(path) in str(error.value)
    assert all((value == before[key]).all() for key, value in arrays(net).items())  # nothing half loaded


def test_another_structure_scale_or_variant(tmp_path):
    path = tmp_path / "weights.mat"
    lapsrn_mat(path, random_net(NETWORKS["lapsrn"].net("deploy", 2)))
    refused(path, "vdsr", r"holds net; expected a struct `model` with cells weight and bias")
    refused(path, "lapsrn", r"has no level2_conv1_f \(it has input_conv_f, .*for layer 'level2_conv1'", scale=4)
    refused(path, "drcn", r"has no filters1 \(it has input_conv_f")
    lapsrn_mat(path, random_net(NETWORKS["lapsrn"].net("deploy", 4)))
    refused(path, "lapsrn", r"has 25 arrays that this lapsrn net has no place for \(level2_conv10_b", scale=2)
    srcnn_mat(path, random_net(srcnn.srcnn()))
    text = r"weights_conv2 has shape \(64, 1, 32\), which does not fit .* \(32, 64, 5, 5\)"
    refused(path, "srcnn", text, variant="955")
    drcn_mat(path, random_net(drcn.drcn(recursions=3, width=256)))
    refused(path, "drcn", r"ensemble_weight has shape \(1, 1, 3\), which does not fit layer 'ensemble'")


def test_wrong_content(tmp_path):
    path = tmp_path / "weights.mat"
    refused(path, "vdsr", r"no such file, expected a .mat with weights")
    net = random_net(vdsr.vdsr())
    net.params["conv7"][0].data[0, 0, 0, 0] = np.nan
    vdsr_mat(path, net)
    refused(path, "vdsr", r"model.weight\{7\} holds values that are not finite")
    path.write_bytes(path.read_bytes()[:200_000])
    refused(path, "vdsr", r"not a .mat file that can be read, or cut short")
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(2000))
    refused(path, "vdsr", r"not a .mat file that can be read|version 7.3")
    scipy.io.savemat(path, {"model": 5})
    refused(path, "vdsr", r"holds model; expected a struct `model`")
    scipy.io.savemat(path, {})
    refused(path, "vdsr", r"holds nothing; expected a struct")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model", "x" * 400)
    refused(path, "vdsr", r"is a ZIP archive .*; expected a .mat with weights")


def test_networks_without_mat_weights():
    with pytest.raises(UserError, match=r"\.mat weights are read for vdsr, lapsrn, drcn, srcnn, not for memnet"):
        matconvnet.mapping({}, "a.mat", "memnet")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["no.mat", "--network", "vdsr"], "import_weights.py: no.mat: no such file"),
        (["no.mat", "--network", "lapsrn", "--scale", "3"], "import_weights.py: scale: got 3, lapsrn has 2, 4, 8; x3"),
        (["no.mat", "--network", "lapsrn"], "import_weights.py: scale: got None, lapsrn has 2, 4, 8"),
        (["no.mat", "--network", "idn"], "import_weights.py: argument --network: invalid choice: 'idn'"),
        (["no.mat", "--network", "vdsr", "--variant", "foo"], "import_weights.py: variant: got 'foo', vdsr has none"),
        (["no.mat", "--network", "srcnn", "--variant", "foo"], "import_weights.py: variant: got 'foo', srcnn has 9"),
        (["no.mat", "--network", "vdsr", "--scale", "9" * 40], "import_weights.py: scale: got 999"),
        (["no.mat", "--network", "vdsr", "-o", "."], "import_weights.py: -o .: expected a name that ends in"),
        (["no.mat", "--network", "vdsr", "-o", "/dev/null"], "import_weights.py: -o /dev/null: expected a name"),
        (["no.mat", "--network", "vdsr", "-o", "x.mat"], "import_weights.py: -o x.mat: expected a name"),
    ],
)
def test_mistakes_are_one_line(root, tmp_path, arguments, text):
    done = subprocess.run([root / "tools/import_weights.py", *arguments], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(text) and done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_starts_as_a_script(root):
    done = subprocess.run([root / "tools/import_weights.py", "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "tools/import_weights.py" in done.stdout
