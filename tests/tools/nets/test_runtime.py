"""The device, and a Caffe that is not there: Caffe itself would end the process."""

import os
import subprocess
import sys

import pytest

from tools.nets import runtime


def test_cpu_is_the_default():
    runtime.use_device()
    assert not runtime.on_gpu()


@pytest.mark.parametrize("command", [["tools/train.py", "--scale", "3"], ["-m", "prototxt.idn", "--scale", "3"]])
def test_a_missing_caffe_says_what_to_do(command, root, tmp_path):
    """The import fails before the tool's own error handling is there."""
    environment = {**os.environ, "CAFFE_PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, *command], cwd=root, capture_output=True, text=True, env=environment)
    assert done.returncode == 2, done.stderr
    assert f"CAFFE_PYTHONPATH={tmp_path} holds no caffe package" in done.stderr and done.stderr.count("\n") == 1
