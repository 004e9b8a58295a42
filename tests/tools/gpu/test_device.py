"""Devices as values: read from --gpu, compared, printed."""

import pytest

from tools.gpu.device import CPU, Device
from tools.gpu.driver import GpuError


@pytest.mark.parametrize(
    ("asked", "gpus", "shown"),
    [(None, (), "cpu"), ("", (), "cpu"), ("0", (0,), "gpu 0"), (3, (3,), "gpu 3"), ("0,1", (0, 1), "gpu 0,1"),
     ("2, 0", (2, 0), "gpu 2,0")],
)  # fmt: skip
def test_what_is_asked_for(asked, gpus, shown):
    device = Device.parse(asked)
    assert device == Device(gpus) and str(device) == shown
    assert device.on_gpu == bool(gpus) and device.number == (gpus[0] if gpus else None)
    assert (device == CPU) == (not gpus)


@pytest.mark.parametrize("asked", ["x", "-1", "0,", "0 1", "1.5", "zero", "0,x", "\u00b2"])
def test_no_numbers(asked):
    with pytest.raises(GpuError, match=r"expected the number of a GPU as in nvidia-smi"):
        Device.parse(asked)


def test_a_gpu_named_twice():
    with pytest.raises(GpuError, match="got '0,0', expected every GPU once"):
        Device.parse("0,0")
