"""Nets of other people: Caffe's older forms against Caffe itself, rules of the state, layers that reach outside."""

import os
import subprocess
import sys

import numpy as np
import pytest
from google.protobuf import text_format

from prototxt import emit, idn, srcnn, vdsr
from prototxt.engine import caffe
from tools.common.errors import UserError
from tools.nets import caffemodels, complexity, foreign_nets, runtime

pb = caffe.proto.caffe_pb2
INPUT = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 dim: 9 dim: 8 } } }\n'


def conv(name, bottom, top, options="num_output: 4 kernel_size: 3 pad: 1", rules=""):
    return (
        f'layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{top}" {rules} '
        f"convolution_param {{ {options} }} }}\n"
    )


CONV = conv("c", "x", "c")


def written(folder, text, name="net.prototxt"):
    path = folder / name
    path.write_text(text)
    return path


# --- the forms that Caffe upgrades ---------------------------------------------------------------------

V1 = {"Convolution": "CONVOLUTION", "Deconvolution": "DECONVOLUTION", "ReLU": "RELU", "Eltwise": "ELTWISE",
      "Slice": "SLICE", "Concat": "CONCAT"}  # fmt: skip
PARTS = ("convolution_param", "relu_param", "eltwise_param", "slice_param", "concat_param")


def as_v1(message, shape):
    """The net as VDSR's and SRCNN's authors wrote theirs: `layers { type: CONVOLUTION }`, `input`, `input_dim`."""
    old = pb.NetParameter(name=message.name, input=[message.layer[0].top[0]], input_dim=shape)
    for layer in message.layer[1:]:
        one = old.layers.add(name=layer.name, type=V1[layer.type], bottom=layer.bottom, top=layer.top)
        for part in PARTS:
            if layer.HasField(part):
                getattr(one, part).CopyFrom(getattr(layer, part))
        one.blobs_lr.extend([1.0] * len(layer.param))
    return old


def with_input_fields(message, shape, renamed=None):
    """The net as IDN's authors wrote theirs: `input` and `input_dim` or `input_shape`, then `layer`."""
    old = pb.NetParameter()
    old.CopyFrom(message)
    del old.layer[0]
    old.input.append(message.layer[0].top[0])
    if renamed is None:
        old.input_dim.extend(shape)
    else:
        old.input_shape.add(dim=shape)
        old.input[0] = renamed
        for layer in old.layer:
            layer.bottom[:] = [renamed if bottom == message.layer[0].top[0] else bottom for bottom in layer.bottom]
    return old


def older_forms():
    return {
        "srcnn": as_v1(srcnn.srcnn(), [1, 1, 15, 17]),
        "vdsr": as_v1(vdsr.vdsr(), [1, 1, 9, 12]),
        "idn": with_input_fields(idn.idn(3), [1, 1, 7, 8]),
        "idn-shape": with_input_fields(idn.idn(2), [1, 1, 7, 8], renamed="LR"),
    }


def random_weights(net, seed=0):
    rng = np.random.default_rng(seed)
    for blobs in net.params.values():
        for blob in blobs:
            blob.data[...] = rng.normal(0, 0.1, blob.data.shape)


@pytest.mark.parametrize("name", older_forms())
def test_older_forms_are_what_caffe_makes_of_them(name, tmp_path):
    """Expected values: the same file, read by Caffe itself."""
    path = written(tmp_path, str(older_forms()[name]))
    expected = caffe.Net(str(path), caffe.TEST)
    message = foreign_nets.read(path)
    net = runtime.build_net(message)
    assert caffemodels.param_shapes(net) == caffemodels.param_shapes(expected)
    assert net.inputs == expected.inputs and net.outputs == expected.outputs
    assert not message.layers and not message.input and {layer.type for layer in message.layer} >= {"Input"}
    for one in (net, expected):
        random_weights(one)
        blob = one.blobs[one.inputs[0]]
        blob.data[...] = np.random.default_rng(1).random(blob.data.shape)
        one.forward()
    np.testing.assert_array_equal(net.blobs[net.outputs[0]].data, expected.blobs[expected.outputs[0]].data)
    assert np.ptp(net.blobs[net.outputs[0]].data) > 0
    assert complexity.count(message)["parameters"] == sum(
        blob.data.size for blobs in expected.params.values() for blob in blobs
    )


def test_upgrading_changes_nothing_of_a_net_in_the_present_form(root):
    for name in ("idn_x3", "drcn"):  # DRCN: shared arrays, one blob used by many layers
        path = root / "prototxt" / "generated" / f"{name}_deploy.prototxt"
        written_net = text_format.Parse(path.read_text(), pb.NetParameter())
        for layer in written_net.layer:
            layer.ClearField("phase")
        found = foreign_nets.read(path)
        assert list(found.layer) == list(written_net.layer)


