"""What is timed: forwards and training iterations, each in a process of an engine's own."""

import contextlib
import json
import statistics
import subprocess
import time

import numpy as np

from data_prep import weights
from data_prep.geometry import geometry
from prototxt.engine import caffe
from prototxt.idn import idn
from prototxt.solver import stage_solver
from tools.common import parent
from tools.common.errors import UserError
from tools.nets import complexity, net_bytes
from tools.peers import speed_worker

STOCK = "Caffe, OpenBLAS"
# the work of a training iteration in forward passes: the gradients of inputs and of weights cost as much each
PASSES = 3
# seconds between two engines: the threads of the one before, OpenBLAS's above all, keep looking for work for a while
PAUSE = 0.2
# seconds that an engine runs before it is timed: its threads slept, and Linux leaves those that it has woken on one
# core for some 0.05 s, so that a small image took twice the time that it takes in a loop
BEFORE = 0.1
# largest difference of an output of about 0..1, and relative one of a loss after three iterations
TOLERANCE = {"forward": 1e-4, "train": 1e-3}


# --- tasks: a folder with all that a worker needs ------------------------------------------------------------


def scale_of(method):
    """The factor (int) at which a method's (registry.Method) forward pass is measured."""
    return 2 if method.name == "LapSRN" else 3  # LapSRN has no net for x3


def forward_task(folder, method, size, args):
    """Write the forward task of a method and input side; gives its description (dict)."""
    scale = scale_of(method)
    path = weights.find(args.weights_dir, method.name, scale)
    net = method.load(scale, path)
    data = np.random.default_rng(0).random((1, 1, size, size), dtype=np.float32)
    message = method.build(scale)
    _write(folder, message, net, {"data": data}, "forward", method.blob, args.threads)
    task = {"kind": "forward", "method": method.name, "scale": scale, "size": size, "random_weights": path is None}
    return {**task, "gflop": _gflop(message, data.size)}


def train_task(folder, scale, args):
    """Write the training task of IDN at a scale: stage train, whole batches of the paper's sub-images."""
    sizes = geometry(scale, "train")
    batch = sizes.batch
    rng = np.random.default_rng(0)
    inputs = {
        name: rng.random((batch, 1, side, side), dtype=np.float32)
        for name, side in (("data", sizes.lr_size), ("bic", sizes.hr_size), ("label", sizes.hr_size))
    }
    message = _with_inputs(idn(scale, "train", batch=batch), inputs)
    (folder / "net.prototxt").write_text(str(message), encoding="utf-8")
    caffe.set_random_seed(1)
    net = caffe.Net(str(folder / "net.prototxt"), caffe.TRAIN)
    param = stage_solver(scale, "train", net=str(folder / "net.prototxt"), snapshot_prefix=str(folder / "snapshot"))
    # nothing but iterations: no tests, no snapshots, no lines
    del param.test_iter[:]
    for field in ("test_interval", "snapshot", "display"):
        param.ClearField(field)
    param.snapshot_after_train = False
    (folder / "solver.prototxt").write_text(str(param), encoding="utf-8")
    _write(folder, message, net, inputs, "train", "loss", args.threads)
    work = PASSES * _gflop(idn(scale), inputs["data"].size)
    return {"kind": "train", "method": "IDN", "scale": scale, "size": sizes.lr_size, "batch": batch, "gflop": work}


def _gflop(message, pixels):
    """10^9 multiplications and additions (float) of a deploy net's forward pass, counted as direct convolutions do."""
    return 2 * complexity.count(message)["macs"] * pixels / 1e9


def _with_inputs(message, inputs):
    """A train net whose databases are replaced by Input layers, without its test phase."""
    made = caffe.proto.caffe_pb2.NetParameter(name=message.name)
    for name, values in inputs.items():
        layer = made.layer.add(name=name, type="Input", top=[name])
        layer.input_param.shape.add(dim=values.shape)
    for layer in message.layer:
        test_only = any(rule.phase == caffe.TEST for rule in layer.include)
        if layer.type != "HDF5Data" and not test_only:
            made.layer.add().CopyFrom(layer)
    return made


def _write(folder, message, net, inputs, kind, output, threads):
    (folder / "net.prototxt").write_text(str(message), encoding="utf-8")
    (folder / "net.caffemodel").write_bytes(net_bytes.model_bytes(net))
    np.savez(folder / "inputs.npz", **inputs)
    about = {"kind": kind, "output": output, "threads": threads}
    (folder / "task.json").write_text(json.dumps(about), encoding="utf-8")


# --- workers -------------------------------------------------------------------------------------------------


class Worker:
    """One engine at one task, in a process of its own."""

    def __init__(self, engine, folder, args):
        threads = str(args.threads)
        environment = parent.environment(
            CAFFE_CPU_ENGINE=speed_worker.cpu_engine(engine), OMP_NUM_THREADS=threads, OPENBLAS_NUM_THREADS=threads
        )
        self.engine, self.folder = engine, folder
        self.log = (folder / f"{engine}.log").open("w+", encoding="utf-8")
        peers = [str(args.peers)] if args.peers else []
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.log, "text": True}
        self.process = subprocess.Popen(
            parent.command("tools.peers.speed_worker", engine, folder, *peers), env=environment, **pipes
        )
        try:
            self._answer()
        except UserError:
            self.close()
            raise

    def ask(self, command):
        """Send one command; gives the answer (dict)."""
        with contextlib.suppress(BrokenPipeError):  # it has ended: _answer says with what words
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        return self._answer()

    def warm_up(self):
        """Run untimed, once or until all cores are at work."""
        begin = time.perf_counter()
        self.ask("run")
        while time.perf_counter() - begin < BEFORE:
            self.ask("run")

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            said = self.log.read().strip().splitlines() or ["no message"]
            raise UserError(f"{self.engine}: its process ended ({said[-1]}); leave it out with --engines")
        return json.loads(line)

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()
        self.log.close()


def measure(folder, task, names, args):
    """Run one task on all engines that can; gives rows (list of dict)."""
    names = [name for name in names if name in speed_worker.MAKERS[task["kind"]]]
    workers, rows, results = [], {}, {}
    try:
        for name in names:
            workers.append(Worker(name, folder, args))
            path = folder / f"{len(workers)}.npy"
            rows[name] = {**task, "engine": name, **workers[-1].ask(f"output {path}")}
            results[name] = np.load(path)
            rows[name]["difference"] = agree(name, results[name], results[STOCK], task)
        seconds = {name: [] for name in names}
        for _ in range(args.rounds):
            for worker in workers:
                time.sleep(PAUSE)
                worker.warm_up()
                seconds[worker.engine].append(worker.ask("run")["seconds"])
    finally:
        for worker in workers:
            worker.close()
    for name, row in rows.items():
        row.update(seconds=statistics.median(seconds[name]), seconds_least=min(seconds[name]))
    return list(rows.values())


def agree(name, found, expected, task):
    """Largest difference (float) from stock Caffe's result; raises UserError when it is no rounding error."""
    if found.shape != expected.shape:
        raise UserError(f"{name}: its result has shape {found.shape}, stock Caffe's {expected.shape}; not comparable")
    difference = float(np.abs(found - expected).max())
    allowed = TOLERANCE[task["kind"]] * max(1.0, float(np.abs(expected).max()))
    if not difference <= allowed:
        raise UserError(f"{name}: its result differs from stock Caffe's by {difference:.2g}, expected {allowed:.2g}")
    return difference
