"""Where a training runs: on the CPU, on one GPU, on several."""

import os
from dataclasses import dataclass

from tools.gpu.device import CPU, Device
from tools.nets import runtime
from tools.training import parallel


@dataclass(frozen=True)
class Placement:
    """Where a stage runs.

    Attributes
    ----------
    device : Device
        The CPU, one GPU or several.
    graphs : bool
        Use CUDA graphs where they can be used, see tools/training/stepping.py.
    """

    device: Device = CPU
    graphs: bool = True


def take(options):
    """Take the CPU or the GPUs of --gpu for this process; gives the Placement.

    Parameters
    ----------
    options : argparse.Namespace
        Of tools/train.py: gpu, tf32, deterministic, autotune, graphs, batch.

    Raises
    ------
    GpuError, UserError
        A GPU cannot be used, or several cannot share the batch.
    """
    for name, asked in (
        ("TF32", options.tf32), ("DETERMINISTIC", options.deterministic), ("BENCHMARK", options.autotune)
    ):  # fmt: skip
        # read by the CUDA build when it makes its first convolution
        os.environ[f"CAFFE_CUDNN_{name}"] = "1" if asked else "0"
    device = Device.parse(options.gpu)
    for number in device.gpus[1:]:
        runtime.check_gpu(number)
    runtime.use_device(Device(device.gpus[:1]))
    if len(device.gpus) > 1:
        parallel.check(device, options.batch)
    return Placement(device, options.graphs)
