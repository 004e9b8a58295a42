"""Measure a benchmark row by row, each in a process of its own, and go on where an earlier run ended.

Caffe ends its process when memory runs out, on a GPU above all. So a long benchmark is safe only when every row has
its own: a row that dies is a marked gap, the others go on. The report is written after each row; the same command
measures only what the report does not have yet.
"""

import re
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

from data_prep.images import read_image
from tools.benchmarking import measure, paper, reports, tables
from tools.common import parent
from tools.common.errors import UserError
from tools.common.paths import ROOT
from tools.methods import cost

SCRIPT = ROOT / "tools" / "benchmark.py"
# how a report must have been measured for rows to be added to it
SAME = ("device", "engine", "cpu_engine", "edge")


def run(jobs, meta, args, figures):
    """Measure what `args.out` has not yet, the cheapest row first.

    Parameters
    ----------
    jobs : list of measure.Job
    meta : dict
        Of the report; see tools/benchmark.py.
    args : argparse.Namespace
        The command line of tools/benchmark.py; its options are handed on to the processes.
    figures : tuple of str
        The scores that a row needs to be complete.

    Returns
    -------
    report : dict
        With all rows of `args.out`, which is written whenever there is a new one.
    failed : list of str
        "Set5 x3 DRCN: why" for every row that was tried in vain.

    Raises
    ------
    UserError
        The report in `args.out` was measured in another way.
    """
    earlier = _earlier(args.out, meta)
    todo = [job for job in jobs if not (earlier and _is_there(job, earlier, meta, args, figures))]
    if not todo:
        return earlier, []
    rows = [_gap(job) for job in todo if job.gap]
    failed, to_measure = [], sorted((job for job in todo if not job.gap), key=_cost)
    report = _write(meta, rows, earlier, args.out)
    for number, job in enumerate(to_measure, 1):
        rows.append(_measure(job, args))
        if rows[-1]["gap"]:
            failed.append(f"{_name(job)}: {rows[-1]['gap']}")
        report = _write(meta, rows, earlier, args.out)
        print(f"[{number}/{len(to_measure)}] {_name(job)}: {_said(rows[-1])}", file=sys.stderr, flush=True)
    return report, failed


def _key(job):
    return job.dataset, job.scale, job.method.name


def _name(job):
    return f"{job.dataset} x{job.scale} {job.method.name}"


def _earlier(folder, meta):
    """The report in `folder` (Path), None where there is none; refuses one that does not go with `meta`."""
    path = folder / "benchmark.json"
    if not path.exists():
        return None
    report = reports.read_report(path)
    for name in SAME:
        found, expected = report["meta"].get(name), meta.get(name)
        if found is not None and found != expected:
            raise UserError(
                f"{path}: was measured with {name} {found}, this run has {expected}; choose another folder with --out"
            )
    return report


def _is_there(job, earlier, meta, args, figures):
    """Whether the report `earlier` has all that this job would give."""
    row = next((row for row in earlier["rows"] if reports.key(row) == _key(job)), None)
    if row is None or job.gap:
        return row is not None  # where nothing can be measured now, what is there stays
    if row["gap"] or _files(job, earlier["meta"]) != _files(job, meta):
        return False
    timed = 4 in args.tables and job.method.network is not None
    return (
        (row["seconds"] is not None or not timed)
        and (job.random or all(_scored(row, name) for name in figures))
        and row["repeats"] >= args.repeats * timed
        and row.get("protocol") == job.protocol.name
        and row.get("tile") == (job.tile and list(job.tile))
        and row.get("random_weights") == job.random
    )


def _scored(row, figure):
    """Whether a figure has been computed; what came out may be infinite, or nothing where the image is too small."""
    return bool(row["per_image"]) and all(figure in one for one in row["per_image"])


def _files(job, meta):
    """Hashes of a row's images and weights, as the meta of a report has them."""
    return meta["image_sets"].get(job.dataset), meta["weights"].get(f"{job.method.name} x{job.scale}")


def _cost(job):
    """Multiply-accumulates of a row."""
    if job.method.network is None:
        return 0
    return _per_pixel(job.method.name, job.scale) * sum(_pixels(path) for path in job.paths)


@cache
def _per_pixel(method, scale):
    return cost.rows([method], [scale], (1000, 1000))[0]["gmac"] / 1e6


@cache
def _pixels(path):
    height, width = read_image(path).shape[:2]
    return height * width


def _gap(job):
    return paper.compare({**measure.row(job, []), "peak_memory_mb": None})


def _write(meta, rows, earlier, folder):
    report = {"meta": meta, "rows": sorted(rows, key=reports.place)}
    report = reports.updated(report, earlier) if earlier else report
    reports.write_report(report, folder)
    return report


def _said(row):
    if row["gap"]:
        return row["gap"]
    seconds = "seconds" if row["seconds_median"] is None else "seconds_median"
    figures = [(seconds, "{:.4f} s"), ("psnr", "{:.2f} dB"), ("peak_memory_mb", "{:,.0f} MB")]
    values = [(tables.value(row, name), text) for name, text in figures if name in row]
    return ", ".join(text.format(value) for value, text in values if value is not None)


def _measure(job, args):
    """The row (dict) of a job, measured in a process of its own; a gap when that does not end well."""
    with tempfile.TemporaryDirectory() as folder:
        pipes = {"capture_output": True, "text": True, "errors": "replace"}
        done = subprocess.run(_command(job, args, folder), env=parent.environment(), **pipes)
        if done.returncode == 0:
            return reports.read_report(Path(folder) / "benchmark.json")["rows"][0]
    why = reason(done.returncode, done.stderr)
    advice = "; smaller tiles (--tile) need less memory" if job.tile and re.search("memory|alloc", why, re.I) else ""
    return _gap(replace(job, gap=f"measuring it failed: {why}{advice}"))


def _command(job, args, folder):
    """The command line that measures one row into `folder`."""
    images = job.paths[0].parent.resolve()  # not job.dataset, which is the name as it is shown
    handed_on = {
        "datasets": images.name, "scales": job.scale, "methods": job.method.name, "data-dir": images.parent,
        "weights-dir": args.weights_dir, "weights": args.weights, "gpu": args.gpu, "engine": args.engine,
        "edge": args.edge, "protocol": args.protocol, "tile": args.tile, "repeats": args.repeats, "out": folder,
    }  # fmt: skip
    command = [sys.executable, str(SCRIPT), "--tables", *map(str, args.tables)]
    for name, value in handed_on.items():
        # with "=", since a value may begin with a dash
        command += [] if value is None else [f"--{name}={value}"]
    return command + ["--random-weights"] * args.random_weights


def reason(status, stderr):
    """Why a process ended: one line (str) without folder names.

    Parameters
    ----------
    status : int
        Of subprocess: an exit status, or a signal's number below zero.
    stderr : str
        All that it wrote there.
    """
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    fatal = [line.split("] ", 1)[1] for line in lines if re.match(r"F\d{4,8} .*\] ", line)]  # glog's last words
    if fatal:
        said = f"Caffe ended with: {fatal[0]}"
    elif status == -signal.SIGKILL:
        said = "it was killed, most often because memory ran out"
    elif status < 0:
        said = f"it was ended by {signal.Signals(-status).name}"
    else:
        said = lines[-1].removeprefix(f"{SCRIPT.name}: ") if lines else f"exit status {status}"
    return re.sub(r"(?<![\w.])(?:/[^\s/:;,]+)+/", "", " ".join(said.split()))
