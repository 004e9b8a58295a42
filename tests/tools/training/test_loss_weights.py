"""DRCN's alpha: the weights of its losses in every iteration, and what they do to loss and gradient."""

import h5py
import numpy as np
import pytest

from prototxt import drcn
from prototxt.engine import caffe
from tools.training import loss_weights
from tools.training.stepping import Plain

RECURSIONS, SIDE = 2, 8


@pytest.fixture
def solver(tmp_path):
    """A solver of a DRCN of two recursions and four maps on one pair; its rate is 0, so that the weights stay."""
    random = np.random.default_rng(3)
    with h5py.File(tmp_path / "pairs.h5", "w") as file:
        for name in ("data", "label"):
            file[name] = random.random((1, 1, SIDE, SIDE), np.float32)
    (tmp_path / "list.txt").write_text(f"{tmp_path}/pairs.h5\n")
    source = str(tmp_path / "list.txt")
    net = drcn.drcn("train", source=source, test_source=source, batch=1, recursions=RECURSIONS, width=4, shuffle=False)
    (tmp_path / "net.prototxt").write_text(str(net))
    text = f'net: "{tmp_path}/net.prototxt" type: "SGD" base_lr: 0 lr_policy: "fixed" test_iter: 1 test_interval: 1000'
    (tmp_path / "solver.prototxt").write_text(f"{text} test_initialization: false random_seed: 1 snapshot: 0")
    return caffe.get_solver(str(tmp_path / "solver.prototxt"))


def test_alpha_falls_in_a_straight_line(solver):
    """As every weight stays, the loss is a straight line from the inner predictions' to the ensemble's."""
    with loss_weights.lowered(solver, 4, lambda alpha: drcn.loss_weights(alpha, RECURSIONS)):
        losses = Plain(solver).step(6)
    blobs = solver.net.blobs
    inner, ensemble = np.mean([float(blobs[f"loss{k}"].data) for k in (3, 4)]), float(blobs["loss"].data)
    assert abs(inner - ensemble) > 1e-4
    alphas = np.array([1, 0.75, 0.5, 0.25, 0, 0])
    assert np.allclose(losses, alphas * inner + (1 - alphas) * ensemble, rtol=1e-6)


def test_the_gradient_follows(solver):
    """At alpha 1 the ensemble's own weights have no gradient, at alpha 0 they have."""
    seen = []
    solver.add_callback(lambda: None, lambda: seen.append(np.abs(solver.net.params["ensemble"][0].diff).max()))
    with loss_weights.lowered(solver, 1, lambda alpha: drcn.loss_weights(alpha, RECURSIONS)):
        solver.step(2)
    assert seen[0] == 0 and seen[1] > 0


def test_it_ends_with_its_context(solver):
    with loss_weights.lowered(solver, 4, lambda alpha: drcn.loss_weights(alpha, RECURSIONS)):
        pass
    solver.step(1)
    assert float(solver.net.blobs["loss"].diff) == 0.5  # as the net has it


def test_weights_add_up():
    for alpha in (0, 0.3, 1):
        assert sum(drcn.loss_weights(alpha).values()) == pytest.approx(1)
