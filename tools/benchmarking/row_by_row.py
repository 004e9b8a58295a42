"""Measure a benchmark row by row; the report is written after each, so that a stop loses one row at most.

Rows with times have a process each: nothing that ran before or waits in memory is in their figures. It also makes a
long benchmark safe, because Caffe ends its process when memory runs out, on a GPU above all: a row that dies is a
marked gap, the others go on.
"""

import json
import pickle
import re
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import replace
from functools import cache
from itertools import groupby

from tools.benchmarking import keeping, material, plan, row_worker, tables
from tools.benchmarking.progress import Progress
from tools.benchmarking.run import run_job
from tools.common import memory, parent
from tools.methods import cost
from tools.nets import last_words

WORKER = "tools.benchmarking.row_worker"


def run(kept, options, device, held, apart=False):
    """Measure what a report has not yet, and say what is measured again; it is written after every row.

    Rows without times are measured in this process, set by set, and share what `held` has of images and nets. Rows
    with times come after them, the cheapest first, each in a process of its own.

    Parameters
    ----------
    kept : keeping.Kept
        The report, and what is to be measured.
    options : Options
        How to measure.
    device : tools.gpu.device.Device
        Where to measure.
    held : material.Material
    apart : bool
        Measure every row in a process of its own.

    Returns
    -------
    failed : list of str
        "Set5 x3 DRCN: why" for every row whose process ended without it.

    Raises
    ------
    UserError
        Weights do not fit, or a row in this process cannot be measured.
    """
    alone = [job for job in kept.todo if apart or _timed(job, options)]
    together = [job for job in kept.todo if job not in alone]
    plan.check_nets(together, held)
    if alone:
        plan.check_nets(alone, material.Material(nets=0))
    for line in kept.reasons():  # not before: weights that do not fit end with one line
        print(line, file=sys.stderr, flush=True)
    failed = []
    with Progress(len(kept.todo)) as progress:
        for _, of_a_set in groupby(together, lambda job: job.dataset):
            for job in of_a_set:
                progress.begin(str(job), len(job.images))
                row = run_job(job, options, held, progress)
                peak = memory.peak_mb() or 0  # since the row began, or the program
                kept.meta["peak_memory_mb"] = max(peak, kept.meta.get("peak_memory_mb", 0))
                kept.add(row)
                progress.end(_said(row))
            held.forget(job.images)
        for job in sorted(alone, key=_cost):
            progress.begin(str(job), len(job.images))
            row = _measure(job, options, device, kept.folder, progress)
            kept.add(row)
            progress.end(_said(row))
            if row["gap"]:
                failed.append(f"{job}: {row['gap']}")
    return failed


def _timed(job, options):
    return options.timed and job.method.network is not None


def _cost(job):
    """Multiply-accumulates of a row."""
    if job.method.network is None:
        return 0
    return _per_pixel(job.method.name, job.scale) * sum(info.height * info.width for info in job.images)


@cache
def _per_pixel(method, scale):
    return cost.rows([method], [scale], (1000, 1000))[0]["gmac"] / 1e6


def _said(row):
    if row["gap"]:
        return row["gap"]
    seconds = "seconds" if row["seconds_median"] is None else "seconds_median"
    figures = [(seconds, "{:.4f} s"), ("psnr", "{:.2f} dB"), ("peak_memory_mb", "{:,.0f} MB")]
    values = [(tables.value(row, name), text) for name, text in figures if name in row]
    return ", ".join(text.format(value) for value, text in values if value is not None)


def _measure(job, options, device, folder, progress):
    """The row (dict) of a job, measured in a process of its own; a gap when that does not end well."""
    command = parent.command(WORKER, folder, job)  # the arguments are for whoever looks at the list of processes
    status, answer, stderr = _talk(command, pickle.dumps((job, replace(options, gpu=None), device)), progress)
    if status == 0:
        return json.loads(answer)
    why, lacked = reason(status, stderr), last_words.lacked_memory(status, stderr)
    advice = "; smaller tiles (--tile) need less memory" if job.tile and lacked else ""
    return keeping.gap(replace(job, gap=f"measuring it failed: {why}{advice}"))


def _talk(command, work, progress):
    """Run a row's process with `work` (bytes) as its input; gives exit status, answer and standard error."""
    answer, told = "", {row_worker.IMAGE: progress.image, row_worker.SCORE: progress.score}
    with tempfile.TemporaryFile() as errors, subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=parent.environment()
    ) as process:
        try:
            # where it has ended already, its last words say why
            with suppress(BrokenPipeError), process.stdin:
                process.stdin.write(work)
            for line in map(bytes.decode, process.stdout):
                told.get(line, lambda: None)()
                answer = line
            status = process.wait()
        except BaseException:
            process.kill()  # as subprocess.run does, so that nothing goes on after Ctrl-C
            raise
        errors.seek(0)
        return status, answer, errors.read().decode("utf-8", "replace")


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
