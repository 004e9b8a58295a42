"""Snapshots that are not whole are passed over."""

import os
import shutil

import pytest

from prototxt.idn import idn
from tools.nets import caffemodels, runtime
from tools.training import snapshots


@pytest.mark.parametrize("suffix", [".solverstate", ".caffemodel"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9, 0.999])
def test_a_snapshot_cut_short_is_passed_over(training, finished, tmp_path, suffix, kept):
    shutil.copytree(finished / "train", tmp_path / "train")
    shapes = caffemodels.param_shapes(runtime.build_net(idn(training.scale)))
    assert snapshots.newest_whole(tmp_path / "train", shapes)[1] == 37
    newest = tmp_path / "train" / f"idn_iter_37{suffix}"
    os.truncate(newest, int(newest.stat().st_size * kept))
    assert snapshots.newest_whole(tmp_path / "train", shapes)[1] == 30


def test_a_solverstate_cut_between_two_fields_is_passed_over(training, finished, tmp_path):
    """Such a file parses; it lacks some of Adam's moments."""
    shutil.copytree(finished / "train", tmp_path / "train")
    path = tmp_path / "train" / "idn_iter_37.solverstate"
    state = caffemodels.read_solverstate(path)
    assert len(state.history) == 2 * 62  # 31 layers, weights and biases
    del state.history[100:]
    path.write_bytes(state.SerializeToString())
    shapes = caffemodels.param_shapes(runtime.build_net(idn(training.scale)))
    assert snapshots.newest_whole(tmp_path / "train", shapes)[1] == 30