def test_the_oldest_form(tmp_path):
    """`layers { layer { type: "conv" } }` of 2013, with a padding layer that Caffe makes the convolution's own."""
    text = """input: "data" input_dim: 1 input_dim: 1 input_dim: 14 input_dim: 15
        layers { layer { name: "p" type: "padding" pad: 1 } bottom: "data" top: "p" }
        layers { layer { name: "c" type: "conv" num_output: 3 kernelsize: 3 } bottom: "p" top: "c" }"""
    message = foreign_nets.read(written(tmp_path, text))
    assert [(layer.type, list(layer.convolution_param.pad)) for layer in message.layer[1:]] == [("Convolution", [1])]
    assert complexity.count(message) == {"parameters": 30, "scale_parameters": 0, "macs": 27.0, "layers": 1}


def test_layers_without_weights_may_share_a_name(tmp_path):
    relu = 'layer { name: "r" type: "ReLU" bottom: "c" top: "c" }\n'
    text = INPUT + CONV + relu + conv("d", "c", "d") + relu.replace('"c"', '"d"')
    message = foreign_nets.read(written(tmp_path, text))
    assert [layer.name for layer in message.layer] == ["in", "c", "r", "d", "r_2"]
    with pytest.raises(UserError, match="two layers with weights are called 'c'"):
        foreign_nets.read(written(tmp_path, INPUT + CONV + conv("c", "c", "d")))


# --- state ---------------------------------------------------------------------------------------------

RULES = (
    INPUT
    + conv("always", "x", "a")
    + conv("test", "a", "b", rules="include { phase: TEST }")
    + conv("train", "a", "t", rules="include { phase: TRAIN }")
    + conv("not_test", "a", "u", rules="exclude { phase: TEST }")
    + conv("not_train", "b", "v", rules="exclude { phase: TRAIN }")
    + conv("staged", "b", "w", rules='include { stage: "deploy" }')
    + conv("both", "b", "y", rules='include { stage: "deploy" stage: "fast" }')
    + conv("unless", "b", "z", rules='include { not_stage: "deploy" }')
    + conv("high", "b", "h", rules="include { min_level: 2 }")
    + conv("low", "b", "l", rules="include { max_level: 1 phase: TEST }")
    + conv("either", "b", "e", rules='include { min_level: 2 } include { stage: "fast" }')
)


@pytest.mark.parametrize(
    ("level", "stages"), [(0, ()), (2, ()), (0, ("deploy",)), (1, ("fast", "deploy")), (-3, ("fast",))]
)
def test_rules_are_kept_as_caffe_keeps_them(level, stages, tmp_path):
    path = written(tmp_path, RULES)
    expected = caffe.Net(str(path), caffe.TEST, level=level, stages=list(stages))
    found = runtime.build_net(foreign_nets.read(path, foreign_nets.State(level, stages)))
    assert list(found.params) == list(expected.params)
    assert {"always", "test", "not_train"} <= set(found.params) and "train" not in found.params


def test_stages_that_the_net_itself_names(tmp_path):
    path = written(tmp_path, 'state { phase: TRAIN level: 7 stage: "deploy" }\n' + RULES)
    expected = caffe.Net(str(path), caffe.TEST)
    assert list(runtime.build_net(foreign_nets.read(path)).params) == list(expected.params)


def test_a_data_layer_of_another_phase_does_no_harm(tmp_path):
    data = 'layer { name: "d" type: "Data" top: "x" include { phase: TRAIN } data_param { source: "none" } }\n'
    assert [layer.name for layer in foreign_nets.read(written(tmp_path, data + INPUT + CONV)).layer] == ["in", "c"]


# --- layers that reach outside -------------------------------------------------------------------------

