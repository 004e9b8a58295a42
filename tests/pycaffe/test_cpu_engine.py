"""The fast CPU layers against upstream's own, layer by layer and net by net, on shapes that nobody chose."""

import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from caffe_build import cpu_engine
from hypothesis import example, given

from prototxt.engine import caffe

from .layer_pairs import GRADIENT, build, close, compare, fill, geometries, in_process, options, pair

IDN = dict(pad=[1, 1], kernel=[3, 3], stride=[1, 1], dilation=1, bias_term=True)


@example(dict(batch=64, channels=48, sides=[15, 15], num_output=32, group=4, **IDN))
@example(dict(batch=1, channels=64, sides=[51, 43], num_output=48, group=4, **IDN))
@example(dict(batch=1, channels=1, sides=[33, 29], num_output=64, group=1, **IDN))
@example(dict(batch=2, channels=64, sides=[21, 23], num_output=1, group=1, **IDN))
@example(dict(batch=1, channels=6, sides=[9, 8], num_output=6, group=6, **IDN))
@given(geometries())
def test_convolution_equals_upstream(tmp_path_factory, of):
    net = pair(tmp_path_factory, "Convolution", [of["batch"], of["channels"], *of["sides"]], options(of))
    compare(net, fill(net))


UPSAMPLE = dict(num_output=1, group=1, dilation=1, bias_term=True)


@example(dict(batch=64, channels=64, sides=[5, 7], kernel=[17, 17], stride=[3, 3], pad=[8, 8], **UPSAMPLE))
@example(dict(batch=1, channels=64, sides=[19, 17], kernel=[17, 17], stride=[4, 4], pad=[8, 8], **UPSAMPLE))
@example(dict(batch=1, channels=3, sides=[9, 11], kernel=[4, 4], stride=[2, 2], pad=[1, 1], **UPSAMPLE))
@given(geometries(transposed=True))
def test_deconvolution_equals_upstream(tmp_path_factory, of):
    net = pair(tmp_path_factory, "Deconvolution", [of["batch"], of["channels"], *of["sides"]], options(of))
    compare(net, fill(net))


@pytest.mark.parametrize("slope", [0, 0.05, 1.5])
def test_relu_equals_upstream_to_the_bit(tmp_path_factory, slope):
    net = pair(tmp_path_factory, "ReLU", [3, 7, 61, 53], f"negative_slope: {slope}", "relu_param")
    gradient = fill(net)
    for name in ("in_fast", "in_plain"):
        net.blobs[name].data[0, 0, 0, :5] = [0, -0.0, np.inf, -np.inf, np.nan]
    with np.errstate(invalid="ignore"):
        out = net.forward()
        net.backward(fast=gradient, plain=gradient)
    np.testing.assert_array_equal(out["fast"].view(np.int32), out["plain"].view(np.int32))
    np.testing.assert_array_equal(net.blobs["in_fast"].diff, net.blobs["in_plain"].diff)


@pytest.mark.parametrize("kind", ["Convolution", "Deconvolution"])
@pytest.mark.parametrize("group", [1, 4])
def test_gradients_equal_finite_differences(tmp_path_factory, kind, group):
    """The layer is linear in input, weights and bias: so are differences of any step, but for rounding."""
    of = dict(num_output=12, group=group, bias_term=True, kernel=[5, 3], stride=[2, 1], pad=[2, 1], dilation=1)
    net = pair(tmp_path_factory, kind, [3, 8, 11, 14], options(of))
    gradient = fill(net)
    rng = np.random.default_rng(5)
    for mine in net.params["fast"]:
        mine.diff[...] = 0
    net.forward()
    net.backward(fast=gradient, plain=gradient)

    def value():
        return float((net.forward()["fast"].astype(float) * gradient).sum())

    arrays = [net.blobs["in_fast"], *net.params["fast"]]
    for blob in arrays:
        before, slope = blob.data.copy(), blob.diff.astype(float).copy()
        step = rng.standard_normal(before.shape)
        blob.data[...] = before + step
        high = value()
        blob.data[...] = before - step
        low = value()
        blob.data[...] = before
        assert (high - low) / 2 == pytest.approx(float((slope * step).sum()), rel=1e-3, abs=1e-2)


