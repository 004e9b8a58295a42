"""Run the test protocol over an image set: with the clock forwards one by one, else as many images at once as cores.

Where the clock is read, all forwards come first, on their own: scoring (IFC above all) on the other cores at the same
time would slow them down. Without the clock an image is made ready, run, scored and dropped by one thread, beside those
of the other cores, so that a hundred large images need no more memory than these few. Where the net cannot run several
times at once (on a GPU, in other engines, by Caffe's stock layers) a few images are made ready, then run one after the
other, then scored.
"""

import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

import matlab_compat as matlab
from data_prep import files
from tools.benchmarking import saved_pictures
from tools.benchmarking.jobs import Result
from tools.benchmarking.progress import Silent
from tools.benchmarking.spent import Spent
from tools.common.errors import UserError
from tools.methods import evaluation
from tools.nets import bounded, deploying, engines, runtime, tiles

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
# images that are made ready or scored at the same time: each takes 200 MB a megapixel (measured)
MOST_THREADS = 8


def scores(job, options, material, progress=None, spent=None):
    """The scores of all images of a job (list of dict, see `score`), with their times when `options.timed`.

    Parameters
    ----------
    progress : Silent, optional
        Told of each image.
    spent : Spent, optional
        Counts where the time goes.
    """
    progress, spent = progress or Silent(), spent or Spent()
    if options.timed:
        results = infer(job, options, material, progress.image, spent)
        return score(job, results, options, material, progress.score, spent)
    net = _net(job, options, material)
    way = _at_once if net is None or isinstance(net, deploying.Several) else _in_turn
    found = way(net, job, options, material, progress, spent)
    if options.gpu:
        options.gpu.read()
    return found


def _at_once(net, job, options, material, progress, spent):
    """The scores of all images, each by one thread from its file to its scores; see `scores`."""
    found, paths = [], saved_pictures.swept(job, options)

    def whole(info):
        prepared = _prepare(info, job, options, material, spent)
        output = _output(net, job, prepared[1], spent)
        result = _result(info, *prepared, output, job, options, spent)
        return _score_one(result, job, options, material, paths, spent)

    with _threads() as pool:
        for one in pool.map(whole, job.images):
            found.append(one)
            progress.image()
            progress.score()
    return found


def _in_turn(net, job, options, material, progress, spent):
    """The scores of all images, their forwards one after the other; see `scores`."""
    found, paths = [], saved_pictures.swept(job, options)
    with _threads() as pool:
        for some in _few(job.images, 2 * threads()):
            ready = list(pool.map(lambda info: _prepare(info, job, options, material, spent), some))
            outputs = [_output(net, job, sample, spent, progress.image) for _, sample in ready]

            def scored(info, prepared, output):
                result = _result(info, *prepared, output, job, options, spent)
                return _score_one(result, job, options, material, paths, spent)

            for one in pool.map(scored, some, ready, outputs):
                found.append(one)
                progress.score()
            del ready, outputs  # before the next ones are made
    return found


def _few(images, number):
    """The images in lists of at most `number`."""
    return [images[first : first + number] for first in range(0, len(images), number)]


def infer(job, options, material, progress=lambda: None, spent=None):
    """The results of `job` (Job) for all its images, one forward after the other with nothing beside them.

    Parameters
    ----------
    job : Job
        Without a gap.
    options : Options
    material : Material
        Where images and net come from.
    progress : callable
        Called after each image.
    spent : Spent, optional

    Returns
    -------
    list of Result

    Notes
    -----
    The net is a new one for each job and reshaped for each image. So the first image pays for Caffe's
    first allocation, as it did for the paper's Table 4. On a GPU `options.gpu` is read at the end.
    """
    net, results, spent = _net(job, options, material), [], spent or Spent()
    for info in job.images:
        img, sample = _prepare(info, job, options, material, spent)
        with spent.on("forward"):
            output, *times = _timed_forward(net, job, sample, options.repeats)
        times = times if options.timed else (None, None)
        results.append(_result(info, img, sample, output, job, options, spent, times))
        progress()
    if options.gpu:
        options.gpu.read()
    return results


