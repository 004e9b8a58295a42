#!/usr/bin/env python3
"""Measure what waiting threads cost: several ways to wait, on an idle machine and beside other work.

    tools/bench_waiting.py --out results/speed          # writes waiting.json, waiting.md; 3 minutes on 2 cores

OpenMP's threads wait for each other at the end of every parallel loop. A thread that polls keeps its core busy while it
waits; if another program needs a core, the thread that all others wait for may not get one. Here the forward pass and
the training of IDN x3 run under `nice` with as many threads as there are cores, first alone, then beside a process that
never sleeps. All ways to wait are measured in turn within one run, each after a tenth of a second of runs that are not
timed; times are medians. The load from other programs is measured as well: above a tenth of a core, the rounds called
idle were not idle.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from data_prep.files import write_json, write_text
from tools.common import cli, markdown, outputs, provenance, ranges
from tools.methods.registry import METHODS
from tools.peers import speed_tasks

ENGINE = "Caffe, oneDNN"
CHOICES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
WAYS = {
    "ours (1,000 looks)": {},
    "libgomp's own (300,000)": {"GOMP_SPINCOUNT": "300000"},
    "100,000": {"GOMP_SPINCOUNT": "100000"},
    "10,000": {"GOMP_SPINCOUNT": "10000"},
    "0": {"GOMP_SPINCOUNT": "0"},
    "passive": {"OMP_WAIT_POLICY": "passive"},
}
NICE = 10
BUSY = "while True: pass"
SIDE = 64
QUIET = 0.1  # cores that others may take on a machine that is called idle


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    p = cli.Parser(__doc__)
    p.add_argument("--rounds", type=ranges.whole(1, 1000), metavar="N", default=7,
                   help="timed rounds (default: 7)")  # fmt: skip
    p.add_argument("--threads", type=ranges.whole(1, 1024), metavar="N", default=os.cpu_count(),
                   help="default: all cores")  # fmt: skip
    p.add_argument("--out", type=Path, metavar="DIR", help="write waiting.json and waiting.md there")
    return p


def measure(args, folder):
    """Seconds of all ways {task: {way: {"idle": float, "busy": float}}}, cores that others took {task: float}."""
    args.peers, args.weights_dir = None, folder  # random weights
    tasks = {"forward": folder / "forward", "training iteration": folder / "train"}
    for path in tasks.values():
        path.mkdir()
    speed_tasks.forward_task(tasks["forward"], METHODS["IDN"], SIDE, args)
    speed_tasks.train_task(tasks["training iteration"], 3, args)
    found, others = {}, {}
    for name, path in tasks.items():
        workers = {way: started(path, variables, args) for way, variables in WAYS.items()}
        try:
            before = cores_taken()
            times = {"idle": timed(workers, args.rounds)}
            others[name] = max(before, cores_taken())
            with busy():
                times["busy"] = timed(workers, args.rounds)
        finally:
            for worker in workers.values():
                worker.close()
        found[name] = {way: {state: times[state][way] for state in times} for way in WAYS}
    return found, others


def cores_taken(seconds=1):
    """Cores that all programs of this machine together take for so many seconds, in which this one sleeps."""
    before = _cpu_seconds()
    time.sleep(seconds)
    return (_cpu_seconds() - before) / seconds


def _cpu_seconds():
    # user, nice, system, idle, iowait, irq, softirq, steal: man 5 proc
    ticks = [int(number) for number in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def started(folder, variables, args):
    """A bench_speed.Worker whose OpenMP waits as `variables` (dict) say."""
    before = dict(os.environ)
    try:
        for name in CHOICES:
            os.environ.pop(name, None)
        os.environ.update(variables)
        return speed_tasks.Worker(ENGINE, folder, args)
    finally:
        os.environ.clear()
        os.environ.update(before)


def timed(workers, rounds):
    """Median seconds of each worker, which run in turn, each warm before it is timed."""
    seconds = {way: [] for way in workers}
    for _ in range(rounds):
        for way, worker in workers.items():
            worker.warm_up()
            seconds[way].append(worker.ask("run")["seconds"])
    return {way: statistics.median(values) for way, values in seconds.items()}


@contextmanager
def busy():
    """One process beside us that takes all it gets; not under `nice` where we may take that back."""
    command = [sys.executable, "-c", BUSY]
    if os.geteuid() == 0:
        command = ["nice", "-n", str(-NICE), *command]
    with subprocess.Popen(command) as other:
        try:
            yield
        finally:
            other.kill()


def page(report):
    """The report as Markdown."""
    where = f"{report['device']}, {report['threads']} threads under `nice`, {report['date']}"
    lines = ["# How long waiting threads look before they sleep", "", f"`{report['command']}`, {where}.", "",
             "Milliseconds, medians; busy: beside one process that takes all it gets.", ""]  # fmt: skip
    for name, ways in report["seconds"].items():
        others = report["others"][name]
        if others > QUIET:
            lines += [f"Not idle: around the idle rounds of `{name}` other programs took {others:.1f} cores.", ""]
        ours = ways[next(iter(WAYS))]
        body = [
            [way, *(f"{1000 * times[state]:,.1f}" for state in ("idle", "busy")),
             *(f"{times[state] / ours[state]:.2f}" for state in ("idle", "busy"))]
            for way, times in ways.items()
        ]  # fmt: skip
        head = [f"{name}: looks", "idle", "busy", "idle, of ours", "busy, of ours"]
        lines += [markdown.table(head, body, text_columns=1), ""]
    return "\n".join(lines)


def main(argv=None):
    """Measure, print, write; gives the exit status."""
    args = parser().parse_args(argv)
    os.nice(NICE)
    if args.out:
        outputs.folder(args.out)
    with tempfile.TemporaryDirectory() as folder:
        seconds, others = measure(args, Path(folder))
    report = {
        "command": provenance.command("tools/bench_waiting.py", sys.argv[1:] if argv is None else list(argv)),
        "date": provenance.now(),
        "device": provenance.processor(),
        "threads": args.threads,
        "others": others,
        "seconds": seconds,
    }
    text = page(report)
    print(text)
    if args.out:
        write_json(args.out / "waiting.json", report)
        write_text(args.out / "waiting.md", text)
    return 0


if __name__ == "__main__":
    cli.run(main)
