"""Foreign nets and weights: old and odd prototxt files, damaged ones, weights of every kind."""

import re

import numpy as np

from tools.fault_checks import drawing, judge
from tools.fault_checks.case import Skipped, trial
from tools.fault_checks.damage import damaged
from tools.fault_checks.material import FILL

HEAD = (
    'name: "odd"\nlayer { name: "data" type: "Input" top: "data" '
    "input_param { shape { dim: 1 dim: 1 dim: 16 dim: 16 } } }\n"
)
CONV = (
    'layer { name: "c1" type: "Convolution" bottom: "%s" top: "c1" '
    "convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }\n"
)
# files that Caffe's own check ends with an abort, or that lead a tool astray
ODD = {
    "unknown layer type": HEAD + 'layer { name: "x" type: "Nonsense" bottom: "data" top: "x" }\n',
    "unknown bottom": HEAD + CONV % "nothing",
    "no bottom": HEAD + (CONV % "data").replace('bottom: "data" ', ""),
    "kernel larger than the picture": HEAD + (CONV % "data").replace("kernel_size: 3 pad: 1", "kernel_size: 99"),
    "no outputs": HEAD + (CONV % "data").replace("num_output: 4", "num_output: 0"),
    "kernel 0": HEAD + (CONV % "data").replace("kernel_size: 3", "kernel_size: 0"),
    "stride 0": HEAD + (CONV % "data").replace("pad: 1", "stride: 0"),
    "groups that do not divide": HEAD + (CONV % "data").replace("pad: 1", "group: 3"),
    "no convolution_param": HEAD + 'layer { name: "x" type: "Convolution" bottom: "data" top: "x" }\n',
    "one name for two layers' tops": HEAD + CONV % "data" + (CONV % "data").replace('"c1" type', '"c2" type'),
    "sum of two sizes": HEAD + (CONV % "data").replace("pad: 1", "pad: 0")
    + 'layer { name: "s" type: "Eltwise" bottom: "data" bottom: "c1" top: "s" }\n',
    "no layers": 'name: "empty"\n',
    "empty file": "",
    "input of 0 pixels": (HEAD + CONV % "data").replace("dim: 16 dim: 16", "dim: 0 dim: 16"),
    "input of a billion pixels": (HEAD + CONV % "data").replace("dim: 16 dim: 16", "dim: 100000 dim: 100000"),
    "negative input": (HEAD + CONV % "data").replace("dim: 16 dim: 16", "dim: -1 dim: 16"),
    "input of two dimensions": (HEAD + CONV % "data").replace("dim: 1 dim: 1 dim: 16 dim: 16", "dim: 16 dim: 16"),
    "a billion maps": HEAD + (CONV % "data").replace("num_output: 4", "num_output: 1000000000"),
    "a data layer": 'layer { name: "d" type: "HDF5Data" top: "data" '
    'hdf5_data_param { source: "none.txt" batch_size: 1 } }\n',
    "a loss without labels": HEAD + 'layer { name: "l" type: "EuclideanLoss" bottom: "data" top: "l" }\n',
}


@trial("prototxt-odd")
def prototxt_odd(lab):
    """Prototxt files that Caffe refuses with an abort: unknown layers and bottoms, impossible sizes"""
    names = list(ODD) if lab.long else [*list(ODD)[:4], *lab.rng.permutation(list(ODD)[4:])[: lab.cases(8, 99)]]
    for name in map(str, names):
        path = lab.write(f"{name.replace(' ', '_')}.prototxt", ODD[name])
        run = lab.tool("complexity", path)
        yield lab.result(f"complexity: {name}", judge.refused(run, path.name), run)
    run = lab.tool("complexity", "--size", 1, 1, "--methods", "ESPCN", "--scales", 2)
    yield lab.result("complexity --size 1 1", judge.done_or_refused(run), run)


