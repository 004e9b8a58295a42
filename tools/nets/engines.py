"""Run a deploy net in Caffe or, with the same prototxt and weights, in another engine: OpenCV, ONNX Runtime.

Caffe itself is a caffe.Net. Every other engine is a callable (image, blob to read) -> output, which
evaluation.forward takes wherever it takes a net. Either way the net is built and its weights are checked by Caffe
first, so that the same mistakes end with the same words.
"""

import importlib
import os

import cv2
import numpy as np

from tools.common import build
from tools.common.errors import UserError
from tools.gpu.device import CPU
from tools.nets import net_bytes, onnx_graph, runtime


def convert(net, message, engine):
    """A net for another engine.

    Parameters
    ----------
    net : caffe.Net
        Deploy net with its weights; it is not needed afterwards.
    message : NetParameter
        What `net` was built from.
    engine : {"caffe", "opencv", "onnxruntime"}

    Returns
    -------
    caffe.Net or callable (ndarray (H, W) float32, str) -> ndarray (H', W') float32
        For evaluation.forward and tiles.forward. Any H and W, from call to call.

    Raises
    ------
    UserError
        An engine that is not known, not installed, or cannot run this net.
    """
    if engine not in ENGINES:
        raise UserError(f"engine: got {engine!r}, expected one of {', '.join(ENGINES)}")
    make = ENGINES[engine]
    return net if make is None else make(net, message)


def cpu_engine(engine, device=CPU):
    """What computes Caffe's layers on the CPU, "onednn" or "blas"; None on a GPU and in other engines."""
    if device.on_gpu or engine != "caffe":
        return None
    return build.cpu_engine()


# the engines that run on a GPU; asked for one, the others would compute on the CPU without a word
ON_GPU = ("caffe", "cudagraph")


def check_engine(engine, device=CPU):
    """Raise UserError unless `engine` (str) is installed and runs on `device` (tools.gpu.device.Device).

    Before a long job, rather than in the middle of it.
    """
    if device.on_gpu and engine not in ON_GPU:
        raise UserError(f"--engine {engine}: runs on the CPU only here; omit --gpu, or use --engine caffe")
    if engine == "cudagraph" and not device.on_gpu:
        raise UserError("--engine cudagraph: runs on a GPU only; give its number with --gpu, or use --engine caffe")
    if engine == "onnxruntime":
        _onnxruntime()


def _onnxruntime():
    onnx_graph.onnx_module()
    try:
        import onnxruntime  # optional
    except ImportError:
        raise UserError(
            "engine onnxruntime: not installed; run: .venv/bin/pip install onnx onnxruntime, or use --engine caffe"
        ) from None
    return onnxruntime


def version(engine):
    """Version (str) of what runs the nets, None for Caffe, which reports its own."""
    module = {"opencv": "cv2", "onnxruntime": "onnxruntime"}.get(engine)
    return module and importlib.import_module(module).__version__


def threads():
    """Number of threads that a forward may use: OMP_NUM_THREADS, but no more than the process has cores."""
    cores = len(os.sched_getaffinity(0))
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return min(int(asked), cores) if asked.isdigit() and int(asked) > 0 else cores


class OpenCV:
    """A net in OpenCV's dnn module, which reads Caffe's own files."""

    def __init__(self, net, message):
        cv2.setNumThreads(threads())
        self.name = message.name
        # OpenCV asks for layers, not for blobs: the last layer that writes a blob
        self.writers = {top: layer.name for layer in message.layer for top in layer.top}
        contents = str(message).encode(), net_bytes.model_bytes(net)
        self.net = self._try(cv2.dnn.readNetFromCaffe, *(np.frombuffer(one, np.uint8) for one in contents))

    def __call__(self, image, output):
        self.net.setInput(np.ascontiguousarray(image, np.float32)[None, None])
        return self._try(self.net.forward, self.writers[output])[0, 0].copy()

    def _try(self, function, *args):
        logging = cv2.utils.logging
        level = logging.setLogLevel(logging.LOG_LEVEL_SILENT)  # it would print a page before it raises
        try:
            return function(*args)
        except cv2.error as error:
            said = " ".join(error.err.split()) or error.func
            raise UserError(f"engine opencv: cannot run {self.name} ({said}); use --engine caffe") from None
        finally:
            logging.setLogLevel(level)


class OnnxRuntime:
    """A net in ONNX Runtime, on the CPU, translated by tools/nets/onnx_graph.py."""

    def __init__(self, net, message):
        self.runtime, self.net, self.message, self.sessions = _onnxruntime(), net, message, {}

    def session(self, output):
        """The session that gives blob `output`, made at first use."""
        if output not in self.sessions:
            options = self.runtime.SessionOptions()
            # level 4: it raises its errors, and would print them as well
            options.intra_op_num_threads, options.log_severity_level = threads(), 4
            model = onnx_graph.model(self.message, self.net, output).SerializeToString()
            self.sessions[output] = self._try(
                self.runtime.InferenceSession, model, options, ["CPUExecutionProvider"]
            )
        return self.sessions[output]

    def run(self, values, output):
        """Blob `output` (ndarray) for an input (ndarray of four axes, float32)."""
        session = self.session(output)
        inputs = {session.get_inputs()[0].name: values}
        return self._try(session.run, None, inputs, advice="smaller images need less memory; or use --engine caffe")[0]

    def __call__(self, image, output):
        return self.run(np.ascontiguousarray(image, np.float32)[None, None], output)[0, 0]

    def _try(self, function, *args, advice="--engine caffe runs it"):
        try:
            return function(*args)
        except MemoryError:
            raise
        except Exception as error:  # its own classes have no base of theirs, and none is for a lack of memory
            said = " ".join(str(error).split())[:240] or type(error).__name__
            name = self.message.name or "this net"
            raise UserError(f"engine onnxruntime: cannot run {name} ({said}); {advice}") from None


class CudaGraph:
    """A net in Caffe on the GPU, its kernels recorded once a size and issued as a whole.

    The first call at a new size is slower than a forward, every further one several times as fast.
    """

    def __init__(self, net, message):
        _graphs()
        from caffe_build import _graph  # of the CUDA build alone; loads Caffe

        self.net, self.graph = net, _graph.GraphNet(net)

    def __call__(self, image, output):
        blob = self.net.blobs["data"]
        blob.reshape(1, 1, *image.shape)
        blob.data[0, 0] = image
        self.graph.forward()
        return self.net.blobs[output].data[0, 0].copy()


def _graphs():
    if not (runtime.have_graphs() and runtime.on_gpu()):
        raise UserError("engine cudagraph: needs Caffe built for NVIDIA GPUs and --gpu; run `make setup GPU=0`, or use "
                        "--engine caffe")  # fmt: skip


ENGINES = {"caffe": None, "cudagraph": CudaGraph, "opencv": OpenCV, "onnxruntime": OnnxRuntime}
