"""Run the test protocol over an image set: first all forwards, on their own, then all scores, in parallel.

The two passes are kept apart because the clock is read in the first one: scoring (IFC above all) on the
other cores at the same time would slow the forwards down.
"""

import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import cv2
import numpy as np

import matlab_compat as matlab
from data_prep import files
from data_prep.images import ImageInfo
from tools.common import outputs
from tools.common.errors import UserError
from tools.common.memory import GpuMemory
from tools.methods import evaluation
from tools.methods.protocols import PROTOCOLS, Protocol
from tools.methods.registry import Method
from tools.nets import tiles

CLOCK = (
    "seconds: mean over the images of one forward each without warm-up, copies in and out included, the bicubic "
    "base excluded, as the paper's Table 4; seconds_median: mean over the images of the median of "
    "`repeats` further forwards of the same image"
)

# what lies between two readings of the clock
TIMED = {
    "cpu": "reshape of the net, copy of one image in, forward, copy of the result out",
    "gpu": (
        "reshape of the net, copy of one image to the GPU, forward, copy of the result back to the host, which waits "
        "until every kernel is done; CUDA's start is not in it: a forward of a few pixels comes before"
    ),
}
# side of the image of that forward
WAKE_SIDE = 32


@dataclass(frozen=True)
class Job:
    """One row to be: a method on an image set at a scale.

    Attributes
    ----------
    dataset : str
    scale : int
    method : Method
    paths : list of Path
        The images; empty when there are none.
    weights : Path or None
        The method's .caffemodel or .mat; None for random weights.
    gap : str or None
        Why this row cannot be measured here.
    protocol : Protocol
        How to test.
    tile : (int, int) or None
        Side and overlap of the tiles, for a net that takes the enlarged image.
    images : tuple of ImageInfo
        What plan.inspected found of `paths`; what is not inspected is not measured.
    """

    dataset: str
    scale: int
    method: Method
    paths: list
    weights: Optional[Path] = None
    gap: Optional[str] = None
    protocol: Protocol = PROTOCOLS["idn"]
    tile: Optional[tuple] = None
    images: tuple = ()

    def __str__(self):
        """Its name for the user, "Set5 x3 IDN"."""
        return f"{self.dataset} x{self.scale} {self.method.name}"

    @property
    def random(self):
        """Whether the net runs with random weights, for its time only."""
        return self.method.network is not None and self.weights is None and self.gap is None


@dataclass(frozen=True)
class Options:
    """How to measure: see the options of tools/benchmark.py of the same names; `gpu` is None on the CPU."""

    edge: str = "replicate"
    metrics: tuple = evaluation.METRICS
    repeats: int = 0
    pictures: Optional[Path] = None
    engine: str = "caffe"
    gpu: Optional[GpuMemory] = None


@dataclass(frozen=True)
class Result:
    """One image after the first pass.

    Attributes
    ----------
    image : ImageInfo
    reference, result : ndarray, (m H, m W)
        What the protocol compares.
    sr : ndarray, (m H, m W), uint8
        The result's Y, for pictures.
    seconds, seconds_median : float or None
        The clock's readings.
    """

    image: ImageInfo
    reference: np.ndarray
    result: np.ndarray
    sr: np.ndarray
    seconds: Optional[float]
    seconds_median: Optional[float]


def infer(job, options, material, progress=lambda: None):
    """First pass: the results of `job` (Job) for all its images.

    Parameters
    ----------
    job : Job
        Without a gap.
    options : Options
    material : Material
        Where images and net come from.
    progress : callable
        Called after each image.

    Returns
    -------
    list of Result

    Notes
    -----
    The net is a new one for each job and reshaped for each image. So the first image pays for Caffe's
    first allocation, as it did for the paper's Table 4. On a GPU `options.gpu` is read at the end.
    """
    net = material.net(job.method, job.scale, job.weights, options.engine) if job.method.network else None
    if net is not None and options.gpu:
        # CUDA loads every kernel when it is first used, which takes longer than a whole image
        tiles.forward(net, np.zeros((WAKE_SIDE, WAKE_SIDE), np.float32), job.method.blob, job.tile)
    results = []
    for info in job.images:
        img, name = material.image(info), info.path.name
        sample = job.protocol.prepare(img, job.scale, options.edge, name)
        output, first, median = _timed_forward(net, job, sample, options.repeats)
        y = sample.base if job.random else job.method.finish(output, sample)
        if not np.isfinite(y).all():
            raise UserError(f"{job.weights}: gives values that are not finite for {name}; these weights have diverged")
        reference, result = job.protocol.pair(img, sample, y, options.edge)
        results.append(Result(info, reference, result, matlab.im2uint8(y), first, median))
        progress()
    if options.gpu:
        options.gpu.read()
    return results


def _timed_forward(net, job, sample, repeats):
    """Output of the first forward, its seconds, and the median seconds of `repeats` more (None for 0)."""
    if net is None:
        return None, None, None
    image = job.method.take(sample)
    output, first = _clock(net, image, job)
    again = [_clock(net, image, job)[1] for _ in range(repeats)]
    return output, first, statistics.median(again) if again else None