OUT = 'hdf5_output_param { file_name: "written.h5" }'
OLD_INPUT = 'input: "x" input_dim: 1 input_dim: 1 input_dim: 4 input_dim: 4 '
OUTSIDE = {
    "python": (INPUT + 'layer { name: "p" type: "Python" bottom: "x" top: "p" '
               'python_param { module: "m" layer: "L" } }',
               "layer 'p' is of type Python and would run the module 'm'.*--allow-python-layers"),
    "out": (INPUT + f'layer {{ name: "o" type: "HDF5Output" bottom: "x" bottom: "x" {OUT} }}',
            "layer 'o' is of type HDF5Output, which writes"),
    "out-v1": (OLD_INPUT + f'layers {{ name: "o" type: HDF5_OUTPUT bottom: "x" bottom: "x" {OUT} }}',
               "type HDF5_OUTPUT, which writes"),
    "out-v0": (OLD_INPUT + f'layers {{ layer {{ name: "o" type: "hdf5_output" {OUT} }} bottom: "x" bottom: "x" }}',
               "layer 'o' is of type hdf5_output, which writes"),
    "images": ('layer { name: "d" type: "ImageData" top: "x" top: "l" image_data_param { source: "/etc/passwd" } }',
               "type ImageData, which reads files that the net names; expected a deploy net"),
    "images-v0": ('layers { layer { name: "d" type: "images" source: "/etc/passwd" } top: "x" top: "l" }',
                  "type images, which reads"),
    "window": ('layers { name: "d" type: WINDOW_DATA top: "x" top: "l" }', "type WINDOW_DATA, which reads"),
    "hdf5": ('layer { name: "d" type: "HDF5Data" top: "x" hdf5_data_param { source: "a" batch_size: 1 } }',
             "type HDF5Data, which reads"),
    "data": ('layer { name: "d" type: "Data" top: "x" data_param { source: "a" batch_size: 1 } }', "type Data, which"),
    "infogain": (INPUT + 'layer { name: "i" type: "InfogainLoss" bottom: "x" bottom: "x" top: "i" '
                 'infogain_loss_param { source: "/etc/passwd" } }', "type InfogainLoss, which reads"),
    "mean": ('layer { name: "d" type: "MemoryData" top: "x" top: "l" transform_param { mean_file: "/etc/passwd" } '
             'memory_data_param { batch_size: 1 channels: 1 height: 2 width: 2 } }', "layer 'd' reads a mean file"),
}  # fmt: skip


@pytest.mark.parametrize("case", OUTSIDE)
def test_layers_that_reach_outside_are_refused_before_anything_is_built(case, tmp_path, monkeypatch):
    def never(*args, **options):
        raise AssertionError("built")

    monkeypatch.setattr(foreign_nets.subprocess, "run", never)
    text, said = OUTSIDE[case]
    with pytest.raises(UserError, match=said):
        foreign_nets.read(written(tmp_path, text))


def test_every_layer_type_of_caffe_that_opens_files_is_known():
    """A list of Caffe's own types, so that a build with more of them is noticed."""
    known = {"Data", "HDF5Data", "ImageData", "WindowData", "HDF5Output", "InfogainLoss", "Python", "MemoryData"}
    built = set(caffe.layer_type_list())
    assert {kind for kind in built if "Data" in kind or "Output" in kind} - {"DummyData"} <= known
    assert {"Data", "HDF5Data", "HDF5Output", "InfogainLoss", "Python"} <= built  # Image- and WindowData need OpenCV
    assert known - {"Python", "MemoryData"} <= foreign_nets.READING | foreign_nets.WRITING


MODULE = """
import caffe, pathlib
pathlib.Path(__file__).with_name("ran").touch()
print("noise")
class L(caffe.Layer):
    def setup(self, bottom, top): pass
    def reshape(self, bottom, top): top[0].reshape(*bottom[0].shape)
    def forward(self, bottom, top): top[0].data[...] = bottom[0].data
    def backward(self, *args): pass
"""


def test_python_layers_run_only_when_they_are_allowed(root, tmp_path):
    written(tmp_path, MODULE, "m.py")
    path = written(tmp_path, OUTSIDE["python"][0] + conv("c", "p", "c"))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, root / "tools/complexity.py", path]
    refused = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1 and refused.stdout == ""
    assert not (tmp_path / "ran").exists()
    allowed = subprocess.run([*command, "--allow-python-layers"], capture_output=True, text=True, env=environment)
    assert allowed.returncode == 0, allowed.stderr
    assert "1 layers, 76 parameters" in allowed.stdout and (tmp_path / "ran").exists()


# --- what Caffe would end the process for --------------------------------------------------------------

