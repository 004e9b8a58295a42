"""Where this process of a training runs: on the CPU or on a GPU."""

import os
from dataclasses import dataclass

from tools.common.errors import UserError
from tools.gpu.device import CPU, Device
from tools.nets import runtime


@dataclass(frozen=True)
class Placement:
    """Where a stage runs.

    Attributes
    ----------
    device : Device
        The CPU or one GPU: this rank's.
    graphs : bool
        Use CUDA graphs where they can be used, see tools/training/stepping.py.
    """

    device: Device = CPU
    graphs: bool = True


def take(options, ranks):
    """Take the CPU or a GPU of --gpu for this process; gives the Placement.

    Parameters
    ----------
    options : argparse.Namespace
        Of tools/train.py: gpu, tf32, deterministic, autotune, graphs.
    ranks : Alone

    Raises
    ------
    GpuError, UserError
        A GPU cannot be used, or there are too few for the ranks of this machine.
    """
    for name, asked in (
        ("TF32", options.tf32), ("DETERMINISTIC", options.deterministic), ("BENCHMARK", options.autotune)
    ):  # fmt: skip
        # read by the CUDA build when it makes its first convolution
        os.environ[f"CAFFE_CUDNN_{name}"] = "1" if asked else "0"
    device = _own(Device.parse(options.gpu), ranks)
    runtime.use_device(device)
    return Placement(device, options.graphs)


def _own(device, ranks):
    """The part of `device` (Device) that is this rank's.

    One GPU is every rank's: a cluster's scheduler may show each its own as number 0.
    """
    if len(device.gpus) < 2:
        return device
    if ranks.local_rank >= len(device.gpus):
        raise UserError(
            f"{device}: {len(device.gpus)} GPUs for {ranks.local_size} processes on this machine, expected one for "
            "each; start fewer, or name more"
        )
    return Device((device.gpus[ranks.local_rank],))
