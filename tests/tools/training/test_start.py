"""What a stage starts from."""

import numpy as np
import pytest

from prototxt.idn import idn
from tools.common.errors import UserError
from tools.nets import runtime


def test_fine_tuning_from_weights_of_one_s_own(training, finished, tmp_path, capsys):
    own = finished / "idn" / "IDN_x3.caffemodel"
    assert training.run(tmp_path, "--stage", "finetune", "--iters", "2", "--weights", str(own)) == 0
    assert f"finetune: starting from {own}" in capsys.readouterr().out


def test_without_the_stage_before_there_is_nothing_to_start_from(training, tmp_path):
    with pytest.raises(UserError, match=r"train: starts from pretrain's weights, but .* run --stage pretrain first"):
        training.run(tmp_path, "--stage", "train", "--iters", "2")


def test_weights_that_are_not_finite_are_no_start(training, finished, tmp_path):
    net = runtime.build_net(idn(training.scale), finished / "idn" / "IDN_x3.caffemodel")
    net.params["down2"][1].data[3] = np.nan
    net.save(str(tmp_path / "bad.caffemodel"))
    with pytest.raises(UserError, match="bad.caffemodel: layer 'down2' holds values that are not finite"):
        training.run(tmp_path / "run", "--weights", str(tmp_path / "bad.caffemodel"))


def test_weights_that_do_not_fit(training, tmp_path):
    other = tmp_path / "other.caffemodel"
    runtime.build_net(idn(training.scale, D3=32, d=8)).save(str(other))
    error = training.refusal(tmp_path / "a", "--weights", str(other))
    assert "layer 'conv1' has shapes [(32, 1, 3, 3), (32,)], expected [(64, 1, 3, 3), (64,)]" in error
    other.write_bytes(b"no protobuf at all\0")
    assert "not a .caffemodel that Caffe can read" in training.refusal(tmp_path / "b", "--weights", str(other))
    missing = str(tmp_path / "missing.caffemodel")
    assert "no such file" in training.refusal(tmp_path / "c", "--weights", missing)