def test_gradients_that_are_not_wanted_stay_away(tmp_path_factory):
    """lr_mult 0 of the weights, of the bias: upstream skips these gradients, and the others stay right."""
    for frozen in ((0, 1), (1, 0)):
        of = dict(num_output=6, group=1, bias_term=True, kernel=[3, 3], stride=[1, 1], pad=[1, 1], dilation=1)
        text = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 5 dim: 9 dim: 8 } } }'
        for top, engine in (("fast", ""), ("plain", "engine: CAFFE")):
            rates = " ".join(f"param {{ lr_mult: {rate} }}" for rate in frozen)
            text += f"""layer {{ name: "{top}" type: "Convolution" bottom: "data" top: "{top}" {rates}
                convolution_param {{ {options(of)} {engine} }} }}"""
        net = build(tmp_path_factory, text.replace("force_backward: true", ""), caffe.TRAIN)
        for mine, other in zip(net.params["fast"], net.params["plain"]):
            mine.data[...] = other.data
        gradient = np.random.default_rng(0).standard_normal(net.blobs["fast"].data.shape)
        net.forward()
        net.backward(fast=gradient, plain=gradient)
        for mine, other in zip(net.params["fast"], net.params["plain"]):
            assert close(mine.diff, other.diff, GRADIENT)
        assert sum(np.abs(blob.diff).max() > 0 for blob in net.params["fast"]) >= 1


def test_sizes_may_grow_and_shrink_between_calls(tmp_path_factory):
    of = dict(num_output=16, group=2, bias_term=True, kernel=[3, 3], stride=[1, 1], pad=[1, 1], dilation=1)
    net = pair(tmp_path_factory, "Convolution", [1, 8, 9, 9], options(of))
    for batch, height, width in ((1, 40, 31), (1, 5, 4), (7, 12, 12), (1, 40, 31), (1, 1, 1)):
        for name in ("in_fast", "in_plain"):
            net.blobs[name].reshape(batch, 8, height, width)
        compare(net, fill(net, height))


CHAIN = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 3 dim: 6 dim: 37 dim: 41 } } }
layer { name: "cut" type: "Slice" bottom: "data" top: "a" top: "b" top: "c"
    slice_param { axis: 1 slice_point: 1 slice_point: 4 } }
layer { name: "rows" type: "Slice" bottom: "b" top: "b1" top: "b2" slice_param { axis: 2 slice_point: 11 } }
layer { name: "relu" type: "ReLU" bottom: "a" top: "a" relu_param { negative_slope: 0.05 } }
layer { name: "again" type: "Concat" bottom: "b2" bottom: "b1" top: "turned" concat_param { axis: 2 } }
layer { name: "all" type: "Concat" bottom: "c" bottom: "turned" bottom: "a" top: "all" }
layer { name: "sum" type: "Eltwise" bottom: "all" bottom: "data" bottom: "all" top: "sum"
    eltwise_param { operation: SUM coeff: 1 coeff: -0.3 coeff: 2 } }
layer { name: "product" type: "Eltwise" bottom: "all" bottom: "sum" top: "product" eltwise_param { operation: PROD } }
layer { name: "largest" type: "Eltwise" bottom: "sum" bottom: "product" top: "out" eltwise_param { operation: MAX } }
"""


def test_copies_and_sums_equal_upstream(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text("force_backward: true\n" + CHAIN)
    code = f"""
    import numpy as np
    from prototxt.engine import caffe
    net = caffe.Net({str(path)!r}, caffe.TEST)
    rng = np.random.default_rng(0)
    net.blobs["data"].data[...] = rng.standard_normal(net.blobs["data"].data.shape)
    net.forward()
    net.backward(out=rng.standard_normal(net.blobs["out"].data.shape))
    np.savez(out, **{{f"{{k}}.{{w}}": getattr(b, w) for k, b in net.blobs.items() for w in ("data", "diff")}})
    """
    fast, plain = (in_process(code, engine, tmp_path) for engine in ("onednn", "blas"))
    assert len(plain) > 20
    for name in plain:
        # coefficients other than 1: OpenBLAS may or may not round between product and sum
        np.testing.assert_allclose(fast[name], plain[name], rtol=2e-6, atol=1e-6, err_msg=name)
        if name.split(".")[0] in ("a", "b1", "b2", "c", "turned", "all") and name.endswith("data"):
            np.testing.assert_array_equal(fast[name], plain[name], err_msg=name)


EVERY_VALUE = """
layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 3 dim: 6 dim: 37 dim: 41 }} }} }}
layer {{ name: "norm" type: "BatchNorm" bottom: "data" top: "norm" batch_norm_param {{ eps: 1e-4 }} }}
layer {{ name: "scale" type: "Scale" bottom: "norm" top: "{scale}" scale_param {{ bias_term: true
    filler {{ type: "gaussian" std: 1 }} bias_filler {{ type: "gaussian" std: 1 }} }} }}
