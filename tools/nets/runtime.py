"""Run nets with Caffe: choose the device, build a net, run an image through it.

Caffe ends the whole process (glog's CHECK) where there is no GPU. What a user can get wrong is therefore checked here
first and raised as a UserError.
"""

import os
import subprocess
import sys

from prototxt.engine import caffe
from tools.common import build
from tools.common.errors import UserError
from tools.gpu import driver
from tools.gpu.device import CPU
from tools.nets import caffe_files, caffemodels

# run in a process of its own, because upstream aborts when there is no GPU or no CUDA in the build
_PROBE = """
import os, sys
sys.path[:0] = [p for p in [os.environ.get("CAFFE_PYTHONPATH")] if p]
import caffe
caffe.set_device(int(sys.argv[1]))
caffe.set_mode_gpu()
"""


def use_device(device=CPU):
    """Make Caffe run on the CPU or on one GPU.

    Parameters
    ----------
    device : tools.gpu.device.Device

    Raises
    ------
    UserError
        Several GPUs.
    GpuError
        This Caffe was built without CUDA, or the GPU cannot be used. Never a silent CPU run.
    """
    global _device
    if len(device.gpus) > 1:
        raise UserError(f"{device}: only training runs on several GPUs; give the number of one")
    if device.on_gpu:
        check_gpu(device.number)
        caffe.set_device(device.number)
        caffe.set_mode_gpu()
    else:
        caffe.set_mode_cpu()
    _device = device


_device = CPU


def on_gpu():
    """Whether `use_device` has chosen a GPU."""
    return _device.on_gpu


def check_gpu(number):
    """Raise GpuError unless GPU `number` (int) can be used by this Caffe.

    A build of this project is checked with the driver; then, and for a Caffe of the user's own, it is tried in a
    process of its own, since upstream ends the process when something is wrong.
    """
    facts = build.info()
    if facts is not None:
        driver.check_gpu(number, facts)
    environment = {**os.environ, "GLOG_minloglevel": "0"}
    probe = subprocess.run([sys.executable, "-c", _PROBE, str(number)], capture_output=True, text=True, env=environment)
    if probe.returncode != 0:
        raise driver.GpuError(_why_no_gpu(number, probe.stderr))


def _why_no_gpu(number, stderr):
    if "CPU-only" in stderr:
        return (
            f"gpu {number}: this Caffe was built for the CPU only; install a build with CUDA and point "
            "CAFFE_PYTHONPATH to it, or leave GPU empty to run on the CPU"
        )
    reason = [line.split("] ", 1)[-1] for line in stderr.splitlines() if line.strip()] or ["no message"]
    return (
        f"gpu {number}: cannot be used ({reason[0]}); see that nvidia-smi lists it and that the NVIDIA driver is "
        "installed, or leave GPU empty to run on the CPU"
    )


def build_net(message, weights=None, phase=None):
    """A caffe.Net from a generated message.

    Parameters
    ----------
    message : NetParameter
    weights : str or Path, optional
        A .caffemodel or its HDF5 form; every layer of the net that has parameters must be in it, with the same shapes.
    phase : int, optional
        caffe.TEST (default) or caffe.TRAIN.

    Raises
    ------
    UserError
        See `caffemodels.load_weights`.
    """
    phase = caffe.TEST if phase is None else phase
    with caffe_files.Names() as names:
        net = caffe.Net(names.of_content(str(message).encode("utf-8")), phase)
    if weights is not None:
        caffemodels.load_weights(net, weights)
    return net


def forward(net, image, output="upsample"):
    """Run one image through a net that is reshaped to it; this is what the clock of Table 4 measures.

    Parameters
    ----------
    net : caffe.Net or callable
        With an input blob `data`; or another engine's net, see tools/nets/engines.py.
    image : ndarray, (H, W), float32
    output : str
        Name of the blob to read.

    Returns
    -------
    ndarray, (H', W'), float32
        A copy, so that the next forward cannot change it.

    Raises
    ------
    MemoryError
        The GPU's memory does not suffice. (Where the CPU's does not, Caffe ends the process.)
    """
    if callable(net):
        return net(image, output)
    blob = net.blobs["data"]
    blob.reshape(1, 1, *image.shape)
    blob.data[0, 0] = image
    _run(net)
    return net.blobs[output].data[0, 0].copy()


def _run(net):
    """All layers of a net; on the CPU other threads of Python run meanwhile."""
    if on_gpu() or not build.deploys():
        net.forward()
        return
    from caffe_build import unlocked  # loads Caffe

    unlocked.forward(net)


def have_graphs():
    """Whether this Caffe can record its passes: this project's CUDA build."""
    facts = build.info()
    return facts is not None and facts["variant"] == "cuda"
