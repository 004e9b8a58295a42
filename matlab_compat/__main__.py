"""MATLAB's image functions on files.

    $ python -m matlab_compat imresize in.png out.png --scale 1/3
    $ python -m matlab_compat imresize in.png out.png --size 120x- --edge symmetric
    $ python -m matlab_compat psnr a.png b.png --y --border 3
    $ python -m matlab_compat ssim a.png b.png --y --border 3
    $ python -m matlab_compat ifc a.png b.png --y --border 3

Read are PNG, JPEG, BMP, TIFF, WebP, GIF, PBM, PGM, PPM, JPEG 2000 and AVIF, as stored: 8 or 16 bits, not turned, of
several pages or frames the first. imresize keeps an alpha channel, the metrics leave it out and print one number.
"""

import argparse
import errno
import os
import sys
from pathlib import Path

import numpy as np

from . import ifc, imresize, pictures, psnr, rgb2ycbcr, rmse, shave, ssim
from .contributions import EDGES
from .imresize import size_and_scale
from .kernels import KERNELS
from .pictures import memory

METRICS = {"psnr": psnr, "ssim": ssim, "ifc": ifc, "rmse": rmse}
WITH_RANGE = ("psnr", "ssim")


class CommandError(Exception):
    """A mistake of the caller: one line that names the thing, what was expected and what to do."""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def main(argv=None):
    """Run one command.

    Parameters
    ----------
    argv : list of str, optional
        Arguments without the program's name; None takes those of the process.

    Returns
    -------
    int
        Exit status: 0, or 2 after one line on stderr.
    """
    args = _parser().parse_args(argv)
    try:
        args.run(args)
    except (CommandError, ValueError, TypeError) as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"{error.filename or args.command}: {error.strerror or error}")
    except MemoryError:
        return _fail(f"{args.command}: out of memory; take smaller images, or a smaller --scale or --size")
    return 0


def read_image(path):
    """Read an image file as MATLAB's imread does: R, G, B order, no rotation by EXIF; its alpha as one more channel.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    ndarray, (H, W), or (H, W, C) with C = 2 (gray, alpha), 3 or 4, uint8 or uint16

    Raises
    ------
    OSError
        The file cannot be read.
    PictureError
        It is no picture, or damaged, or too large for the memory that is left.
    """
    found = pictures.read(Path(path).read_bytes(), path)
    if found.header.pages > 1:
        print(f"matlab_compat: {path}: {found.header.pages} pages or frames, the first is used", file=sys.stderr)
    return found.pixels if found.alpha is None else np.dstack([found.pixels, found.alpha])


def write_image(path, img):
    """Write an image file whole or not at all; the format follows the suffix.

    Parameters
    ----------
    path : str or Path
    img : ndarray, (H, W) or (H, W, C), R, G, B order, uint8 or uint16; alpha last

    Raises
    ------
    OSError
        The file cannot be written.
    PictureError
        No such format is written, or it cannot hold the image.
    """
    path = Path(path)
    if path.exists() and not path.is_file():  # as root the rename would put a file in the place of /dev/null
        raise OSError(errno.EINVAL, "is a folder, a device or a pipe, expected the name of a file", str(path))
    data = pictures.encoded(path, img)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        # the user knows the name asked for, not the temporary one
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        part.unlink(missing_ok=True)


def _resize(args):
    img = read_image(args.input)
    pictures.check_format(args.output, img)
    _check_memory(img, args)
    out = imresize(
        img,
        args.scale,
        output_shape=args.size,
        method=args.method,
        antialiasing=args.antialiasing,
        edge=args.edge,
    )
    write_image(args.output, out)