layer {{ name: "prelu" type: "PReLU" bottom: "{scale}" top: "{prelu}" prelu_param {{ channel_shared: {shared}
    filler {{ type: "uniform" min: -1 max: 1 }} }} }}
layer {{ name: "tanh" type: "TanH" bottom: "{prelu}" top: "tanh" }}
layer {{ name: "small" type: "Input" top: "small" input_param {{ shape {{ dim: 3 dim: 6 dim: 30 dim: 35 }} }} }}
layer {{ name: "crop" type: "Crop" bottom: "tanh" bottom: "small" top: "crop"
    crop_param {{ axis: 2 offset: 3 offset: 5 }} }}
"""


@pytest.mark.parametrize(
    "tops", [{"scale": "norm", "prelu": "norm"}, {"scale": "scale", "prelu": "prelu"}], ids=["in place", "apart"]
)
@pytest.mark.parametrize("shared", ["true", "false"])
def test_layers_that_go_over_every_value_equal_upstream(tmp_path, tops, shared):
    path = tmp_path / "net.prototxt"
    path.write_text("force_backward: true\n" + EVERY_VALUE.format(shared=shared, **tops))
    code = f"""
    import numpy as np
    from prototxt.engine import caffe
    net = caffe.Net({str(path)!r}, caffe.TEST)
    rng = np.random.default_rng(0)
    for blob in [b for blobs in net.params.values() for b in blobs]:
        blob.data[...] = rng.standard_normal(blob.data.shape)
    net.params["norm"][1].data[...] = rng.uniform(1, 9, 6)
    net.params["norm"][2].data[...] = 3
    net.blobs["data"].data[...] = rng.standard_normal(net.blobs["data"].data.shape)
    net.forward()
    net.backward(crop=rng.standard_normal(net.blobs["crop"].data.shape))
    arrays = {{f"{{k}}.{{w}}": getattr(b, w) for k, b in net.blobs.items() for w in ("data", "diff")}}
    for name, blobs in net.params.items():
        arrays.update({{f"{{name}}.{{i}}.gradient": blob.diff for i, blob in enumerate(blobs)}})
    np.savez(out, **arrays)
    """
    fast, plain = (in_process(code, engine, tmp_path) for engine in ("onednn", "blas"))
    assert np.abs(plain["prelu.0.gradient"]).max() > 0.1 and np.abs(plain["data.diff"]).max() > 0.1
    for name in plain:
        # OpenBLAS, or tanh in single precision, may round once more or less
        np.testing.assert_allclose(fast[name], plain[name], rtol=1e-5, atol=1e-6, err_msg=name)
        if not name.startswith(("tanh", "crop")) and name.endswith("data"):
            np.testing.assert_allclose(fast[name], plain[name], rtol=5e-7, atol=1e-7, err_msg=name)


NORMALISED = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 3 dim: 6 dim: 37 dim: 41 } } }
layer { name: "bn1" type: "BatchNorm" bottom: "data" top: "bn1" }
layer { name: "scale1" type: "Scale" bottom: "bn1" top: "scale1" scale_param { bias_term: true } }
layer { name: "bn2" type: "BatchNorm" bottom: "scale1" top: "bn2" }
layer { name: "scale2" type: "Scale" bottom: "bn2" top: "bn2" scale_param { bias_term: true } }
layer { name: "scale3" type: "Scale" bottom: "bn2" top: "scale3" scale_param { axis: 2 num_axes: 2 } }
layer { name: "bn3" type: "BatchNorm" bottom: "scale3" top: "scale3" }
layer { name: "scale4" type: "Scale" bottom: "scale3" top: "out" scale_param { axis: 0 num_axes: 0 } }
"""


