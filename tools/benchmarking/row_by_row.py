"""Measure a benchmark row by row, each in a process of its own, and go on where an earlier run ended.

Caffe ends its process when memory runs out, on a GPU above all. So a long benchmark is safe only when every row has
its own: a row that dies is a marked gap, the others go on. The report is written after each row; the same command
measures only what the report does not have yet.
"""

import json
import pickle
import re
import signal
import subprocess
import sys
from dataclasses import replace
from functools import cache

from tools.benchmarking import material, measure, paper, plan, reports, tables
from tools.common import parent
from tools.common.errors import UserError
from tools.methods import cost
from tools.nets import last_words

WORKER = "tools.benchmarking.row_worker"
# how a report must have been measured for rows to be added to it
SAME = ("device", "engine", "cpu_engine", "edge")


def run(jobs, meta, options, device, folder):
    """Measure what the report in `folder` has not yet, the cheapest row first.

    Parameters
    ----------
    jobs : list of measure.Job
        Inspected.
    meta : dict
        Of the report; see tools/benchmark.py.
    options : measure.Options
        How to measure; what a row needs to be complete follows from it and from meta["tables"].
    device : tools.gpu.device.Device
        Where to measure.
    folder : Path
        Of the report.

    Returns
    -------
    report : dict
        With all rows of `folder`, which is written whenever there is a new one.
    failed : list of str
        "Set5 x3 DRCN: why" for every row that was tried in vain.

    Raises
    ------
    UserError
        The report in `folder` was measured in another way, or weights do not fit.
    """
    earlier = _earlier(folder, meta)
    todo = [job for job in jobs if not (earlier and _is_there(job, earlier, meta, options))]
    if not todo:
        return earlier, []
    rows = [_gap(job) for job in todo if job.gap]
    failed, to_measure = [], sorted((job for job in todo if not job.gap), key=_cost)
    plan.check_nets(to_measure, material.Material(nets=0))
    report = _write(meta, rows, earlier, folder)
    for number, job in enumerate(to_measure, 1):
        rows.append(_measure(job, options, device, folder))
        if rows[-1]["gap"]:
            failed.append(f"{job}: {rows[-1]['gap']}")
        report = _write(meta, rows, earlier, folder)
        print(f"[{number}/{len(to_measure)}] {job}: {_said(rows[-1])}", file=sys.stderr, flush=True)
    return report, failed


def _key(job):
    return job.dataset, job.scale, job.method.name


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


def _is_there(job, earlier, meta, options):
    """Whether the report `earlier` has all that this job would give."""
    row = next((row for row in earlier["rows"] if reports.key(row) == _key(job)), None)
    if row is None or job.gap:
        return row is not None  # where nothing can be measured now, what is there stays
    if row["gap"] or _files(job, earlier["meta"]) != _files(job, meta):
        return False
    timed = 4 in meta["tables"] and job.method.network is not None
    return (
        (row["seconds"] is not None or not timed)
        and (job.random or all(_scored(row, name) for name in options.metrics))
        and row["repeats"] >= options.repeats * timed
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
    return _per_pixel(job.method.name, job.scale) * sum(info.height * info.width for info in job.images)


@cache
def _per_pixel(method, scale):
    return cost.rows([method], [scale], (1000, 1000))[0]["gmac"] / 1e6


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


def _measure(job, options, device, folder):
    """The row (dict) of a job, measured in a process of its own; a gap when that does not end well."""
    command = parent.command(WORKER, folder, job)  # the arguments are for whoever looks at the list of processes
    work = pickle.dumps((job, options, device))
    done = subprocess.run(command, input=work, env=parent.environment(), capture_output=True)
    if done.returncode == 0:
        return json.loads(done.stdout)
    stderr = done.stderr.decode("utf-8", "replace")
    why, lacked = reason(done.returncode, stderr), last_words.lacked_memory(done.returncode, stderr)
    advice = "; smaller tiles (--tile) need less memory" if job.tile and lacked else ""
    return _gap(replace(job, gap=f"measuring it failed: {why}{advice}"))


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
    fatal = last_words.fatal(stderr)
    if fatal:
        said = f"Caffe ended with: {fatal}"
    elif status == -signal.SIGKILL:
        said = "it was killed, most often because memory ran out"
    elif status < 0:
        said = f"it was ended by {signal.Signals(-status).name}"
    else:
        said = lines[-1].removeprefix(f"{WORKER.rpartition('.')[2]}.py: ") if lines else f"exit status {status}"
    return re.sub(r"(?<![\w.])(?:/[^\s/:;,]+)+/", "", " ".join(said.split()))
