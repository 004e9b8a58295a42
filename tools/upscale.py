#!/usr/bin/env python3
"""Enlarge photographs two, three or four times with IDN or any other method.

    tools/upscale.py photo.jpg -o large.png --scale 3
    tools/upscale.py photos/ more/*.png -o large --scale 2              # whole folders: large/NAME.png
    tools/upscale.py photo.jpg -o out --scale 4 --compare               # also NAME_compare.png: bicubic | IDN
    tools/upscale.py panorama.png -o large.png --scale 2 --memory 1G    # any size, in tiles
    tools/upscale.py photo.jpg -o out --scale 3 --method VDSR --engine onnxruntime
    tools/upscale.py photo.jpg -o out --scale 3 --weights runs/x3/idn/IDN_x3.caffemodel --gpu 0

Colour, gray, alpha, 8 and 16 bits, in every format that OpenCV reads; EXIF orientation is followed. Y goes through the
net, Cb, Cr and alpha through MATLAB's bicubic. Tiles change nothing: they overlap by the net's receptive field. A PNG
notes model and scale, so that the same command goes on where it was stopped. Weights: WEIGHTS/ (`make fetch`), else
those trained here (results/models/). Exit status 1: some inputs were skipped, they are listed.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import argparse
import os
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from data_prep.errors import DataError
from tools import cli, models, photo, provenance
from tools.cli import UserError
from tools.methods import METHODS

ROOT = provenance.ROOT
MEMORY = "2G"
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@dataclass(frozen=True)
class Task:
    """One picture to enlarge: where it is, where the result goes, whether it was found in a folder."""

    source: Path
    target: Path
    found: bool

    @property
    def comparison(self):
        """Where bicubic and result side by side go."""
        return self.target.with_name(f"{self.target.stem}_compare.png")


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    from tools import engines

    p = cli.Parser(__doc__)
    p.add_argument("inputs", nargs="+", type=Path, metavar="IN", help="picture, or folder of pictures")
    p.add_argument("-o", "--out", required=True, type=Path, help="a file for one picture, else a folder")
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
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.I)
    if not match or not float(match[1]):
        raise argparse.ArgumentTypeError(f"got {text}, expected a size such as 500M or 2G")
    return int(float(match[1]) * UNITS[match[2].upper()])


def tasks(inputs, out):
    """What is to be done, in order.

    Raises
    ------
    UserError
        An input is missing, a folder is empty, `out` is a file for many inputs, or two results would have one name.
    """
    found = []
    for path in inputs:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.is_file() and p.name[0] != ".")
            if not inside:
                raise UserError(f"{path}: has no files; expected a folder of pictures (folders in it are not entered)")
            found += [(p, True) for p in inside]
        elif path.exists():
            found.append((path, False))
        else:
            raise UserError(f"{path}: no such file or folder; expected a picture or a folder of pictures")
    if len(inputs) == 1 and not found[0][1] and out.suffix and not out.is_dir():
        return [Task(found[0][0], out, False)]
    if out.is_file() or out.suffix.lower() in photo.FORMATS:
        raise UserError(f"{out}: is a name for one picture, got {len(found)}; expected a folder (made when missing)")
    stems = Counter(path.stem for path, _ in found)
    names = [path.stem if stems[path.stem] == 1 else path.name for path, _ in found]
    doubled = next((name for name, count in Counter(names).items() if count > 1), None)
    if doubled:
        raise UserError(f"{doubled}: there are two inputs of this name; expected one, or run them into two folders")
    return [Task(path, out / f"{name}.png", inside) for name, (path, inside) in zip(names, found)]


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
        "Software": "idn-caffe tools/upscale.py",
        "Model": enlarger.method.name,
        "Scale": str(enlarger.scale),
        "Weights": f"{path.name} SHA-256 {file_sha256(path)}" if path else "none",
        "Engine": f"{engine} on {device}" if path else "none",
    }


def upscale(task, enlarger, texts, args, bar):
    """Enlarge one picture unless its result exists; gives "written", "kept" or "done" (kept, and the very same).

    Raises
    ------
    UserError, DataError
        It cannot be read or written, or not in this memory.
    """
    if task.target.exists() and not args.force:
        texts = {**texts, "Source": photo.sha256(task.source)}
        same = photo.notes(task.target).items() >= texts.items() and (not args.compare or task.comparison.exists())
        return "done" if same else "kept"
    picture = photo.read(task.source)
    photo.check_format(task.target, picture)
    found = enlarger.plan(picture)
    bar.reset(total=len(found[0].windows) * len(found[1].windows) if found else 1)
    bar.set_description(task.source.name)
    shape = (*enlarger.shape(picture), picture.channels)
    texts = {**texts, "Source": picture.sha256}
    strips = enlarger.strips(picture, args.compare, bar.update)
    if args.compare:
        with photo.writer(task.comparison, (shape[0], 2 * shape[1], shape[2]), picture, texts) as comparison:
            photo.write(task.target, _both(strips, comparison), shape, picture, texts)
    else:
        photo.write(task.target, (rows for rows, _ in strips), shape, picture, texts)
    return "written"


def _both(strips, comparison):
    """Pass the result's rows on, and write bicubic and result side by side on the way."""
    for rows, bicubic in strips:
        comparison.write(np.concatenate([bicubic, rows], axis=1))
        yield rows


def run(todo, enlarger, texts, args):
    """Do all tasks; gives the exit status."""
    counts, skipped = Counter(), []
    several = len(todo) > 1
    with tqdm(todo, unit="image", disable=None if several else True) as images, tqdm(
        total=1, unit="tile", leave=False, disable=None
    ) as bar:
        for task in images:
            try:
                result = upscale(task, enlarger, texts, args, bar)
            except DataError as error:
                if not several and not task.found:
                    raise
                result = "skipped"
                skipped.append(str(error))
            counts[result] += 1
            if result == "kept":
                skipped.append(f"{task.target}: exists and is kept; --force writes it anew")
            elif result in ("written", "done"):
                tqdm.write(f"{task.target}{'' if result == 'written' else ': done before'}")
    for line in skipped:
        print(f"upscale.py: skipped {line}", file=sys.stderr)
    if several:
        print(", ".join(f"{count} {result}" for result, count in counts.items()))
    return 1 if skipped else 0


def main(argv=None):
    """Enlarge all inputs; gives the exit status."""
    from tools import caffe_runtime, engines
    from tools.enlarge import Enlarger

    args = parser().parse_args(argv)
    method = METHODS[args.method]
    todo = tasks(args.inputs, args.out)
    engines.check(args.engine, args.gpu)
    device = caffe_runtime.use_device(args.gpu)
    path = weights(args, method)
    enlarger = Enlarger(
        method, args.scale, path, engine=args.engine, gpu=device != "cpu", memory=args.memory
    )
    return run(todo, enlarger, notes(enlarger, path, device, args.engine), args)


if __name__ == "__main__":
    cli.run(main)