@trial("prototxt-damaged")
def prototxt_damaged(lab):
    """Our own deploy files with words taken out, doubled or changed"""
    names = ("idn_x3_deploy", "espcn_x2_deploy", "fsrcnn_x2_deploy", "vdsr_deploy", "memnet_m6r6_deploy")
    for number in range(lab.cases(12, 200)):
        name = names[int(lab.rng.integers(0, len(names)))]
        text = (lab.checkout / "prototxt/generated" / f"{name}.prototxt").read_text()
        words = re.findall(r'"[^"]*"|[\w.+-]+|\S|\n', text)
        at = int(lab.rng.integers(0, len(words)))
        how = int(lab.rng.integers(0, 4))
        before = words[at]
        if how == 0:
            del words[at]
        elif how == 1:
            words.insert(at, before)
        elif how == 2:
            words[at] = str(lab.rng.choice(["0", "-1", "99999999999", "1e9", '"x"', "{", "}", "true"]))
        else:
            del words[at : at + int(lab.rng.integers(2, 40))]
        path = lab.write(f"{number}_{name}.prototxt", " ".join(words))
        run = lab.tool("complexity", path)
        said = ("taken out", "doubled", f"made {words[at] if at < len(words) else ''}", "and more taken out")[how]
        faults = judge.done_or_refused(run, path.name)
        yield lab.result(f"{name}: word {at} ({before.strip() or 'newline'}) {said}", faults, run)


def _old(text, how):
    """A deploy prototxt in the way of older Caffe: with `input_dim`, `input_shape`, V1 `layers`, or states."""
    head = re.search(r"layer\s*{[^{}]*type: \"Input\"(?:[^{}]|{(?:[^{}]|{[^{}]*})*})*}\s*", text)
    dims = re.findall(r"dim: (\d+)", head[0])
    rest = text.replace(head[0], "")
    if how == "input_dim":
        return 'input: "data"\n' + "".join(f"input_dim: {d}\n" for d in dims) + rest
    if how == "input_shape":
        return 'input: "data"\ninput_shape { ' + " ".join(f"dim: {d}" for d in dims) + " }\n" + rest
    if how == "layers":
        names = {"Convolution": "CONVOLUTION", "Eltwise": "ELTWISE", "ReLU": "RELU", "TanH": "TANH"}
        for new, old in names.items():
            rest = rest.replace(f'type: "{new}"', f"type: {old}")
        rest = re.sub(r"(?m)^layer {", "layers {", rest)
        rest = re.sub(r"param\s*{[^{}]*}\s*", lambda m: "" if "lr_mult" in m[0] else m[0], rest)
        return 'input: "data"\n' + "".join(f"input_dim: {d}\n" for d in dims) + rest
    phase = 'include { phase: TRAIN }'
    extra = f'layer {{ name: "l" type: "EuclideanLoss" bottom: "data" bottom: "none" top: "l" {phase} }}\n'
    return text + extra


@trial("prototxt-of-others")
def prototxt_of_others(lab):
    """Deploy files in older Caffe's ways: input_dim, input_shape, layers, include { phase }: counted like ours"""
    for name in ("vdsr_deploy", "idn_x3_deploy") if lab.long else ("vdsr_deploy",):
        source = lab.checkout / "prototxt/generated" / f"{name}.prototxt"
        text = source.read_text()
        right = lab.tool("complexity", source).out.partition(": ")[2]
        for how in ("input_dim", "input_shape", "layers", "include"):
            if how == "layers" and "vdsr" not in name:
                continue  # has layers that the old way has no names for
            path = lab.write(f"{how}_{name}.prototxt", _old(text, how))
            run = lab.tool("complexity", path)
            faults = judge.done(run)
            if not faults and run.out.partition(": ")[2] != right:
                faults.append(f"counted {run.out.partition(': ')[2].strip()}, ours {right.strip()}")
            yield lab.result(f"complexity: {name} with {how}", faults, run)


SCALARS = HEAD + CONV % "data" + (
    'layer { name: "p" type: "PReLU" bottom: "c1" top: "p" prelu_param { channel_shared: true } }\n'
    'layer { name: "s" type: "Scale" bottom: "p" top: "s" scale_param { axis: 0 num_axes: 0 } }\n'
    'layer { name: "c2" type: "Convolution" bottom: "s" top: "c2" '
    "convolution_param { num_output: 1 kernel_size: 3 pad: 1 } }\n"
)