E = 'layer { name: "e" type: "%s" bottom: "x" bottom: "c" top: "e" }'
BROKEN = {
    "type": (INPUT + CONV.replace("Convolution", "Konvolution"), "layer 'c' is of type 'Konvolution', expected one of"),
    "no type": (INPUT + CONV.replace('type: "Convolution"', ""), "layer 'c' is of type ''"),
    "bottom": (INPUT + conv("c", "nope", "c"), "Unknown bottom blob 'nope'"),
    "top": (INPUT + CONV + conv("d", "x", "c"), "layer 'd' .*Top blob 'c' produced by multiple sources"),
    "1x1": (INPUT.replace("dim: 9 dim: 8", "dim: 1 dim: 1") + conv("c", "x", "c", "num_output: 1 kernel_size: 5"),
            r"layer 'c' \(shape\[i\] >= 0 \(-3 vs\. 0\)"),
    "negative": (INPUT.replace("9", "-9") + CONV, r"layer 'in' .*\(-9 vs\. 0\)"),
    "zero": (INPUT.replace("9", "0") + CONV, "layer 'c' .*some size is 0|input 'x' is of shape"),
    "huge": (INPUT.replace("9", "2000000000") + CONV, "layer 'in' .*blob size exceeds INT_MAX"),
    "no number of maps": (INPUT + conv("c", "x", "c", "kernel_size: 3"), "layer 'c' .*num_output_ > 0"),
    "no kernel": (INPUT + conv("c", "x", "c", "num_output: 3"), "layer 'c' .*kernel_size must be specified"),
    "group of 0": (INPUT + conv("c", "x", "c", "num_output: 3 kernel_size: 3 group: 0"),
                   "crashes at layer 'c' .SIGFPE"),
    "eltwise": (INPUT + CONV + E % "Eltwise", "layer 'e' .*bottom"),
    "concat": (INPUT + conv("c", "x", "c", "num_output: 2 kernel_size: 3") + E % "Concat",
               "All inputs must have the same"),
    "slice": (INPUT + CONV + 'layer { name: "e" type: "Slice" bottom: "c" top: "s" top: "t" top: "u" }',
              "should evenly divide input slice axis"),
    "both rules": (INPUT + conv("c", "x", "c", rules="include { phase: TEST } exclude { phase: TRAIN }"), "not both"),
    "filler": (INPUT + conv("c", "x", "c", 'num_output: 1 kernel_size: 1 weight_filler { type: "nope" }'),
               "Unknown filler name: nope"),
    "two forms": ('layers { name: "r" type: RELU bottom: "x" top: "r" }\n' + INPUT,
                  "includes both 'layer' and 'layers'"),
    "three dims": (OLD_INPUT.replace("input_dim: 4", "", 1) + CONV, "has 1 input and 0 input_shape, 3 input_dim"),
    "no input": ('name: "x"', "has no input; expected a deploy net"),
    "no shape": ('layer { name: "in" type: "Input" top: "x" }', "input 'x' is without a shape; expected four numbers"),
    "three axes": (INPUT.replace("dim: 2", ""), r"input 'x' is of shape \[1, 9, 8\]; expected four numbers"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_what_caffe_refuses_is_one_line(case, tmp_path):
    text, said = BROKEN[case]
    path = written(tmp_path, text)
    with pytest.raises(UserError, match=said) as error:
        foreign_nets.read(path)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value) and len(str(error.value)) < 500


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b" \n\t", "is empty"),
        (b"layer { nonsense", "not a net that Caffe can read"),
        (b"\x0a\x05conv1\xff\xfe", "not text in UTF-8"),
        (b'layer { name: "\\377" }', "not a net that Caffe can read"),
        (b'layer { name: "in" type: "Input" input_param { shape { dim: 99999999999999999999 } } }', "not a net"),
        (b"layer { " * 100_000, "not a net that Caffe can read"),
    ],
)
def test_files_that_are_no_prototxt(content, said, tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=said):
        foreign_nets.read(path)


def test_a_folder_and_nothing(tmp_path):
    with pytest.raises(UserError, match="is a folder, expected a deploy prototxt"):
        foreign_nets.read(tmp_path)
    with pytest.raises(UserError, match="no such file, expected a deploy prototxt"):
        foreign_nets.read(tmp_path / "none")


@pytest.mark.parametrize(("size", "said"), [((1, 1), "layer 'c', input 1x1"), ((2**20, 2**20), "exceeds INT_MAX")])
def test_sizes_at_which_the_net_does_not_run(size, said, tmp_path):
    path = written(tmp_path, INPUT + conv("c", "x", "c", "num_output: 1 kernel_size: 3"))
    foreign_nets.read(path, sizes=[(3, 3)])
    with pytest.raises(UserError, match=f"{said}.*give sizes that this net takes"):
        foreign_nets.read(path, sizes=[(5, 5), size])


def test_a_net_beyond_memory_is_one_line(root, tmp_path):
    """A convolution of 2 GB of weights under a limit of 2 GB of address space: Caffe's allocation fails and aborts."""
    path = written(tmp_path, INPUT + conv("c", "x", "c", "num_output: 1000000 kernel_size: 16 pad: 8"))
    command = f"ulimit -v 2000000; exec {sys.executable} {root}/tools/complexity.py {path}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "Caffe runs out of memory at layer 'c'; expected a net and sizes that fit" in done.stderr


def test_names_of_any_kind(root, tmp_path):
    for name in (os.fsdecode(b"\xff \xfe.prototxt"), "сеть и 网络.prototxt"):
        message = emit.text(srcnn.srcnn(), "a test")
        path = written(tmp_path, message, name)
        done = subprocess.run([root / "tools/complexity.py", path], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "3 layers, 8,129 parameters" in done.stdout
