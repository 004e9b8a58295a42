"""One engine in a process of its own, for tools/bench_speed.py: builds a task's net and runs it on demand.

    tools.peers.speed_worker ENGINE FOLDER [PEERS]

A process each, because engines bring thread pools of their own and Caffe's CPU engine is chosen when it is loaded.
Reads commands from standard input, one a line, and answers each with one line of JSON:

    output FILE     run once and save the result (.npy): {"peak_mb": ...}
    run             run once: {"seconds": ...}

FOLDER holds task.json (kind, output, threads), net.prototxt, net.caffemodel, inputs.npz and, for training,
solver.prototxt. PEERS is a virtual environment whose packages may be imported as well.
"""

import importlib
import json
import sys
import time
from pathlib import Path

import numpy as np
from google.protobuf import text_format

from prototxt.engine import caffe
from tools.common import memory, provenance
from tools.nets import deploying, engines, onnx_graph, runtime
from tools.peers.environment import add_packages

# name in the tables: module that must be there
ENGINES = {
    "Caffe, OpenBLAS": "caffe",
    "Caffe, oneDNN": "caffe",
    "PyTorch": "torch",
    "PyTorch channels_last": "torch",
    "ONNX Runtime": "onnxruntime",
    "OpenVINO": "openvino",
    "OpenCV": "cv2",
}
# iterations behind the loss that is compared
WARM_UP = 3


def cpu_engine(engine):
    """Value of CAFFE_CPU_ENGINE for the process of an engine; peers get their net from stock Caffe."""
    return "onednn" if engine == "Caffe, oneDNN" else "blas"


def version(engine):
    """Version (str) of an engine's package, None when it cannot be imported."""
    if ENGINES[engine] == "caffe":
        return provenance.caffe_version()
    try:
        if engine in ("ONNX Runtime", "OpenVINO"):
            importlib.import_module("onnx")
        module = importlib.import_module(ENGINES[engine])
    except ImportError:
        return None
    return module.__version__


class Task:
    """What a folder says is to be run.

    Attributes
    ----------
    kind : {"forward", "train"}
    output : str
        Blob that is compared.
    threads : int
    message : NetParameter
    inputs : dict of str to ndarray, (N, 1, H, W), float32
    """

    def __init__(self, folder):

        self.folder = Path(folder)
        about = json.loads((self.folder / "task.json").read_text(encoding="utf-8"))
        self.kind, self.output, self.threads = about["kind"], about["output"], about["threads"]
        self.message = caffe.proto.caffe_pb2.NetParameter()
        text_format.Merge((self.folder / "net.prototxt").read_text(encoding="utf-8"), self.message)
        with np.load(self.folder / "inputs.npz") as arrays:
            self.inputs = dict(arrays)

    def solver(self):
        """The solver (SolverParameter) of a training task."""

        text = (self.folder / "solver.prototxt").read_text(encoding="utf-8")
        return text_format.Merge(text, caffe.proto.caffe_pb2.SolverParameter())

    @property
    def image(self):
        """The only input of a deploy net, (H, W)."""
        return self.inputs["data"][0, 0]

    def net(self):
        """The net (caffe.Net) with its weights."""
        phase = caffe.TEST if self.kind == "forward" else caffe.TRAIN
        net = caffe.Net(str(self.folder / "net.prototxt"), phase)
        net.copy_from(str(self.folder / "net.caffemodel"))
        return net


# --- engines: (task) -> callable without arguments that runs once and gives what is compared ---------------------


def caffe_forward(task):
    net = deploying.share_memory(task.net(), task.output)
    return lambda: runtime.forward(net, task.image, task.output)


def caffe_train(task):
    solver = caffe.get_solver(str(task.folder / "solver.prototxt"))
    solver.net.copy_from(str(task.folder / "net.caffemodel"))
    for name, values in task.inputs.items():
        solver.net.blobs[name].data[...] = values

    def run():
        solver.step(1)
        return solver.net.blobs[task.output].data.copy()

    return run


def converted(engine):
    def make(task):
        other = engines.convert(task.net(), task.message, engine)
        return lambda: other(task.image, task.output)

    return make


def openvino_forward(task):
    import openvino  # optional

    core = openvino.Core()
    model = core.read_model(onnx_graph.model(task.message, task.net(), task.output).SerializeToString())
    model.reshape(list(task.inputs["data"].shape))
    # single precision, or a processor with bfloat16 would use that
    options = {"INFERENCE_NUM_THREADS": task.threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    compiled = core.compile_model(model, "CPU", options)
    return lambda: compiled([task.image[None, None]])[0][0, 0].copy()


def torch_forward(task, channels_last=False):
    import torch  # optional

    net, shape = _torch_net(task, channels_last)

    def run():
        with torch.inference_mode():
            data = torch.from_numpy(task.image)[None, None].contiguous(memory_format=shape)
            return net({"data": data}, task.output)[0, 0].numpy().copy()

    return run


def torch_train(task, channels_last=False):
    import torch  # optional

    net, shape = _torch_net(task, channels_last)
    param = task.solver()
    groups = [{"params": [array], "lr": param.base_lr * rate} for array, rate in net.rates]
    adam = torch.optim.Adam(
        groups, betas=(param.momentum, param.momentum2), eps=param.delta, weight_decay=param.weight_decay
    )
    inputs = {name: torch.from_numpy(values).contiguous(memory_format=shape) for name, values in task.inputs.items()}

    def run():
        adam.zero_grad(set_to_none=True)
        loss = net(inputs, task.output)
        loss.backward()
        adam.step()
        return np.float32(loss.item())

    return run


def _torch_net(task, channels_last):
    import torch  # optional

    from tools.peers.torch_net import TorchNet  # needs torch

    torch.set_num_threads(task.threads)
    net = TorchNet(task.message, task.net())
    return (net.channels_last(), torch.channels_last) if channels_last else (net, torch.contiguous_format)


MAKERS = {
    "forward": {
        "Caffe, OpenBLAS": caffe_forward,
        "Caffe, oneDNN": caffe_forward,
        "PyTorch": torch_forward,
        "PyTorch channels_last": lambda task: torch_forward(task, True),
        "ONNX Runtime": converted("onnxruntime"),
        "OpenVINO": openvino_forward,
        "OpenCV": converted("opencv"),
    },
    "train": {
        "Caffe, OpenBLAS": caffe_train,
        "Caffe, oneDNN": caffe_train,
        "PyTorch": torch_train,
        "PyTorch channels_last": lambda task: torch_train(task, True),
    },
}


def main():
    engine, folder, *peers = sys.argv[1:]
    for environment in peers:
        add_packages(environment)
    answers, sys.stdout = sys.stdout, sys.stderr  # what libraries print must not get among the answers
    task = Task(folder)
    importlib.import_module(ENGINES[engine])
    memory.trim()  # what the imports have freed would take in a small pass unseen
    memory.reset_peak()
    before = memory.resident_mb() or 0
    run = MAKERS[task.kind][engine](task)
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        command, *arguments = line.split(maxsplit=1)
        start = time.perf_counter()
        result = run()
        answer = {"seconds": time.perf_counter() - start}
        if command == "output":
            for _ in range(WARM_UP - 1 if task.kind == "train" else 0):
                result = run()
            np.save(arguments[0].rstrip("\n"), result)
            answer = {"peak_mb": max((memory.peak_mb() or before) - before, 0)}
        print(json.dumps(answer), file=answers, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
