"""Where a training runs: on the CPU, on one GPU, on several."""

import os
from dataclasses import dataclass

from tools.nets import runtime
from tools.training import parallel


@dataclass(frozen=True)
class Placement:
    """Where a stage runs.

    Attributes
    ----------
    name : str
        "cpu" or "gpu 0", as `runtime.use_device` gives it.
    gpus : tuple of int
        All GPUs; empty on the CPU.
    graphs : bool
        Use CUDA graphs where they can be used, see tools/training/stepping.py.
    """

    name: str = "cpu"
    gpus: tuple = ()
    graphs: bool = True


def take(options):
    """Take the CPU or the GPUs of --gpu for this process; gives the Placement.

    Parameters
    ----------
    options : argparse.Namespace
        Of tools/train.py: gpu, tf32, deterministic, autotune, graphs, batch.

    Raises
    ------
    UserError
        A GPU cannot be used, or several cannot share the batch.
    """
    for name, asked in (
        ("TF32", options.tf32), ("DETERMINISTIC", options.deterministic), ("BENCHMARK", options.autotune)
    ):  # fmt: skip
        # read by the CUDA build when it makes its first convolution
        os.environ[f"CAFFE_CUDNN_{name}"] = "1" if asked else "0"
    if not options.gpu:
        return Placement(runtime.use_device(None))
    gpus = runtime.gpu_numbers(options.gpu)
    for number in gpus[1:]:
        runtime.check_gpu(number)
    name = runtime.use_device(gpus[0])
    if len(gpus) > 1:
        parallel.check(gpus, options.batch)
        name = f"gpu {','.join(map(str, gpus))}"
    return Placement(name, tuple(gpus), options.graphs)
