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
import re
from pathlib import Path

from data_prep.weights import find, find_ours, gap
from matlab_compat.pictures.memory import available
from tools.common import cli, memory
from tools.common.errors import UserError
from tools.gpu.device import Device
from tools.methods.registry import METHODS
from tools.photos import notes
from tools.photos.tasks import tasks

MEMORY = "2G"
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    from tools.nets import engines

    p = cli.Parser(__doc__)
    p.add_argument("inputs", nargs="+", type=Path, metavar="IN", help="picture, or folder of pictures")
    p.add_argument("-o", "--out", required=True, help="a file for one picture; otherwise a folder (NAME/)")
    p.add_argument("--scale", type=int, required=True, choices=cli.SCALES)
    p.add_argument("--method", default="IDN", choices=list(METHODS), metavar="NAME", help=f"of {', '.join(METHODS)}")
    p.add_argument("--weights", type=Path, metavar="FILE", help="a .caffemodel or .mat of your own")
    cli.add_folder(p, "WEIGHTS", "folder of the weights")
    p.add_argument("--memory", type=_bytes, default=MEMORY, help=f"memory that the program may use (default: {MEMORY})")
    p.add_argument("--gpu", metavar="N", help="number of the GPU (default: the CPU)")
    p.add_argument("--engine", choices=list(engines.ENGINES), default="caffe", help="what runs the net")
    p.add_argument("--compare", action="store_true", help="also write bicubic and result side by side")
    p.add_argument("--force", action="store_true", help="overwrite existing outputs")
    return p


def _bytes(text):
    match = re.fullmatch(r"(\d{1,12}(?:\.\d{1,12})?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.I | re.A)
    if not match or not float(match[1]):
        raise argparse.ArgumentTypeError(f"got {text or 'nothing'}, expected a size such as 500M or 2G")
    return int(float(match[1]) * UNITS[match[2].upper()])


def weights(args, method):
    """Weight file (Path) and checked net (caffe.Net) for the command line, None for a method without; UserError."""
    from tools.methods import weight_check  # here: --help must not need it

    method.check_scale(args.scale)
    if method.network is None:
        return None, None
    path = args.weights or find(args.weights_dir, method.name, args.scale)
    path = path or find_ours(method.name, args.scale)
    if path is None:
        raise UserError(f"{gap(method.name, args.scale)}, and none in results/models; or give --weights FILE")
    if not path.is_file():
        raise UserError(f"--weights {path}: no such file, expected weights of {method.name} at x{args.scale}")
    return path, weight_check.checked_net(method.for_weights(path), args.scale, path)


def allowed(asked):
    """What may be taken of what --memory asked for: no more than the machine has left.

    Returns
    -------
    bytes : int
    said : str
        What refusals call it.
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

    # not before: --help and simple mistakes must not wait for Caffe
    from tools.nets import engines, runtime
    from tools.photos.enlarge import Enlarger
    from tools.photos.run import run

    device = Device.parse(args.gpu)
    engines.check_engine(args.engine, device)
    runtime.use_device(device)
    path, net = weights(args, method)
    method = method.for_weights(path)
    limit, said = allowed(args.memory)
    enlarger = Enlarger(
        method, args.scale, path, net=net, engine=args.engine, gpu=device.on_gpu, memory=limit, allowed=said
    )
    del net  # the Enlarger gives its memory back where a picture needs it
    noted = notes.of(enlarger, path, device, args.engine)
    return run(todo, enlarger, noted, compare=args.compare, force=args.force, own=own)


if __name__ == "__main__":
    cli.run(main)