@pytest.mark.parametrize("statistics", ["eps: 1e-2", "use_global_stats: false"])
def test_normalisation_equals_upstream(tmp_path, statistics):
    path = tmp_path / "net.prototxt"
    text = NORMALISED.replace('"BatchNorm" ', f'"BatchNorm" batch_norm_param {{ {statistics} }} ')
    path.write_text("force_backward: true\n" + text)
    code = f"""
    import numpy as np
    from prototxt.engine import caffe
    net = caffe.Net({str(path)!r}, caffe.TEST)
    rng = np.random.default_rng(0)
    for name, blobs in net.params.items():
        for blob in blobs:
            blob.data[...] = rng.random(blob.data.shape) + 0.5
    net.params["bn3"][2].data[...] = 0  # never trained
    net.blobs["data"].data[...] = rng.standard_normal(net.blobs["data"].data.shape)
    values = [net.forward()["out"].copy() for _ in range(2)]
    net.backward(out=rng.standard_normal(net.blobs["out"].data.shape))
    gradients = {{f"{{name}}{{i}}": b.diff for name, blobs in net.params.items() for i, b in enumerate(blobs)}}
    np.savez(out, first=values[0], second=values[1], data=net.blobs["data"].diff, **gradients)
    """
    fast, plain = (in_process(code, engine, tmp_path) for engine in ("onednn", "blas"))
    assert np.isfinite(plain["data"]).all() and plain["data"].any() and plain["scale20"].any()
    for name in plain:
        np.testing.assert_array_equal(fast[name], plain[name], err_msg=name)


def test_adam_equals_upstream(tmp_path):
    (tmp_path / "net.prototxt").write_text("""
    layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 4 dim: 3 dim: 9 dim: 9 } } }
    layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" param { lr_mult: 1 } param { lr_mult: 0.1 }
        convolution_param { num_output: 70 kernel_size: 9 weight_filler { type: "constant" value: 0.01 } } }
    layer { name: "loss" type: "Reduction" bottom: "conv" top: "loss" loss_weight: 1
        reduction_param { operation: SUMSQ } }""")
    code = f"""
    import numpy as np
    from prototxt.engine import caffe
    text = 'net: "{tmp_path}/net.prototxt" snapshot_prefix: "{tmp_path}/s" type: "Adam" lr_policy: "fixed"'
    path = "{tmp_path}/solver.prototxt"
    text += " base_lr: 0.01 momentum: 0.9 momentum2: 0.999 delta: 1e-8 weight_decay: 1e-4 max_iter: 9"
    open(path, "w").write(text)
    solver = caffe.get_solver(path)
    rng = np.random.default_rng(0)
    for _ in range(5):
        solver.net.blobs["data"].data[...] = rng.standard_normal((4, 3, 9, 9))
        solver.step(1)
    assert type(solver) is caffe.AdamSolver and solver.lr > 0
    weights, bias = solver.net.params["conv"]
    np.savez(out, weights=weights.data, bias=bias.data)
    """
    fast, plain = (in_process(code, engine, tmp_path) for engine in ("onednn", "blas"))
    for name in ("weights", "bias"):
        moved = np.abs(plain[name] - (0.01 if name == "weights" else 0)).max()
        assert moved > 5e-4
        np.testing.assert_allclose(fast[name], plain[name], atol=1e-4 * moved)


IDN_FORWARD = """
import numpy as np
from tools.common import memory
from prototxt.idn import idn
from prototxt.engine import caffe
open(out + ".prototxt", "w").write(str(idn(3, "deploy")))
caffe.set_random_seed(3)
net = caffe.Net(out + ".prototxt", caffe.TEST)
net.blobs["data"].reshape(1, 1, 120, 131)
net.blobs["data"].data[...] = np.random.default_rng(0).random((1, 1, 120, 131))
before = memory.peak_mb()
net.forward()
np.savez(out, megabytes=memory.peak_mb() - before, **{k: b.data for k, b in net.blobs.items()})
"""


def test_whole_net_agrees_and_needs_less_memory(tmp_path):
    fast, plain = (in_process(IDN_FORWARD, engine, tmp_path) for engine in ("onednn", "blas"))
    for name in plain:
        if name != "megabytes":
            assert np.abs(fast[name] - plain[name]).max() <= 1e-5 * max(1, np.abs(plain[name]).max()), name
    # no column buffer for each of 31 convolutions
    assert 0 < fast["megabytes"] < plain["megabytes"] / 2


def test_one_thread_and_two_agree(tmp_path):
    one, two = (in_process(IDN_FORWARD, "onednn", tmp_path, OMP_NUM_THREADS=n) for n in ("1", "2"))
    assert np.abs(one["upsample"] - two["upsample"]).max() <= 1e-6


