#!/usr/bin/env python3
"""Caffe on the CPU beside other engines: seconds of a forward pass and of a training iteration, and memory.

    tools/bench_speed.py                                   # every engine that is installed; results/speed/cpu.*
    tools/bench_speed.py --peers /tmp/peers                # packages of another virtual environment as well
    tools/bench_speed.py --methods IDN --sizes 170 --scales 3 --rounds 5 --out runs/speed

Peers: pip install '.[speed]' gives ONNX Runtime, OpenVINO and PyTorch; OpenCV is here anyway. Every engine runs the
same net with the same weights in a process of its own, and the results must agree before anything is timed. Then
they take turns, one run each a round, so that whatever else the machine does meets all alike; the figure is the
median of the rounds. Caffe with OpenBLAS (CAFFE_CPU_ENGINE=blas) is always among them. Without --out the tables go
into docs/speed.md as well.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import contextlib
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from data_prep.files import write_text
from data_prep.geometry import geometry
from tools import bench_peers, cli, engines, models, net_bytes, provenance, scratch, speed_page, speed_worker
from tools.cli import UserError
from tools.methods import METHODS

ROOT = provenance.ROOT
RESULTS, PAGE = ROOT / "results" / "speed", ROOT / "docs" / "speed.md"
STOCK = "Caffe, OpenBLAS"
# largest difference of an output of about 0..1, and relative one of a loss after three iterations
TOLERANCE = {"forward": 1e-4, "train": 1e-3}


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    p = cli.Parser(__doc__)
    nets = [name for name, method in METHODS.items() if method.network]
    p.add_argument("--methods", nargs="+", choices=nets, default=["IDN", "VDSR", "LapSRN"], metavar="NAME",
                   help=f"nets to run forward, of {', '.join(nets)} (default: IDN VDSR LapSRN)")  # fmt: skip
    p.add_argument("--sizes", nargs="*", type=int, default=[64, 170, 256], metavar="N",
                   help="sides of the forward's input in pixels (default: 64 170 256)")  # fmt: skip
    p.add_argument("--scales", nargs="*", type=int, choices=cli.SCALES, default=list(cli.SCALES),
                   help="IDN's scales to train (default: 2 3 4)")  # fmt: skip
    p.add_argument("--engines", nargs="+", choices=list(speed_worker.ENGINES), metavar="NAME",
                   help=f"of {', '.join(speed_worker.ENGINES)} (default: what is installed)")  # fmt: skip
    p.add_argument("--rounds", type=int, default=9, metavar="N", help="default: 9")
    p.add_argument("--threads", type=int, default=engines.threads(), metavar="N", help="default: all cores")
    p.add_argument("--weights-dir", type=Path, default=Path(os.environ.get("WEIGHTS") or ROOT / "weights"),
                   metavar="DIR", help="default: weights; random weights where it has none")  # fmt: skip
    p.add_argument("--peers", type=Path, metavar="DIR", help="virtual environment with packages to compare with")
    p.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="default: results/speed")
    return p


def check(args):
    """Raise UserError for numbers that cannot be measured."""
    for name, values, least in (("rounds", [args.rounds], 1), ("threads", [args.threads], 1), ("sizes", args.sizes, 8)):
        for value in values:
            if value < least:
                raise UserError(f"--{name}: got {value}, expected at least {least}")


def available(asked):
    """Engines to run: {name: version}. Raises UserError for one that was asked for and is not installed."""
    found = {name: speed_worker.version(name) for name in speed_worker.ENGINES}
    missing = [name for name in asked or () if found[name] is None]
    if missing:
        raise UserError(f"--engines: {', '.join(missing)} cannot be imported; pip install '.[speed]', or give --peers")
    wanted = dict.fromkeys([STOCK, *(asked or found)])
    return {name: found[name] for name in wanted if found[name] is not None}


# --- tasks: a folder with all that a worker needs ------------------------------------------------------------


def forward_task(folder, method, size, args):
    """Write the forward task of a method and input side; gives its description (dict)."""
    scale = 2 if method.name == "LapSRN" else 3  # LapSRN has no net for x3
    path = models.find(args.weights_dir, method.name, scale)
    net = method.load(scale, path)
    data = np.random.default_rng(0).random((1, 1, size, size), dtype=np.float32)
    _write(folder, method.build(scale), net, {"data": data}, "forward", method.output, args.threads)
    return {"kind": "forward", "method": method.name, "scale": scale, "size": size, "random_weights": path is None}


def train_task(folder, scale, args):
    """Write the training task of IDN at a scale: stage train, whole batches of the paper's sub-images."""
    from prototxt.engine import caffe
    from prototxt.idn import idn
    from prototxt.solver import stage_solver

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
    return {"kind": "train", "method": "IDN", "scale": scale, "size": sizes.lr_size, "batch": batch}


def _with_inputs(message, inputs):
    """A train net whose databases are replaced by Input layers, without its test phase."""
    from prototxt.engine import caffe

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
        environment = {
            **os.environ,
            "CAFFE_CPU_ENGINE": speed_worker.cpu_engine(engine),
            "OMP_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
        }
        self.engine, self.folder = engine, folder
        self.log = (folder / f"{engine}.log").open("w+", encoding="utf-8")
        peers = [str(args.peers)] if args.peers else []
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.log, "text": True}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tools.speed_worker", engine, str(folder), *peers],
            cwd=ROOT,
            env=environment,
            **pipes,
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


def meta(args, argv, versions):
    """What was measured with and on (dict)."""
    return {
        "date": provenance.now(),
        "command": provenance.command("tools/bench_speed.py", argv),
        "device": provenance.processor(),
        "threads": args.threads,
        "rounds": args.rounds,
        "load_average": round(os.getloadavg()[0], 2),
        "engines": versions,
        "not_installed": [name for name in speed_worker.ENGINES if name not in versions],
        "commit": provenance.versions()["commit"],
    }


def main(argv=None):
    """Measure and write cpu.json and cpu.md; gives the exit status."""
    args = parser().parse_args(argv)
    argv = sys.argv[1:] if argv is None else list(argv)
    check(args)
    if args.peers:
        bench_peers.add_packages(args.peers)
    versions = available(args.engines)
    args.out.mkdir(parents=True, exist_ok=True)
    about, rows = meta(args, argv, versions), []
    jobs = [(forward_task, METHODS[name], size) for name in args.methods for size in args.sizes]
    jobs += [(train_task, scale) for scale in args.scales]
    for make, *what in tqdm(jobs, unit="task", disable=None):
        with scratch.private() as folder:
            task = make(folder, *what, args)
            rows += measure(folder, task, versions, args)
        # what is finished is kept: the whole takes minutes
        report = {"meta": about, "rows": rows}
        write_text(args.out / "cpu.json", json.dumps(report, indent=1) + "\n")
        write_text(args.out / "cpu.md", speed_page.markdown(report))
    if args.out.resolve() == RESULTS:
        speed_page.renew(PAGE, report)
    sys.stdout.write(speed_page.markdown({"meta": about, "rows": rows}))
    return 0


if __name__ == "__main__":
    cli.run(main)
