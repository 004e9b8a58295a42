#!/usr/bin/env python3
"""Enlarge photographs two, three or four times with IDN or any other method.

    tools/upscale.py photo.jpg -o large.png --scale 3
    tools/upscale.py photos/ more/*.png -o large --scale 2              # whole folders: large/NAME.png
    tools/upscale.py photo.jpg -o out --scale 4 --compare               # also NAME_compare.png: bicubic | IDN
    tools/upscale.py panorama.png -o large.png --scale 2 --memory 1G    # any size, in tiles
    tools/upscale.py photo.jpg -o out --scale 3 --method VDSR --engine onnxruntime
    tools/upscale.py photo.jpg -o out --scale 3 --weights runs/x3/idn/IDN_x3.caffemodel --gpu 0

Colour, gray, alpha, 8 and 16 bits, in PNG, JPEG, TIFF, WebP, BMP, GIF, PNM, JPEG 2000 and AVIF; EXIF orientation is
followed. Y goes through the net, Cb, Cr and alpha through MATLAB's bicubic; colours count by their alpha. Tiles change
nothing: they overlap by the net's receptive field. A PNG notes model and scale, so that the same command goes on where
it was stopped. Weights: WEIGHTS/ (`make fetch`), else those trained here (results/models/). Exit status 1: some inputs
were skipped, they are listed.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import argparse
import os
import re
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np
from tqdm import tqdm

from data_prep import files
from data_prep.errors import DataError
from matlab_compat.pictures.memory import available
from tools import cli, memory, models, output, photo, provenance
from tools.cli import UserError
from tools.methods import METHODS
from tools.tasks import tasks

ROOT = provenance.ROOT
MEMORY = "2G"
FILE = 64 << 20  # bytes of a file that are read in any case, to tell what memory would suffice
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    from tools import engines

    p = cli.Parser(__doc__)
    p.add_argument("inputs", nargs="+", type=Path, metavar="IN", help="picture, or folder of pictures")
    p.add_argument("-o", "--out", required=True, help="a file for one picture, else a folder (NAME/)")
    p.add_argument("--scale", type=int, required=True, choices=cli.SCALES)
    p.add_argument("--method", default="IDN", choices=list(METHODS), metavar="NAME", help=f"of {', '.join(METHODS)}")
    p.add_argument("--weights", type=Path, metavar="FILE", help="a .caffemodel or .mat of your own")
    p.add_argument(
        "--weights-dir",
        type=Path,
        metavar="WEIGHTS",
        default=Path(os.environ.get("WEIGHTS") or ROOT / "weights"),
        help="default: weights",
    )
    p.add_argument("--memory", type=_bytes, default=MEMORY, help=f"what the program may take (default: {MEMORY})")
    p.add_argument("--gpu", metavar="N", help="number of the GPU (default: the CPU)")
    p.add_argument("--engine", choices=list(engines.ENGINES), default="caffe", help="what runs the net")
    p.add_argument("--compare", action="store_true", help="also write bicubic | net side by side")
    p.add_argument("--force", action="store_true", help="write outputs anew that exist")
    return p


def _bytes(text):
    match = re.fullmatch(r"(\d{1,12}(?:\.\d{1,12})?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.I | re.A)
    if not match or not float(match[1]):
        raise argparse.ArgumentTypeError(f"got {text or 'nothing'}, expected a size such as 500M or 2G")
    return int(float(match[1]) * UNITS[match[2].upper()])


def weights(args, method):
    """Weight file (Path or None for a method without a net) for the command line; raises UserError."""
    from tools import weight_check  # here: --help must not need it

    if method.network is None:
        return None
    path = args.weights or models.find(args.weights_dir, method.name, args.scale)
    path = path or models.find_ours(method.name, args.scale)
    if path is None:
        raise UserError(f"{models.gap(method.name, args.scale)}, and none in results/models; or give --weights FILE")
    if not path.is_file():
        raise UserError(f"--weights {path}: no such file, expected weights of {method.name} at x{args.scale}")
    weight_check.check_weights(method, args.scale, path)
    return path


def notes(enlarger, path, device, engine):
    """The notes (dict of str) of a result, but for its source."""
    from data_prep.sources import file_sha256

    return {
        "Software": output.NAME,
        "Model": enlarger.method.name,
        "Scale": str(enlarger.scale),
        "Weights": f"{cli.printable(path.name)} SHA-256 {file_sha256(path)}" if path else "none",
        "Engine": f"{engine} on {device}" if path else "none",
    }


def upscale(task, enlarger, texts, args, bar):
    """Enlarge one picture unless its result exists.

    Returns
    -------
    result : str
        "written", "kept" or "done" (kept, and the very same).
    remarks : list of str
        What the result does not have of the picture.

    Raises
    ------
    UserError, DataError
        It cannot be read or written, or not in this memory.
    """
    from tools.enlarge import PROCESS  # here: --help must not need Caffe

    for path in task.outputs(args.compare):
        output.check_path(path)
    source = photo.Source(task.source, most=max(enlarger.memory - PROCESS, FILE))
    if task.target.exists() and not args.force:
        texts = {**texts, "Source": source.sha256}
        same = output.notes(task.target).items() >= texts.items() and (not args.compare or task.comparison.exists())
        return ("done" if same else "kept"), []
    _check(task, enlarger, source)
    picture = source.read(enlarger.memory)
    del source  # the file's bytes
    shape = enlarger.shape(picture.extent)
    found = enlarger.plan(picture.extent, output.whole_bytes(task.target, shape))
    bar.reset(total=enlarger.steps(picture.extent, found))
    bar.set_description(cli.printable(task.source.name))
    texts, whole = {**texts, "Source": picture.sha256}, (*shape, picture.channels)
    strips = enlarger.strips(picture, found, compare=args.compare, progress=bar.update)
    with closing(_rows(strips, task, whole, (picture, texts), args.compare)) as rows:
        output.write(task.target, rows, whole, picture, texts)
    return "written", _remarks(task, picture)


def _check(task, enlarger, source):
    """Refuse what the format or the memory has no room for, by the header of the picture."""
    extent = source.extent()
    shape = enlarger.shape(extent)
    output.check_format(task.target, extent, shape)
    enlarger.check(extent, source.reading_bytes(), output.whole_bytes(task.target, shape))


def _remarks(task, picture):
    remarks = [output.fitting_profile(task.target, picture)[1]]
    if picture.pages > 1:
        remarks.append(f"{task.source}: has {picture.pages} pages or frames; the first one was enlarged")
    return [remark for remark in remarks if remark]


def _rows(strips, task, shape, noted, compare):
    """Pass the result's rows on, and, to compare, write bicubic and result side by side on the way.

    The comparison is whole before the result is, so that a result that is there says that both are.
    """
    if not compare:
        yield from (rows for rows, _ in strips)
        return
    height, width, channels = shape
    with output.writer(task.comparison, (height, 2 * width, channels), *noted) as comparison:
        for rows, bicubic in strips:
            comparison.write(np.concatenate([bicubic, rows], axis=1))
            yield rows


class Report:
    """What became of the pictures, told as it happens and at the end.

    Parameters
    ----------
    several : bool
        More than one picture was asked for: the end tells how many became what.
    """

    def __init__(self, several):
        self.several, self.counts, self.skipped = several, Counter(), []

    def add(self, task, result, remarks=()):
        """A picture is written, kept, or was done before."""
        self.counts[result] += 1
        if result == "kept":
            self.skipped.append(f"{task.target}: exists and is kept; --force writes it anew")
        else:
            tqdm.write(f"{cli.printable(task.target)}{'' if result == 'written' else ': done before'}")
        for remark in remarks:
            self.say(remark)

    def skip(self, what):
        """A picture cannot be done."""
        self.counts["skipped"] += 1
        self.skipped.append(str(what))

    def say(self, line):
        """Tell something at once."""
        tqdm.write(f"upscale.py: {cli.printable(line)}", file=sys.stderr)

    def close(self):
        """Tell what was skipped, and the counts."""
        for line in self.skipped:
            print(f"upscale.py: skipped {cli.printable(line)}", file=sys.stderr)
        if self.several and self.counts:  # none where the disk was full at once
            print(", ".join(f"{count} {result}" for result, count in self.counts.items()))


def run(todo, enlarger, texts, args, own=()):
    """Do all tasks; gives the exit status.

    Parameters
    ----------
    todo, own
        From `tasks`.
    enlarger : tools.enlarge.Enlarger
    texts : dict of str to str
        From `notes`.
    args : argparse.Namespace
    """
    report = Report(len(todo) + len(own) > 1)
    for folder in {task.target.parent for task in todo}:
        files.sweep(folder)
    with tqdm(todo, unit="image", disable=None if report.several else True) as images, tqdm(
        total=1, unit="step", leave=False, disable=None
    ) as bar:
        try:
            for task in images:
                try:
                    report.add(task, *upscale(task, enlarger, texts, args, bar))
                except (DataError, UserError, MemoryError) as error:
                    if not (report.several or task.found) or not _concerns_one(error):
                        raise
                    report.skip(_no_memory(task, error) if isinstance(error, MemoryError) else error)
        finally:
            bar.close()
            images.close()
            report.close()
    for path in own:
        report.say(f"{path}: made by this tool, and in the output folder: left out")
    return 1 if report.skipped else 0


def _concerns_one(error):
    """Whether an error is one picture's alone, so that the next one is worth a try."""
    from tools.enlarge import TooLarge  # here: --help must not need Caffe

    if isinstance(error, output.NotWritten):
        return error.errno in output.OWN_FAULT
    return isinstance(error, (DataError, TooLarge, MemoryError))


