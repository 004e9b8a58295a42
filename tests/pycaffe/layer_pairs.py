"""Layers twice, once as this build makes them and once as upstream does, on shapes that nobody chose.

A layer that says `engine: CAFFE` is upstream's in any build, so that both run in one process on the same numbers.
Layers that have no such option are compared between two processes, with CAFFE_CPU_ENGINE=blas and without.
"""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from prototxt.engine import caffe

# the sums that both make differ in their order only
OUTPUT, GRADIENT = 1e-5, 1e-4


@st.composite
def geometries(draw, transposed=False):
    """Options of a convolution and a bottom shape that fits them, small enough to be quick."""
    group = draw(st.sampled_from([1, 1, 2, 3, 4]))
    batch = draw(st.sampled_from([1, 1, 2, 64]))
    most = 4 if batch == 64 else 24
    channels, outputs = (group * draw(st.integers(1, most)) for _ in range(2))
    kernel = [draw(st.integers(1, 17)) for _ in range(2)] if draw(st.booleans()) else [draw(st.integers(1, 7))] * 2
    if batch == 64:
        kernel = [min(k, 5) for k in kernel]
    stride = [draw(st.integers(1, 4)) for _ in range(2)]
    pad = [draw(st.integers(0, k // 2 + 1)) for k in kernel]
    dilation = draw(st.sampled_from([1, 1, 1, 2]))
    sides = []
    for k, s, p in zip(kernel, stride, pad):
        extent = dilation * (k - 1) + 1
        # the smallest side that leaves one pixel of output
        least = (max(2 * p + 1 - extent, 0) + s - 1) // s + 1 if transposed else max(extent - 2 * p, 1)
        sides.append(least + draw(st.integers(0, 11)))
    bias = draw(st.booleans())
    return dict(
        batch=batch, channels=channels, sides=sides, num_output=outputs, group=group, kernel=kernel, stride=stride,
        pad=pad, dilation=dilation, bias_term=bias,
    )  # fmt: skip


def options(of):
    """The convolution_param of one example, without its engine."""
    lines = [f"{name}: {of[name]}" for name in ("num_output", "group")] + [f"bias_term: {str(of['bias_term']).lower()}"]
    for name, values in (("kernel", of["kernel"]), ("stride", of["stride"]), ("pad", of["pad"])):
        lines += [f"{name}_h: {values[0]}", f"{name}_w: {values[1]}"]
    lines += [f"dilation: {of['dilation']}", 'weight_filler { type: "gaussian" std: 0.1 }']
    lines += ['bias_filler { type: "gaussian" std: 0.1 }']
    return " ".join(lines)


def build(tmp_path_factory, text, phase=caffe.TEST):
    path = tmp_path_factory.mktemp("net") / "net.prototxt"
    path.write_text("force_backward: true\n" + text)
    return caffe.Net(str(path), phase)


def pair(factory, kind, shape, param, name="convolution_param"):
    """A net with one layer twice: `fast` as this build makes it, `plain` as upstream does."""
    dims = " ".join(f"dim: {n}" for n in shape)
    text = ""
    for top, engine in (("fast", ""), ("plain", "engine: CAFFE")):
        text += f"""
        layer {{ name: "in_{top}" type: "Input" top: "in_{top}" input_param {{ shape {{ {dims} }} }} }}
        layer {{ name: "{top}" type: "{kind}" bottom: "in_{top}" top: "{top}" {name} {{ {param} {engine} }} }}"""
    return build(factory, text)


def fill(net, seed=0):
    """The same random numbers into both halves of a pair; gives the gradient to send back."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(net.blobs["in_fast"].data.shape)
    for name in ("fast", "plain"):
        net.blobs[f"in_{name}"].data[...] = values
        for mine, other in zip(net.params.get(name, ()), net.params.get("fast", ())):
            mine.data[...] = other.data
            mine.diff[...] = 0.5  # Caffe adds to what is there
    net.reshape()
    return rng.standard_normal(net.blobs["fast"].data.shape).astype(np.float32)


def compare(net, gradient):
    """Forward and backward of both halves: outputs, gradients of input, weights and bias."""
    out = net.forward()
    assert close(out["fast"], out["plain"], OUTPUT)
    net.backward(fast=gradient, plain=gradient)
    assert close(net.blobs["in_fast"].diff, net.blobs["in_plain"].diff, GRADIENT)
    for mine, other in zip(net.params.get("fast", ()), net.params.get("plain", ())):
        assert np.abs(other.diff).max() > 0
        assert close(mine.diff, other.diff, GRADIENT)


def close(found, expected, tolerance):
    """Whether the largest difference is below `tolerance` of the largest value."""
    return np.abs(found - expected).max() <= tolerance * max(np.abs(expected).max(), 1e-3)


def in_process(code, engine, tmp_path, **variables):
    """Run Python code with a CPU engine; it may save arrays to `out`, which come back."""
    out = tmp_path / f"{engine}.npz"
    environment = {**os.environ, "CAFFE_CPU_ENGINE": engine, **variables}
    head = f"import sys; sys.path.insert(0, {str(Path.cwd())!r}); out = {str(out)!r}\n"
    run = [sys.executable, "-c", head + textwrap.dedent(code)]
    done = subprocess.run(run, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    if not out.exists():
        return done.stdout
    with np.load(out) as arrays:  # all of them now: the next process writes the same file
        return dict(arrays)
