"""Ctrl-C and SIGTERM: a snapshot, and how to go on."""

import signal

import pytest

from prototxt.idn import idn
from tools.nets import caffemodels, runtime
from tools.training import snapshots


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_snapshots_and_says_how_to_go_on(training, tmp_path, number):
    argv = training.arguments(tmp_path, "--stage", "pretrain", "--iters", "2000", "--snapshot", "2000")
    process = training.process(argv)
    training.wait_for(tmp_path / "log.csv", process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and err == ""
    assert "stopped at iteration" in out and "run the same command to continue" in out
    (state,) = (tmp_path / "pretrain").glob("*.solverstate")
    shapes = caffemodels.param_shapes(runtime.build_net(idn(training.scale)))
    assert snapshots.newest_whole(tmp_path / "pretrain", shapes)[0] == state