def _no_memory(task, error):
    said = f" ({error})" if str(error) else ""
    return f"{task.source}: not enough memory{said}; free some, or cut it into pieces"


def allowed(asked):
    """What may be taken of what --memory asked for: no more than the machine has left.

    Returns
    -------
    bytes : int
    said : str
        What a refusal calls it.
    """
    left, taken = available(), memory.peak_mb()
    if left is not None and taken is not None and left + (taken << 20) < asked:
        least = left + (taken << 20)
        return least, f"{least >> 20}M, all that this machine has left"
    return asked, f"--memory {asked >> 20}M"


def main(argv=None):
    """Enlarge all inputs; gives the exit status."""
    args = parser().parse_args(argv)
    method = METHODS[args.method]
    todo, own = tasks(args.inputs, args.out, args.compare)

    from tools import caffe_runtime, engines  # not before: --help and simple mistakes must not wait for Caffe
    from tools.enlarge import Enlarger

    engines.check(args.engine, args.gpu)
    device = caffe_runtime.use_device(args.gpu)
    path = weights(args, method)
    limit, said = allowed(args.memory)
    enlarger = Enlarger(
        method, args.scale, path, engine=args.engine, gpu=device != "cpu", memory=limit, allowed=said
    )
    return run(todo, enlarger, notes(enlarger, path, device, args.engine), args, own)


if __name__ == "__main__":
    cli.run(main)
