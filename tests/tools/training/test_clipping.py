"""Clipping relative to the rate: against numpy, on a net whose gradients are known."""

import h5py
import numpy as np
import pytest

from prototxt.engine import caffe
from tools.nets import caffemodels
from tools.training import clipping

PAIRS, BATCH, MOMENTUM = 24, 4, 0.9
NET = """
layer {{ name: "data" type: "HDF5Data" top: "data" top: "label"
  hdf5_data_param {{ source: "{list}" batch_size: {batch} }} }}
layer {{ name: "first" type: "InnerProduct" bottom: "data" top: "first" param {{ name: "w" }} param {{ name: "b" }}
  inner_product_param {{ num_output: 3 weight_filler {{ type: "gaussian" std: 0.7 }} }} }}
layer {{ name: "second" type: "InnerProduct" bottom: "first" top: "second" param {{ name: "w" }} param {{ name: "b" }}
  inner_product_param {{ num_output: 3 weight_filler {{ type: "gaussian" std: 0.7 }} }} }}
layer {{ name: "loss" type: "EuclideanLoss" bottom: "second" bottom: "label" top: "loss" }}
"""
SOLVER = """
net: "{net}" type: "SGD" base_lr: 0.1 momentum: {momentum} lr_policy: "step" gamma: 0.5 stepsize: 3 max_iter: 100
random_seed: 4 iter_size: {iter_size} snapshot: 0 display: 0
"""


@pytest.fixture
def data():
    random = np.random.default_rng(2)
    return {name: random.normal(0, 1, (PAIRS, 3)).astype(np.float32) for name in ("data", "label")}


@pytest.fixture
def make(tmp_path, data):
    """Function (iter_size=1, batch=BATCH) that makes a solver of two layers with one shared matrix."""
    with h5py.File(tmp_path / "pairs.h5", "w") as file:
        file.update(data)
    (tmp_path / "list.txt").write_text(f"{tmp_path}/pairs.h5\n")

    def make_solver(iter_size=1, batch=BATCH):
        net, solver = tmp_path / f"net{batch}.prototxt", tmp_path / f"solver{batch}.prototxt"
        net.write_text(NET.format(list=tmp_path / "list.txt", batch=batch))
        solver.write_text(SOLVER.format(net=net, momentum=MOMENTUM, iter_size=iter_size))
        return caffe.get_solver(str(solver))

    return make_solver


def gradients(w, b, x, y):
    """Of sum (f(f(x)) - y)^2 / 2N for f(x) = x w' + b, both layers together: float64."""
    first = x @ w.T + b
    error = (first @ w.T + b - y) / len(x)
    back = error @ w
    return error.T @ first + back.T @ x, error.sum(0) + back.sum(0)


def expected(data, w, b, theta, by, iterations):
    """Weights after so many iterations of momentum SGD with clipping, in numpy and double precision."""
    w, b, velocity = w.astype(float), b.astype(float), [0, 0]
    hits = 0
    for k in range(iterations):
        rate = 0.1 * 0.5 ** (k // 3)
        rows = slice(k * BATCH % PAIRS, k * BATCH % PAIRS + BATCH)
        grads = gradients(w, b, data["data"][rows].astype(float), data["label"][rows].astype(float))
        bound = theta / rate
        if by == "value":
            hits += sum((np.abs(g) > bound).sum() for g in grads)
            grads = [np.clip(g, -bound, bound) for g in grads]
        else:
            norm = np.sqrt(sum((g**2).sum() for g in grads))
            hits += norm > bound
            grads = [g * min(1, bound / norm) for g in grads]
        velocity = [MOMENTUM * v + rate * g for v, g in zip(velocity, grads)]
        w, b = w - velocity[0], b - velocity[1]
    return w, b, hits


@pytest.mark.parametrize("iter_size", [1, 2])
@pytest.mark.parametrize(("by", "theta"), [("value", 0.02), ("norm", 0.06)])
def test_clipping_is_that_of_numpy(make, data, by, theta, iter_size):
    """With iter_size 2 a batch comes in two halves, which must make no difference."""
    solver = make(iter_size, BATCH // iter_size)
    w, b = (blob.data.copy() for blob in solver.net.params["first"])
    with clipping.clipped(solver, theta, by, iter_size):
        solver.step(8)
    wanted_w, wanted_b, hits = expected(data, w, b, theta, by, 8)
    assert 0 < hits < 8 * (12 if by == "value" else 1)  # some are clipped, some not
    found_w, found_b = (blob.data for blob in solver.net.params["second"])
    assert np.allclose(found_w, wanted_w, atol=2e-6) and np.allclose(found_b, wanted_b, atol=2e-6)
    unclipped_w, _, _ = expected(data, w, b, 1e9, by, 8)
    assert not np.allclose(found_w, unclipped_w, atol=1e-2)


def test_it_ends_with_its_context(make, data):
    solver = make()
    w, b = (blob.data.copy() for blob in solver.net.params["first"])
    with clipping.clipped(solver, 1e-6, "value"):
        pass
    solver.step(4)
    assert np.allclose(solver.net.params["first"][0].data, expected(data, w, b, 1e9, "value", 4)[0], atol=2e-6)


def test_a_clipped_step_moves_by_theta_at_most(make):
    """Without momentum's history: in the first iteration the velocity is the rate times the gradient."""
    solver = make()
    before = [blob.data.copy() for blob in caffemodels.learnable(solver.net)]
    with clipping.clipped(solver, 1e-3, "value"):
        solver.step(1)
    moved = [np.abs(blob.data - old).max() for blob, old in zip(caffemodels.learnable(solver.net), before)]
    assert max(moved) == pytest.approx(1e-3, rel=1e-3)


def test_shared_arrays_count_once(make):
    assert [blob.data.size for blob in caffemodels.learnable(make().net)] == [9, 3]