def _net(job, options, material):
    """The net of a job, None for a method without one; what is not timed takes whole images in bounded memory."""
    if not job.method.network:
        return None
    net = material.net(job.method, job.scale, job.weights, options.engine)
    if options.gpu:
        # CUDA loads every kernel when it is first used, which takes longer than a whole image
        tiles.forward(net, np.zeros((WAKE_SIDE, WAKE_SIDE), np.float32), job.method.blob, job.tile)
    elif options.engine == "caffe" and not runtime.on_gpu():
        net = _lean_net(net, job, options)
    return net


def _lean_net(net, job, options):
    """A net (caffe.Net) on the CPU, its blobs in shared memory; what is not timed runs on several images at once."""
    message, blob = job.method.build(job.scale), job.method.blob
    if options.timed:
        return deploying.share_memory(net, blob)
    number = deploying.at_once(min(engines.threads(), threads(), len(job.images)))
    nets = deploying.copies(net, message, blob, number)
    if not job.tile:
        nets = [bounded.Bounded(one, message, blob, bounded.MOST // number) for one in nets]
    return deploying.Several(nets) if number > 1 else nets[0]


def _prepare(info, job, options, material, spent):
    """The pixels of an image (ImageInfo) and the evaluation.Sample of them."""
    with spent.on("decode"):
        img = material.image(info)
    with spent.on("prepare"):
        return img, job.protocol.prepare(img, job.scale, options.edge, info.path.name)


def _output(net, job, sample, spent, progress=lambda: None):
    """What the net gives (ndarray) for a sample, None without a net."""
    output = None
    if net is not None:
        with spent.on("forward"):
            output = tiles.forward(net, job.method.take(sample), job.method.blob, job.tile)
    progress()
    return output


def _result(info, img, sample, output, job, options, spent, times=(None, None)):
    """The Result of an image; raises UserError when the net's output has values that are not finite."""
    with spent.on("finish"):
        y = sample.base if job.random else job.method.finish(output, sample)
        if not np.isfinite(y).all():
            name = info.path.name
            raise UserError(
                f"{job.weights}: gives values that are not finite for {name}; these weights have diverged"
            )
        reference, result = job.protocol.pair(img, sample, y, options.edge)
        return Result(info, reference, result, matlab.im2uint8(y), *times)


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


def score(job, results, options, material, progress=lambda: None, spent=None):
    """Scores of the results, and their pictures when `options.pictures` is a folder.

    Parameters
    ----------
    results : list of Result
        What `infer` returned.
    material : Material
        Where the colours of the pictures come from.
    progress : callable
        Called after each image.
    spent : Spent, optional

    Returns
    -------
    list of dict
        One for each image: image (file name), the metrics, seconds, seconds_median, perhaps note.
    """
    found, paths, spent = [], saved_pictures.swept(job, options), spent or Spent()
    with _threads() as pool:
        for one in pool.map(lambda result: _score_one(result, job, options, material, paths, spent), results):
            found.append(one)
            progress()
    return found


@contextmanager
def _threads():
    """A pool of threads: the work is in numpy, scipy and OpenCV, which let go of Python's lock."""
    pool = ThreadPoolExecutor(threads())
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C nobody waits for the rest


def threads():
    """Number of images that are worked on at the same time."""
    return min(cores(), MOST_THREADS)


def _score_one(result, job, options, material, paths, spent):
    scores, info = {}, result.image
    if not job.random:
        for name in options.metrics:
            with spent.on(name):
                scores.update(job.protocol.score(result.reference, result.result, job.scale, (name,)))
        if paths:
            with spent.on("picture"):
                picture = evaluation.colour(material.image(info), result.sr, job.scale, edge=options.edge)
                saved_pictures.save(picture, paths[info.path])
    return {
        "image": files.shown(info.path.name),
        **scores,
        "seconds": result.seconds,
        "seconds_median": result.seconds_median,
    }


def cores():
    """Number of CPU cores this process may use."""
    return len(os.sched_getaffinity(0))
