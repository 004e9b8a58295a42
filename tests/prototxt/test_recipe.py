"""The solvers of the compared methods: against the released ones, and one that trains."""

import h5py
import numpy as np
import pytest
from google.protobuf import text_format

from data_prep.sampling import OF_METHOD, sampling
from prototxt import recipe, vdsr
from prototxt.engine import caffe
from prototxt.errors import NetError
from prototxt.registry import NETWORKS


def test_drrn_solver_is_the_released_one():
    """Values read in the released solver; its clip_gradients 0.01 is divided by the rate in the authors' Caffe."""
    s = NETWORKS["drrn"].solver(variant="b1u9")
    assert (s.base_lr, s.momentum, s.weight_decay, s.gamma) == pytest.approx((0.1, 0.9, 1e-4, 0.5))
    assert (s.lr_policy, s.stepsize, s.max_iter) == ("step", 65_360, 2_000_000)
    assert s.clip_gradients == pytest.approx(0.1)
    third = NETWORKS["drrn"].solver(variant="b1u9", lr_step=2)
    assert (third.base_lr, third.clip_gradients) == pytest.approx((0.025, 0.4))
    assert (third.lr_policy, third.max_iter) == ("fixed", 3 * 65_360)


def test_vdsr_schedule_is_80_epochs():
    s = NETWORKS["vdsr"].solver()
    assert (s.max_iter, s.stepsize) == (935_840, 233_960) and not s.HasField("clip_gradients")
    assert recipe.steps(vdsr.RECIPE) == 4


def test_a_recipe_trains(tmp_path):
    """LapSRN x2 by its own solver: the loss on two pairs falls."""
    n = NETWORKS["lapsrn"]
    rng = np.random.default_rng(7)
    with h5py.File(tmp_path / "pairs.h5", "w") as file:
        file["data"] = rng.random((2, 1, 8, 8), np.float32)
        file["level1_HR"] = file["data"][()].repeat(2, 2).repeat(2, 3)
    (tmp_path / "list.txt").write_text(f"{tmp_path}/pairs.h5\n")
    source = f"{tmp_path}/list.txt"
    message = n.net("train", 2, source=source, test_source=source, batch=2)
    (tmp_path / "net.prototxt").write_text(str(message))
    s = n.solver(2)
    s.net, s.snapshot_prefix, s.random_seed = f"{tmp_path}/net.prototxt", f"{tmp_path}/x", 1
    (tmp_path / "solver.prototxt").write_text(str(s))
    solver = caffe.get_solver(str(tmp_path / "solver.prototxt"))
    losses = []
    for _ in range(100):
        solver.step(1)
        losses.append(float(solver.net.blobs["level1_loss"].data))
    assert losses[0] > 10 and np.mean(losses[-5:]) < 0.9 * losses[0]


@pytest.mark.parametrize("name", NETWORKS)
def test_solver_files_parse_and_name_a_committed_net(name, root):
    for file, text in NETWORKS[name].files().items():
        if file.endswith("_solver.prototxt"):
            s = text_format.Parse(text, caffe.proto.caffe_pb2.SolverParameter())
            assert (root / s.net).is_file()
            assert f"# loss: {NETWORKS[name].recipe.loss}" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(clip=0), "theta: got 0, expected more than 0"),
        (dict(clip=1, clip_by="l1"), "clip_by: got 'l1', expected norm"),
    ],
)
def test_clipping_that_makes_no_sense(change, message):
    with pytest.raises(NetError, match=message):
        recipe.Recipe("loss", "patches", 0.1, 10, 1, **change)


def test_value_clipping_stays_out_of_the_solver_of_stock_caffe():
    """Its clip_gradients is a norm; the file says so."""
    text = NETWORKS["vdsr"].text("solver")
    assert "clip_gradients" not in text
    assert "clipped by value to 0.0001 / learning rate; stock Caffe's clipping knows norms only" in text
    assert "alpha falls from 1 to 0" in NETWORKS["drcn"].text("solver")


def test_generated_nets_read_the_databases_of_make_data():
    """Each train net's source is the list that tools/prepare_data.py --method writes."""
    for method in OF_METHOD:
        shape = sampling(method, 4 if method == "LapSRN" else 3)
        network = NETWORKS[shape.key.split("_")[0]]
        variant = shape.key.split("_")[1] if "_" in shape.key else None
        net = network.net("train", shape.scales[0] if network.scales else None, variant)
        assert net.layer[0].hdf5_data_param.source == f"data/hdf5/{shape.folder}.txt"