def _check_memory(img, args):
    """Refuse a result that the memory left cannot hold: the system would kill the process, or swap for hours."""
    shape = size_and_scale(img.shape[:2], args.scale, args.size)[0]
    # the result, its passes, its encoded copies; and what the weights of each row and column take
    needed = 4 * shape[0] * shape[1] * (img.nbytes // (img.shape[0] * img.shape[1])) + 1000 * sum(shape)
    left = memory.available()
    if left is not None and needed > left:
        raise CommandError(
            f"{args.output}: {shape[1]}x{shape[0]} pixels take about {needed >> 20:,} MB of memory, expected at most "
            f"the {left >> 20:,} MB that are left; take a smaller --scale or --size"
        )


def _measure(args):
    ref, out = (_prepare(path, args) for path in (args.ref, args.out))
    if ref.dtype != out.dtype:
        raise CommandError(
            f"{args.out}: {out.dtype} against {ref.dtype} of {args.ref}; expected the same depth; convert one of them"
        )
    options = {}
    if args.command in WITH_RANGE:
        options["data_range"] = np.iinfo(ref.dtype).max if args.data_range is None else args.data_range
    print(f"{METRICS[args.command](ref, out, **options):.6f}")


def _prepare(path, args):
    img = read_image(path)
    if img.ndim == 3 and img.shape[2] in (2, 4):  # MATLAB's imread gives alpha apart
        print(f"matlab_compat: {path}: alpha is left out", file=sys.stderr)
        img = img[..., 0] if img.shape[2] == 2 else img[..., :3]
    if args.y and img.ndim == 3:
        img = rgb2ycbcr(img)[..., 0]
    return shave(img, args.border)


def _parser():
    parser = Parser(
        prog="python -m matlab_compat", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    resize = commands.add_parser("imresize", help="resize an image file")
    resize.add_argument("input")
    resize.add_argument("output")
    amount = resize.add_mutually_exclusive_group(required=True)
    amount.add_argument("--scale", type=_scale, help="factor, e.g. 1/3, 0.5 or 2; two for rows and columns: 1/3,1/2")
    amount.add_argument("--size", type=_size, metavar="ROWSxCOLUMNS", help="e.g. 120x80; 120x- keeps the aspect ratio")
    resize.add_argument("--method", choices=list(KERNELS), default="bicubic", help="default: %(default)s")
    resize.add_argument("--edge", choices=EDGES, default=EDGES[0], help="older or newer MATLAB; default: %(default)s")
    smooth = resize.add_mutually_exclusive_group()
    smooth.add_argument("--antialiasing", action="store_true", default=None, help="default, but for nearest")
    smooth.add_argument("--no-antialiasing", action="store_false", dest="antialiasing")
    resize.set_defaults(run=_resize)
    for name in METRICS:
        _add_metric(commands, name)
    return parser


def _add_metric(commands, name):
    metric = commands.add_parser(name, help=f"print the {name.upper()} of two image files")
    metric.add_argument("ref", help="the original")
    metric.add_argument("out", help="the result to judge")
    metric.add_argument("--y", action="store_true", help="compare the luma of rgb2ycbcr; a gray image is its own luma")
    metric.add_argument("--border", type=int, default=0, help="pixels to shave on each side; default: %(default)s")
    if name in WITH_RANGE:
        metric.add_argument("--data-range", type=float, help="peak value; default: 255, or 65535 for 16 bits")
    metric.set_defaults(run=_measure)


def _scale(text):
    """'1/3' to 1/3 in double, as MATLAB computes it; '1/3,1/2' to a pair."""
    try:
        values = tuple(_number(part) for part in text.split(","))
    except (ValueError, ZeroDivisionError):
        values = ()
    if len(values) not in (1, 2):
        raise argparse.ArgumentTypeError(f"{text!r} is no factor; expected e.g. 1/3, 0.5, 2 or 1/3,1/2")
    return values[0] if len(values) == 1 else values


def _number(text):
    top, slash, bottom = text.partition("/")
    return float(top) / float(bottom) if slash else float(text)


def _size(text):
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part == "-" or part.isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; expected ROWSxCOLUMNS, e.g. 120x80 or 120x-")
    return tuple(None if part == "-" else int(part) for part in parts)


def _fail(message):
    print(f"matlab_compat: {' '.join(message.split())}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
