"""Run a job of a benchmark in this process; what it ran on, for the report."""

import os

from data_prep import digests, files, images
from tools.benchmarking import measure, paper, row_means, saved_pictures, spent
from tools.common import memory, provenance
from tools.gpu import smi
from tools.methods import evaluation
from tools.nets import engines, runtime


def run_job(job, options, material, progress=None):
    """Measure one job (Job without a gap); gives its row (dict), compared with the paper's figures.

    Parameters
    ----------
    job : Job
    options : Options
    material : Material
    progress : progress.Silent, optional
        Told of each image.
    """
    separate = memory.reset_peak()
    seconds = spent.Spent()
    scores = measure.scores(job, options, material, progress, seconds)
    row = row_means.row(job, scores, options.repeats, bool(saved_pictures.paths(job, options)))
    row["spent"] = seconds.seconds()
    row["peak_memory_mb"] = _peak_mb(options.gpu, separate) if job.method.network else None
    return paper.compare(row)


def _peak_mb(gpu, separate):
    if gpu:
        return gpu.held_mb
    # the scores need little beside a net; where the system has no separate peaks, none is given
    return memory.peak_mb() if separate else None


def surroundings(args, argv):
    """What the measurement runs on and in (dict); chooses the device, raises GpuError when it is not there."""
    runtime.use_device(args.gpu)
    device = provenance.device_name(args.gpu) + ("" if args.gpu.on_gpu else f", {measure.cores()} cores")
    versions = {**provenance.versions(), "caffe": provenance.caffe_version(), **_engine_version(args.engine)}
    if args.gpu.on_gpu:
        versions["NVIDIA driver"] = smi.driver(args.gpu.number)
    return {
        "date": provenance.now(),
        "command": provenance.command("tools/benchmark.py", argv),
        "device": device,
        # other work on the machine makes every second of Table 4 longer: say how much there was
        "load_average": round(os.getloadavg()[0], 2),
        "versions": versions,
    }


def _engine_version(engine):
    found = engines.version(engine)
    return {engine: found} if found else {}


def settings(args, jobs):
    """How and on which files was measured (dict); no folder name of this machine is in it."""
    sets = {job.dataset: job.images for job in jobs if job.images}
    used = {f"{job.method.name} x{job.scale}": job.weights for job in jobs if job.weights}
    return {
        "tables": args.tables,
        "edge": args.edge,
        "protocol": args.protocol,
        "engine": args.engine,
        "cpu_engine": engines.cpu_engine(args.engine, args.gpu),
        "clock": measure.CLOCK,
        "timed": measure.TIMED["gpu" if args.gpu.on_gpu else "cpu"],
        "memory": memory.MEANING["gpu" if args.gpu.on_gpu else "cpu"],
        "repeats": args.repeats,
        "image_sets": {
            name: {
                "images": len(found),
                "expected": paper.images(name),
                "sha256": images.set_sha256((i.path.name, i.sha256) for i in found),
            }
            for name, found in sets.items()
        },
        "weights": {
            name: {"file": files.shown(path.name), "sha256": digests.file_sha256(path)} for name, path in used.items()
        },
    }


def metrics(table_numbers):
    """The metrics that the tables print; PSNR in any case, it costs nothing."""
    asked = {figure for number in table_numbers for figure in paper.TABLES[number]}
    return tuple(name for name in evaluation.METRICS if name in asked or name == "psnr")
