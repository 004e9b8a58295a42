#!/usr/bin/env python3
"""Measure what a second process brings a training of IDN, and reckon from it where more of them stop paying.

    tools/bench_ranks.py --scale 3                  # over MPI (mpirun must be in PATH); writes results/speed/ranks.*
    tools/bench_ranks.py --launcher "srun -n 2" --out runs/ranks
    tools/bench_ranks.py --processes                # without MPI

One process and two take turns, each with the same number of threads for every process. Other work on the machine
lengthens the time of an iteration, but hardly the processor's time for it; both are given, of the rounds the smallest.
Without --out the tables are also written into docs/parallel_training.md.
The databases are those of tools/prepare_data.py; what is in them does not matter.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import json
import os
import resource
import shlex
import subprocess
import sys
from pathlib import Path

from data_prep.files import write_text
from tools.common import cli, outputs, provenance, ranges, scratch
from tools.common.errors import UserError
from tools.common.paths import ROOT
from tools.peers import ranks_page

RESULTS, PAGE = ROOT / "results" / "speed", ROOT / "docs" / "parallel_training.md"
RANKS = 2


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    p = cli.Parser(__doc__)
    p.add_argument("--scale", type=int, choices=cli.SCALES, default=3)
    p.add_argument("--launcher", default=f"mpirun -n {RANKS}", help="what starts two ranks (default: mpirun -n 2)")
    p.add_argument("--processes", action="store_true", help="start the second process without MPI")
    p.add_argument("--iters", type=ranges.whole(2, 10_000), default=40, help="iterations of each run (default: 40)")
    p.add_argument("--rounds", type=ranges.whole(1, 100), default=3, help="default: 3")
    p.add_argument("--threads", type=ranges.whole(1, 1024), default=1, help="of each process (default: 1)")
    cli.add_folder(p, "DATA", "folder of the image sets")
    cli.add_folder(p, "HDF5", "databases of tools/prepare_data.py")
    p.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="default: results/speed")
    return p


def measure(args, ranks, iterations, folder):
    """Seconds of an iteration, and the processor's seconds of the whole run by all processes (float each)."""
    command = [sys.executable, str(ROOT / "tools" / "train.py"), "--scale", str(args.scale), "--stage", "pretrain"]
    command += ["--data-dir", str(args.data_dir), "--hdf5-dir", str(args.hdf5_dir), "--out", str(folder)]
    command += [f"--{name}={iterations}" for name in ("iters", "test-interval", "snapshot")]
    if ranks > 1:
        more = ["--processes", str(ranks)] if args.processes else ["--mpi"]
        command = [*([] if args.processes else shlex.split(args.launcher)), *command, *more]
    before = _used()
    try:
        done = subprocess.run(
            command, env={**os.environ, "OMP_NUM_THREADS": str(args.threads), "OMP_WAIT_POLICY": "passive"},
            capture_output=True, text=True,
        )  # fmt: skip
    except OSError as error:
        raise UserError(f"launcher: {args.launcher}: {error.strerror}; give --launcher, or --processes") from None
    if done.returncode:
        ours = [line for line in done.stderr.splitlines() if line.startswith("train.py: ")]
        said = " ".join(done.stderr.split())[:300]
        raise UserError(ours[0] if ours else f"launcher: {args.launcher}: exit status {done.returncode} {said}")
    found = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    if found["processes"] != ranks:
        raise UserError(f"launcher: {args.launcher} started {found['processes']} ranks, expected {ranks}")
    return 1 / found["stages"]["pretrain"]["iterations_per_second"], _used() - before


def _used():
    """The processor's seconds (float) of all processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def rows(args):
    """A row (dict) for one process and for two: seconds of an iteration, and the processor's seconds for it."""
    found = {ranks: [] for ranks in (1, RANKS)}
    for _ in range(args.rounds):
        for ranks, measured in found.items():
            with scratch.private() as folder:
                _, start = measure(args, ranks, 2, folder / "short")
                seconds, whole = measure(args, ranks, args.iters + 2, folder / "long")
            measured.append((seconds, (whole - start) / args.iters))
    return [
        {"ranks": ranks, "seconds": min(s for s, _ in measured), "cpu_seconds": min(c for _, c in measured)}
        for ranks, measured in found.items()
    ]


def main(argv=None):
    """Measure and write ranks.json and ranks.md; gives the exit status."""
    args = parser().parse_args(argv)
    argv = sys.argv[1:] if argv is None else list(argv)
    outputs.folder(args.out)
    load = os.getloadavg()[0]
    about = {
        "date": provenance.now(), "command": provenance.command("tools/bench_ranks.py", argv), "scale": args.scale,
        "device": provenance.processor(), "cores": os.cpu_count(), "threads": args.threads, "rounds": args.rounds,
        "iterations": args.iters, "by": "sockets" if args.processes else "MPI", "load_average": round(load, 2),
        "commit": provenance.versions()["commit"],
    }  # fmt: skip
    report = {"meta": about, "rows": rows(args), "bytes": ranks_page.gradient_bytes(args.scale)}
    write_text(args.out / "ranks.json", json.dumps(report, indent=1) + "\n")
    write_text(args.out / "ranks.md", ranks_page.markdown(report))
    if args.out.resolve() == RESULTS:
        write_text(PAGE, ranks_page.renewed(PAGE.read_text(encoding="utf-8"), report))
    sys.stdout.write(ranks_page.markdown(report))
    return 0


if __name__ == "__main__":
    cli.run(main)