def test_many_nets_in_one_process(tmp_path_factory):
    of = dict(num_output=8, group=1, bias_term=True, kernel=[3, 3], stride=[1, 1], pad=[1, 1], dilation=1)
    nets = [pair(tmp_path_factory, "Convolution", [1, 4, 6 + n, 9], options(of)) for n in range(12)]
    gradients = [fill(net, n) for n, net in enumerate(nets)]
    for _ in range(2):
        for net, gradient in zip(nets, gradients):
            compare(net, gradient)
    del nets[::2], gradients[::2], net, gradient
    gc.collect()
    for net in nets:
        compare(net, fill(net))


def test_threads_of_python_may_share_the_process(tmp_path_factory):
    of = dict(num_output=16, group=1, bias_term=True, kernel=[3, 3], stride=[1, 1], pad=[1, 1], dilation=1)
    nets = [pair(tmp_path_factory, "Convolution", [2, 16, 30 + n, 31], options(of)) for n in range(4)]
    failed = []

    def work(net, seed):
        try:
            for turn in range(3):
                compare(net, fill(net, seed + turn))
        except AssertionError as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(net, n)) for n, net in enumerate(nets)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_a_forked_child_computes_too(tmp_path):
    """GNU OpenMP's threads do not survive fork(): without care the child would wait for them for ever."""
    code = IDN_FORWARD + """
import os, sys
expected = net.blobs["upsample"].data.copy()
def child():
    net.blobs["data"].data[...] = net.blobs["data"].data  # as a user would
    for _ in range(2):
        net.forward()
    return 0 if np.array_equal(net.blobs["upsample"].data, expected) else 1
for generation in range(2):
    pid = os.fork()
    if pid == 0:
        if generation == 1:
            grandchild = os.fork()
            if grandchild:
                os._exit(os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]))
        os._exit(child())
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
net.forward()
assert np.array_equal(net.blobs["upsample"].data, expected)
"""
    in_process(code, "onednn", tmp_path, OMP_NUM_THREADS="2")


# the choice -------------------------------------------------------------------------------------------------


def test_the_choice_is_read_from_the_environment(tmp_path):
    assert cpu_engine.chosen({}) == "onednn"
    assert cpu_engine.chosen({"CAFFE_CPU_ENGINE": "blas"}) == "blas"
    assert cpu_engine.chosen({"CAFFE_CPU_ENGINE": ""}, tmp_path) == "blas"
    with pytest.raises(ValueError, match="CAFFE_CPU_ENGINE=mkl: expected onednn or blas"):
        cpu_engine.chosen({"CAFFE_CPU_ENGINE": "mkl"})
    with pytest.raises(ValueError, match="built without oneDNN; leave it unset"):
        cpu_engine.chosen({"CAFFE_CPU_ENGINE": "onednn"}, tmp_path)


def test_blas_is_upstream_to_the_bit(tmp_path):
    code = """
    import numpy as np
    from prototxt.engine import caffe
    layer = 'layer { name: "%s" type: "Convolution" bottom: "data" top: "%s" convolution_param { num_output: 9 %s } }'
    shape = "input_param { shape { dim: 2 dim: 5 dim: 12 dim: 13 } }"
    text = 'layer { name: "data" type: "Input" top: "data" ' + shape + " }"
    for name, engine in (("a", ""), ("b", "engine: CAFFE")):
        text += layer % (name, name, 'kernel_size: 3 weight_filler { type: "gaussian" std: 1 } ' + engine)
    open(out + ".prototxt", "w").write(text)
    net = caffe.Net(out + ".prototxt", caffe.TEST)
    net.params["b"][0].data[...] = net.params["a"][0].data
    net.blobs["data"].data[...] = np.random.default_rng(0).standard_normal((2, 5, 12, 13))
    net.forward()
    np.savez(out, a=net.blobs["a"].data, b=net.blobs["b"].data)
    """
    plain, fast = (in_process(code, engine, tmp_path) for engine in ("blas", "onednn"))
    np.testing.assert_array_equal(plain["a"], plain["b"])
    assert not np.array_equal(fast["a"], fast["b"])  # or the other tests would compare upstream with itself


