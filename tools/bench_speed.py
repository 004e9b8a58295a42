#!/usr/bin/env python3
"""Compare Caffe on the CPU with other engines: seconds per forward pass and training iteration, and memory.

    tools/bench_speed.py                                   # all installed engines; writes results/speed/cpu.*
    tools/bench_speed.py --peers /tmp/peers                # with the packages of another virtual environment
    tools/bench_speed.py --methods IDN --sizes 170 --scales 3 --rounds 5 --out runs/speed

`pip install '.[speed]'` installs ONNX Runtime, OpenVINO and PyTorch; OpenCV is a dependency of the project. Each engine
runs the same net with the same weights in its own process, and the results must agree before anything is timed. Then
the engines take turns, a timed run each per round after a tenth of a second of others, so that other work on the
machine affects all of them alike; the figure is the median over the rounds. Caffe with OpenBLAS (CAFFE_CPU_ENGINE=blas)
is always measured. Without --out the tables are also written into docs/speed.md.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import json
import os
import sys
from pathlib import Path

from data_prep.files import write_text
from tools.common import build, cli, outputs, provenance, scratch
from tools.common.errors import UserError
from tools.common.paths import ROOT
from tools.methods import registry
from tools.methods.registry import METHODS
from tools.nets import engines
from tools.peers import environment, sgemm, speed_page, speed_worker
from tools.peers.speed_tasks import BEFORE, STOCK, forward_task, measure, train_task

RESULTS, PAGE = ROOT / "results" / "speed", ROOT / "docs" / "speed.md"


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    p = cli.Parser(__doc__)
    nets = registry.nets()
    p.add_argument("--methods", nargs="+", choices=nets, default=["IDN", "VDSR", "LapSRN"], metavar="NAME",
                   help=f"nets of the forward pass, from {', '.join(nets)} (default: IDN VDSR LapSRN)")  # fmt: skip
    p.add_argument("--sizes", nargs="*", type=int, default=[64, 170, 256], metavar="N",
                   help="side lengths of the forward pass's input in pixels (default: 64 170 256)")  # fmt: skip
    p.add_argument("--scales", nargs="*", type=int, choices=cli.SCALES, default=list(cli.SCALES),
                   help="scales at which IDN is trained (default: 2 3 4)")  # fmt: skip
    p.add_argument("--engines", nargs="+", choices=list(speed_worker.ENGINES), metavar="NAME",
                   help=f"from {'; '.join(speed_worker.ENGINES)} (default: all that are installed)")  # fmt: skip
    p.add_argument("--rounds", type=int, default=9, metavar="N", help="default: 9")
    p.add_argument("--threads", type=int, default=engines.threads(), metavar="N", help="default: all cores")
    cli.add_folder(p, "WEIGHTS", "its weights, random ones where there are none")
    p.add_argument("--peers", type=Path, metavar="DIR", help="virtual environment with packages to compare with")
    p.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="default: results/speed")
    return p


def check_numbers(args):
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


def meta(args, argv, versions):
    """What was measured with and on (dict)."""
    return {
        "date": provenance.now(),
        "command": provenance.command("tools/bench_speed.py", argv),
        "device": provenance.processor(),
        "threads": args.threads,
        "rounds": args.rounds,
        "warm_up": BEFORE,
        "load_average": round(os.getloadavg()[0], 2),
        "sgemm_gflops": sgemm.gflops(args.threads),
        "shared_memory": build.deploys(),  # of the blobs in Caffe's forward passes
        "engines": versions,
        "not_installed": [name for name in speed_worker.ENGINES if name not in versions],
        "commit": provenance.versions()["commit"],
    }


def main(argv=None):
    """Measure and write cpu.json and cpu.md; gives the exit status."""
    args = parser().parse_args(argv)
    argv = sys.argv[1:] if argv is None else list(argv)
    check_numbers(args)
    if args.peers:
        environment.add_packages(args.peers)
    versions = available(args.engines)
    outputs.folder(args.out)
    about, rows = meta(args, argv, versions), []
    jobs = [(forward_task, METHODS[name], size) for name in args.methods for size in args.sizes]
    jobs += [(train_task, scale) for scale in args.scales]
    from tqdm import tqdm  # here: --help must not wait for it

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