@trial("onnx")
def onnx(lab):
    """export_onnx of scalar weights, phases, old files, odd sizes and outputs, HDF5 weights"""
    found = lab.python("-c", "import onnx, onnxruntime")
    if found.status:
        raise Skipped("onnx and onnxruntime are not installed; .venv/bin/pip install onnx onnxruntime")

    net = lab.write("scalars.prototxt", SCALARS)
    vdsr = (lab.checkout / "prototxt/generated/vdsr_deploy.prototxt").read_text()
    files = {"scalar weights": net}
    for how in ("input_dim", "input_shape", "layers", "include"):
        files[f"vdsr with {how}"] = lab.write(f"{how}.prototxt", _old(vdsr, how))
    plain = lab.write("plain.prototxt", vdsr)
    for name, path in files.items():
        weights = lab.folder / f"{path.stem}.caffemodel"
        made = lab.python("-c", FILL, path if "scalar" in name else plain, weights, 1)
        run = lab.tool("export_onnx", path, weights, lab.folder / f"{path.stem}.onnx")
        yield lab.result(name, judge.broken(made) + judge.done(run), run)
    weights = lab.folder / "plain.h5"
    lab.python("-c", FILL, plain, weights, 1)
    run = lab.tool("export_onnx", plain, weights, lab.folder / "h5.onnx")
    yield lab.result("HDF5 weights", judge.done(run), run)
    model = lab.folder / "scalars.caffemodel"
    for more in (("--sizes", 1, 1), ("--sizes", 0, 4), ("--sizes", 5), ("--sizes", 10**9, 10**9), ("--output", "none"),
                 ("--output", "p"), ("--output", "data")):
        run = lab.tool("export_onnx", net, model, lab.folder / "o.onnx", *more)
        yield lab.result(" ".join(map(str, more)), judge.done_or_refused(run), run)
    for name in list(ODD)[:6]:
        path = lab.write("odd.prototxt", ODD[name])
        run = lab.tool("export_onnx", path, model, lab.folder / "o.onnx")
        yield lab.result(name, judge.refused(run), run)


@trial("weights-hdf5")
def weights_hdf5(lab):
    """Weights that Caffe wrote as HDF5 give the same picture as the .caffemodel"""
    path = lab.write("in.png", drawing.plain_png(drawing.Scene(lab.rng).rgb))
    pictures = []
    for suffix in (".caffemodel", ".caffemodel.h5"):
        weights = lab.material.weights("espcn_x2_deploy", suffix)
        out = lab.folder / f"out{suffix}.png"
        run = lab.tool("upscale", path, "-o", out, "--scale", 2, "--method", "ESPCN", "--weights", weights)
        faults = judge.done(run)
        if out.exists():
            pictures.append(drawing.read_png(out)[0])
        yield lab.result(f"upscale --weights FILE{suffix}", faults, run)
    if len(pictures) == 2 and not np.array_equal(*pictures):
        yield lab.result("the same picture", ["another picture than with the .caffemodel"], run)


@trial("weights-damaged")
def weights_damaged(lab):
    """Damaged .caffemodel, .h5 and .mat files: one line, or numbers that are still a net's"""
    path = lab.write("in.png", drawing.plain_png(drawing.Scene(lab.rng).rgb))
    sources = {
        "ESPCN": [lab.material.weights("espcn_x2_deploy"), lab.material.weights("espcn_x2_deploy", ".caffemodel.h5")],
        "VDSR": [lab.material.vdsr_mat()],
    }
    for number in range(lab.cases(9, 120)):
        method = "VDSR" if number % 3 == 2 else "ESPCN"
        source = sources[method][number % 3 % len(sources[method])]
        what, content = damaged(source.read_bytes(), lab.rng, 600)
        bad = lab.write(f"{number}_{source.name}", content)
        run = lab.tool("upscale", path, "-o", lab.folder / f"{number}.png", "--scale", 2, "--method", method,
                       "--weights", bad)
        yield lab.result(f"{source.name}: {what}", judge.done_or_refused(run, bad.name), run)


@trial("python-layers")
def python_layers(lab):
    """A prototxt with a Python layer makes no tool import what it names"""
    trace = lab.folder / "was_run"
    lab.write("evil.py", f"import pathlib\npathlib.Path({str(trace)!r}).write_text('x')\n")
    layer = 'layer { name: "p" type: "Python" bottom: "data" top: "p" python_param { module: "evil" layer: "Evil" } }\n'
    path = lab.write("evil.prototxt", HEAD + layer)
    v1 = lab.write("layers.prototxt", HEAD + CONV % "data" + layer.replace("bottom: \"data\"", 'bottom: "c1"'))
    for net in (path, v1):
        for name, arguments in (("complexity", (net,)),
                                ("export_onnx", (net, lab.material.weights(), lab.folder / "o.onnx"))):
            run = lab.tool(name, *arguments, env={"PYTHONPATH": str(lab.folder)})
            faults = judge.refused(run)
            if trace.exists():
                faults.append("the module that the file names was run")
                trace.unlink()
            yield lab.result(f"{name} {net.name}", faults, run)
