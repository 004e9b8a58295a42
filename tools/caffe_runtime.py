"""Run nets with Caffe: choose the device, load nets and weights with checks.

Caffe ends the whole process (glog's CHECK) on a wrong weight file or a missing GPU. Whatever a user can get
wrong is therefore checked here first and raised as a UserError.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from google.protobuf.message import DecodeError

from prototxt.engine import caffe
from tools import gpu as gpu_module
from tools.cli import UserError

# run in a process of its own, because upstream aborts when there is no GPU or no CUDA in the build
_PROBE = """
import os, sys
sys.path[:0] = [p for p in [os.environ.get("CAFFE_PYTHONPATH")] if p]
import caffe
caffe.set_device(int(sys.argv[1]))
caffe.set_mode_gpu()
"""


def use_device(gpu=None):
    """Make Caffe run on the CPU (`gpu` None or "") or on GPU number `gpu` (int or str).

    Returns
    -------
    str
        "cpu" or "gpu N", for logs and results.

    Raises
    ------
    UserError
        The number is not one, this Caffe was built without CUDA, or the GPU cannot be used. Never a silent CPU run.
    """
    global _device
    if gpu is None or gpu == "":
        caffe.set_mode_cpu()
        _device = "cpu"
        return _device
    asked = gpu_numbers(gpu)
    if len(asked) > 1:
        raise UserError(f"gpu: got {gpu}, but only training runs on several GPUs; give one number")
    check_gpu(asked[0])
    caffe.set_device(asked[0])
    caffe.set_mode_gpu()
    _device = f"gpu {asked[0]}"
    return _device


_device = "cpu"


def on_gpu():
    """Whether `use_device` has chosen a GPU."""
    return _device != "cpu"


def gpu_numbers(asked):
    """Numbers (list of int) of a --gpu option such as "0" or "0,1"; raises UserError."""
    try:
        return gpu_module.numbers(asked)
    except gpu_module.GpuError as error:
        raise UserError(str(error)) from None


def check_gpu(number):
    """Raise UserError unless GPU `number` (int) can be used by this Caffe.

    A build of this project is checked with the driver; then, and for a Caffe of the user's own, it is tried in a
    process of its own, since upstream ends the process when something is wrong.
    """
    build = build_info()
    if build is not None:
        try:
            gpu_module.check(number, build)
        except gpu_module.GpuError as error:
            raise UserError(str(error)) from None
    environment = {**os.environ, "GLOG_minloglevel": "0"}
    probe = subprocess.run([sys.executable, "-c", _PROBE, str(number)], capture_output=True, text=True, env=environment)
    if probe.returncode != 0:
        raise UserError(_why_no_gpu(number, probe.stderr))


def build_info():
    """What this project's build says of itself (dict); None for a Caffe of the user's own."""
    if os.environ.get("CAFFE_PYTHONPATH"):
        return None
    try:
        import caffe_build
    except ImportError:
        return None
    return caffe_build.info()


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
        A .caffemodel; every layer of the net that has parameters must be in it, with the same shapes.
    phase : int, optional
        caffe.TEST (default) or caffe.TRAIN.

    Raises
    ------
    UserError
        See `load_weights`.
    """
    phase = caffe.TEST if phase is None else phase
    with tempfile.NamedTemporaryFile("w", suffix=".prototxt") as file:
        file.write(str(message))
        file.flush()
        net = caffe.Net(file.name, phase)
    if weights is not None:
        load_weights(net, weights)
    return net


def load_weights(net, path):
    """Copy a .caffemodel into `net` (caffe.Net) by layer name, after a check that it fits.

    Raises
    ------
    UserError
        The file is missing, is no caffemodel or is cut short, lacks a layer, or has one of another shape
        (another scale, width or method); the text names the layer, the shape found and the one expected.
    """
    check_weights(read_caffemodel(path), param_shapes(net), path)
    net.copy_from(str(path))


def read_caffemodel(path):
    """Parse a .caffemodel; gives a NetParameter, raises UserError when it is missing or damaged."""
    return _read_message(path, caffe.proto.caffe_pb2.NetParameter(), "a .caffemodel")


def read_solverstate(path):
    """Parse a .solverstate; gives a SolverState, raises UserError when it is missing or damaged."""
    return _read_message(path, caffe.proto.caffe_pb2.SolverState(), "a .solverstate")


def _read_message(path, message, kind):
    path = Path(path)
    if not path.is_file():
        raise UserError(
            f"{path}: no such file, expected {kind}; check the name, or get the released weights with `make fetch`"
        )
    try:
        message.ParseFromString(path.read_bytes())
    except DecodeError:
        raise UserError(f"{path}: not {kind} that Caffe can read, or cut short ({path.stat().st_size} bytes)") from None
    return message


def param_shapes(net):
    """Shapes of a net's parameters: {layer name: [tuple, ...]} in the order of its blobs."""
    return {name: [tuple(blob.data.shape) for blob in blobs] for name, blobs in net.params.items()}


def check_weights(model, shapes, name):
    """Raise UserError unless `model` (NetParameter) holds every layer of `shapes` (see `param_shapes`).

    `name` is the file's name for the message. Layers that the net does not have are allowed, as in Caffe.
    """
    found = {layer.name: [blob_shape(b) for b in layer.blobs] for layer in (*model.layer, *model.layers) if layer.blobs}
    if not found:
        raise UserError(f"{name}: holds no weights; expected a .caffemodel with {', '.join(list(shapes)[:3])}, ...")
    for layer, expected in shapes.items():
        if layer not in found:
            raise UserError(
                f"{name}: has no layer {layer!r} (it has {', '.join(list(found)[:4])}, ...); expected the weights of "
                "this network"
            )
        if len(found[layer]) != len(expected) or any(
            not _same_shape(f, e) for f, e in zip(found[layer], expected)
        ):
            raise UserError(
                f"{name}: layer {layer!r} has shapes {found[layer]}, expected {expected}; these are weights of another "
                "network or of other options"
            )
    for layer in (*model.layer, *model.layers):
        for blob in layer.blobs:
            if len(blob.data) != count(blob_shape(blob)) and not blob.double_data:
                raise UserError(f"{name}: layer {layer.name!r} is cut short; get the file again")


def blob_shape(blob):
    """Shape of a BlobProto as a tuple; the old four-number form included."""
    if blob.HasField("shape"):
        return tuple(blob.shape.dim)
    return (blob.num, blob.channels, blob.height, blob.width)


def _same_shape(found, expected):
    """Equal but for leading ones: the old form writes a bias as (1, 1, 1, n)."""
    strip = lambda shape: tuple(shape[next((i for i, n in enumerate(shape) if n != 1), len(shape)):])  # noqa: E731
    return strip(found) == strip(expected)


def count(shape):
    """Number of values in an array of `shape`."""
    product = 1
    for n in shape:
        product *= n
    return product
