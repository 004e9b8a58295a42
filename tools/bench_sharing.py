#!/usr/bin/env python3
"""Measure what nets gain whose blobs share memory: megabytes of a pass, and seconds of several nets at once.

    tools/bench_sharing.py                          # writes results/speed/sharing.*; 2 minutes on 2 cores
    tools/bench_sharing.py --methods IDN --sizes 64 170 --rounds 5 --out runs/sharing

Memory: how much a process grows by its first forward pass, with a place for each blob, as Caffe has it, and with shared
memory; one thread, a process of its own for each figure. Time: seconds per image by all threads within each layer and
by as many nets at once, each of them in one thread. Both ways take turns in one process, a timed run each per round
after a tenth of a second of others; their outputs must be equal to the last bit. The weights are random.
Without --out the tables are also written into docs/speed.md.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from data_prep.files import write_json, write_text
from prototxt import openmp
from prototxt.errors import NetError
from tools.common import build, cli, outputs, parent, provenance, ranges
from tools.common.errors import UserError
from tools.common.paths import ROOT
from tools.methods import registry
from tools.methods.registry import METHODS
from tools.nets import engines
from tools.peers import sharing_page, sharing_worker
from tools.peers.sharing_page import AT_ONCE, MEMORY
from tools.peers.speed_tasks import BEFORE, scale_of

RESULTS, PAGE = ROOT / "results" / "speed", ROOT / "docs" / "speed.md"
# what is measured where the command line does not say
NETS = {MEMORY: ["IDN", "VDSR", "LapSRN"], AT_ONCE: ["IDN", "VDSR"]}
SIZES = {MEMORY: [64, 170, 256], AT_ONCE: [32, 64, 100, 170]}


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    p = cli.Parser(__doc__)
    nets = registry.nets()
    p.add_argument("--methods", nargs="+", choices=nets, metavar="NAME",
                   help=f"from {', '.join(nets)} (default: memory of {' '.join(NETS[MEMORY])}, time of "
                        f"{' '.join(NETS[AT_ONCE])})")  # fmt: skip
    p.add_argument("--sizes", nargs="+", type=ranges.whole(8, 4096), metavar="N",
                   help="side lengths of the input in pixels (default: memory at "
                        f"{_listed(SIZES[MEMORY])}, time at {_listed(SIZES[AT_ONCE])})")  # fmt: skip
    p.add_argument("--rounds", type=ranges.whole(1, 1000), default=9, metavar="N", help="of the times (default: 9)")
    p.add_argument("--threads", type=ranges.whole(2, 1024), default=engines.threads(), metavar="N",
                   help="of the times (default: all cores)")  # fmt: skip
    p.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="default: results/speed")
    return p


def _listed(numbers):
    return " ".join(map(str, numbers))


def check(args):
    """Raise UserError for what this tool cannot measure here, with what is missing."""
    if build.info() is None:
        raise UserError(f"{build.described()}: has no caffe_build.memory; unset CAFFE_PYTHONPATH, run `make setup`")
    if not build.deploys():
        raise UserError(f"{build.described()}: an older build without caffe_build.memory; run `make setup`")
    if build.cpu_engine() != "onednn":
        raise UserError(f"{build.described()}: expected the engine onednn; unset CAFFE_CPU_ENGINE, or build with it")
    if args.threads < 2:
        raise UserError("--threads: this process has one core, and several nets at once need more; give 2 or more")
    try:
        openmp.check({"OMP_NUM_THREADS": str(args.threads)})
    except NetError:
        text = f"--threads {args.threads}: on {os.cpu_count()} cores so many would wait for each other; give fewer"
        raise UserError(text) from None


def asked(kind, *arguments, threads):
    """What tools/peers/sharing_worker.py answers (dict), run with so many threads; raises UserError where it fails."""
    environment = parent.environment(OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads))
    command = parent.command("tools.peers.sharing_worker", kind, *arguments)
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"it was ended (status {done.returncode})"]
        begin = "sharing_worker.py: "
        if said[-1].startswith(begin):
            raise UserError(said[-1][len(begin) :])
        raise UserError(f"{' '.join(map(str, arguments))}: its process ended ({said[-1]}); give smaller --sizes")
    return json.loads(done.stdout)


def memory_row(method, size, args):
    """Bytes of a pass with blobs apart and shared (dict)."""
    task = method.name, scale_of(method), size
    found = {way: asked("memory", *task, way, threads=1)["bytes"] for way in ("apart", "shared")}
    return {"kind": MEMORY, "method": method.name, "scale": task[1], "size": size, **found}


def at_once_row(method, size, args):
    """Median seconds per image within each layer and by several nets at once (dict)."""
    task = method.name, scale_of(method), size
    found = asked("seconds", *task, args.threads, args.rounds, threads=args.threads)
    medians = {way: statistics.median(values) for way, values in found.items()}
    return {"kind": AT_ONCE, "method": method.name, "scale": task[1], "size": size, **medians}


def rows(args):
    """All rows (list of dict) of both tables."""
    from tqdm import tqdm  # here: --help must not wait for it

    jobs = [
        (make, METHODS[name], size)
        for kind, make in ((MEMORY, memory_row), (AT_ONCE, at_once_row))
        for name in args.methods or NETS[kind]
        for size in args.sizes or SIZES[kind]
    ]
    return [make(method, size, args) for make, method, size in tqdm(jobs, unit="task", disable=None)]


def meta(args, argv):
    """What was measured with and on (dict)."""
    return {
        "date": provenance.now(), "command": provenance.command("tools/bench_sharing.py", argv),
        "device": provenance.processor(), "caffe": provenance.caffe_version(), "threads": args.threads,
        "rounds": args.rounds, "images": sharing_worker.IMAGES * args.threads, "warm_up": BEFORE,
        "load_average": round(os.getloadavg()[0], 2), "commit": provenance.versions()["commit"],
    }  # fmt: skip


def main(argv=None):
    """Measure and write sharing.json and sharing.md; gives the exit status."""
    args = parser().parse_args(argv)
    argv = sys.argv[1:] if argv is None else list(argv)
    check(args)
    outputs.folder(args.out)
    report = {"meta": meta(args, argv), "rows": rows(args)}
    write_json(args.out / "sharing.json", report)
    write_text(args.out / "sharing.md", sharing_page.markdown(report))
    if args.out.resolve() == RESULTS:
        write_text(PAGE, sharing_page.renewed(PAGE.read_text(encoding="utf-8"), report))
    sys.stdout.write(sharing_page.markdown(report))
    return 0


if __name__ == "__main__":
    cli.run(main)