def test_a_wrong_engine_is_one_line_and_status_2(root):
    done = subprocess.run(
        [sys.executable, "-m", "prototxt.idn", "--scale", "3", "--phase", "deploy"],
        cwd=root, env={**os.environ, "CAFFE_CPU_ENGINE": "mkl"}, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "CAFFE_CPU_ENGINE=mkl: expected onednn or blas" in done.stderr


def test_the_caffe_program_has_the_fast_layers_and_refuses_a_wrong_engine():
    program = Path(sys.prefix) / "bin" / "caffe"
    environment = {**os.environ, "CAFFE_CPU_ENGINE": "mkl"}
    done = subprocess.run([program, "time"], env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "CAFFE_CPU_ENGINE=mkl: expected onednn or blas\n"


# a ReLU that its convolution does ---------------------------------------------------------------------------

NEIGHBOURS = """
layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 2 dim: 5 dim: 19 dim: 23 }} }} }}
layer {{ name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param {{
    num_output: 9 kernel_size: 3 pad: 1 weight_filler {{ type: "gaussian" std: 0.3 }} }} }}
{between}
layer {{ name: "relu" type: "ReLU" bottom: "conv" top: "{top}" relu_param {{ negative_slope: {slope} }} }}
"""


def neighbours(factory, between="", top="conv", slope=0.2):
    net = build(factory, NEIGHBOURS.format(between=between, top=top, slope=slope))
    net.blobs["data"].data[...] = np.random.default_rng(0).standard_normal(net.blobs["data"].data.shape)
    return net


def leaky(x, slope):
    return np.where(x > 0, x, x * np.float32(slope))


@pytest.mark.parametrize("slope", [0, 0.2, 1.5])
def test_convolution_and_relu_together_are_the_one_after_the_other(tmp_path_factory, slope):
    """In place: the whole pass gives the activation; a pass that ends before does not, and the rest goes on there."""
    net = neighbours(tmp_path_factory, slope=slope)
    plain = net.forward(end="conv")["conv"].copy()
    assert plain.min() < -0.1
    np.testing.assert_allclose(net.forward(start="relu")["conv"], leaky(plain, slope), rtol=1e-6)
    whole = net.forward()["conv"].copy()
    np.testing.assert_allclose(whole, leaky(plain, slope), rtol=1e-5, atol=1e-6)
    # once more from the ReLU on: it works on what is there, as upstream's
    np.testing.assert_allclose(net.forward(start="relu")["conv"], leaky(whole, slope), rtol=1e-6)
    np.testing.assert_array_equal(net.forward()["conv"], whole)


def test_nothing_is_fused_that_is_no_direct_neighbour(tmp_path_factory):
    bias = 'layer { name: "bias" type: "Bias" bottom: "conv" top: "conv" bias_param { filler { value: -0.7 } } }'
    net = neighbours(tmp_path_factory, bias)
    plain = net.forward(end="conv")["conv"].copy()
    np.testing.assert_allclose(net.forward()["conv"], leaky(plain - np.float32(0.7), 0.2), rtol=1e-5, atol=1e-6)
    # not in place
    net = neighbours(tmp_path_factory, top="out")
    out = net.forward()["out"]
    np.testing.assert_allclose(out, leaky(net.blobs["conv"].data, 0.2), rtol=1e-6)
    assert net.blobs["conv"].data.min() < -0.1


@pytest.mark.parametrize("slope", [0, 0.2])
def test_nan_and_infinity_go_through_as_upstream_lets_them(tmp_path_factory, slope):
    net = neighbours(tmp_path_factory, slope=slope)
    net.blobs["data"].data[0, 0, 3, 4] = np.nan
    net.blobs["data"].data[1, 0, 3, 4] = np.inf
    plain = net.forward(end="conv")["conv"].copy()
    assert np.isnan(plain[0]).sum() == 9 * 9 and np.isinf(plain[1]).sum() == 9 * 9
    with np.errstate(invalid="ignore"):
        expected = np.maximum(plain, 0) + np.float32(slope) * np.minimum(plain, 0)
    found = net.forward()["conv"]
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_array_equal(np.isinf(found), np.isinf(expected))


def test_gradients_go_through_a_fused_relu(tmp_path_factory):
    net = neighbours(tmp_path_factory)
    other = build(
        tmp_path_factory,
        NEIGHBOURS.format(between="", top="conv", slope=0.2)
        .replace("num_output: 9", "num_output: 9 engine: CAFFE")
        .replace("negative_slope", "engine: CAFFE negative_slope"),
    )
    other.blobs["data"].data[...] = net.blobs["data"].data
    for mine, theirs in zip(net.params["conv"], other.params["conv"]):
        theirs.data[...] = mine.data
    gradient = np.random.default_rng(1).standard_normal(net.blobs["conv"].data.shape)
    for one in (net, other):
        one.forward()
        one.backward(conv=gradient)
    assert close(net.blobs["data"].diff, other.blobs["data"].diff, GRADIENT)
    assert close(net.params["conv"][0].diff, other.params["conv"][0].diff, GRADIENT)