def _clock(net, image, job):
    """Output and seconds of one forward, see TIMED: on a GPU the copy of the output waits for it."""
    start = time.perf_counter()
    output = tiles.forward(net, image, job.method.blob, job.tile)
    return output, time.perf_counter() - start


def score(job, results, options, material, progress=lambda: None):
    """Second pass: scores of the results, and their pictures when `options.pictures` is a folder.

    Parameters
    ----------
    results : list of Result
        What `infer` returned.
    material : Material
        Where the colours of the pictures come from.

    Returns
    -------
    list of dict
        One an image: image (file name), the metrics, seconds, seconds_median, perhaps note.
    """
    folder = options.pictures and options.pictures / f"{job.dataset}_x{job.scale}" / job.method.name
    pictures = {} if folder is None or job.random else _pictures(job, folder)
    scores = []
    # threads: the work is in numpy, scipy and OpenCV, which let go of Python's lock
    pool = ThreadPoolExecutor(cores())
    try:
        for done in pool.map(lambda one: _score_one(one, job, options, material, pictures), results):
            scores.append(done)
            progress()
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C nobody waits for the rest
    return scores


def _pictures(job, folder):
    """Where the picture of each image goes (dict of Path to Path); what a killed run left in `folder` goes."""
    files.sweep(folder)
    return {path: folder / name for path, name in outputs.names([info.path for info in job.images], ".png").items()}


def _score_one(result, job, options, material, pictures):
    scores, info = {}, result.image
    if not job.random:
        scores = job.protocol.score(result.reference, result.result, job.scale, options.metrics)
        if pictures:
            picture = evaluation.colour(material.image(info), result.sr, job.scale, edge=options.edge)
            save_picture(picture, pictures[info.path])
    return {
        "image": files.shown(info.path.name),
        **scores,
        "seconds": result.seconds,
        "seconds_median": result.seconds_median,
    }


def save_picture(picture, path):
    """Write a picture (ndarray, (H, W, 3) RGB or (H, W), uint8) to `path`, a PNG."""
    pixels = picture if picture.ndim == 2 else picture[..., ::-1]
    encoded = cv2.imencode(".png", np.ascontiguousarray(pixels))[1]
    with files.atomic_path(path) as temporary:
        temporary.write_bytes(encoded.tobytes())


def row(job, scores, repeats=0):
    """The benchmark row of a job: means over its images.

    Parameters
    ----------
    job : Job
    scores : list of dict
        What `score` returned; empty for a gap.
    repeats : int
        Forwards behind each seconds_median.

    Returns
    -------
    dict
        dataset, scale, method, images, psnr (dB), ssim, ifc, seconds, seconds_median (None where not measured),
        repeats, gap (None or the reason), protocol, tile (side and overlap or None), random_weights, infinite (names
        of means that are infinite; JSON has no infinity, so that they are None), notes (list of str), per_image.
    """
    notes = ["random weights: for the time only"] if job.random and scores else []
    scores, about_the_mean = _without_infinity(scores)
    notes += [f"{one['image']}: {one['note']}" for one in scores if "note" in one] + about_the_mean
    means = {name: _mean(scores, name) for name in (*evaluation.METRICS, "seconds", "seconds_median")}
    return {
        "dataset": job.dataset,
        "scale": job.scale,
        "method": job.method.name,
        "images": len(scores),
        **means,
        "repeats": repeats if means["seconds_median"] is not None else 0,
        "gap": job.gap,
        "protocol": job.protocol.name,
        "tile": job.tile and list(job.tile),
        "random_weights": job.random,
        "infinite": ["psnr"] * bool(about_the_mean),
        "notes": notes,
        "per_image": scores,
    }


def _without_infinity(scores):
    """The scores with None and a note for every infinite PSNR, and what is to be said about the mean (list of str)."""
    finite = [one["psnr"] for one in scores if one.get("psnr") not in (None, np.inf)]
    equal = sum(one.get("psnr") == np.inf for one in scores)
    if not equal:
        return scores, []
    rest = f"over the other {len(finite)} it is {statistics.fmean(finite):.4f} dB" if finite else "there are no others"
    said = f"the mean PSNR is infinite, as {equal} of {len(scores)} images equal their ground truth; {rest}"
    return [_noted(one) if one.get("psnr") == np.inf else one for one in scores], [said]


def _noted(one):
    said = [one["note"]] if "note" in one else []
    return {**one, "psnr": None, "note": "; ".join([*said, "equals its ground truth, so that the PSNR is infinite"])}


def _mean(scores, name):
    """Mean over all images, or None when one of them has no value: a mean of the rest would mislead."""
    values = [one.get(name) for one in scores]
    return None if not values or None in values else statistics.fmean(values)


def cores():
    """Number of CPU cores this process may use."""
    return len(os.sched_getaffinity(0))
