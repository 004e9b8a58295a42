"""BMP, through Pillow: 1 to 32 bits, run-length coded or not; the fourth byte of plain 32-bit pixels is no alpha."""

from functools import partial

import numpy as np

from . import pillow
from .picture import Damaged, Header

_MODES = {"1": (1, False), "L": (1, False), "P": (3, False), "RGB": (3, False), "RGBA": (3, True)}


def opened(content):
    """Header of a BMP's bytes, and what decodes it to pixels and alpha (or None); both raise Damaged."""
    image = pillow.opened(content, "BMP")
    return _header(image, content), partial(_decoded, image)


def _header(image, content):
    if image.mode not in _MODES:
        raise Damaged(f"colours {image.mode}")
    channels, alpha = _MODES[image.mode]
    if image.mode == "P" and palette(image).ndim == 1:
        channels = 1
    _check_size(image, content)
    packed = any(tile.codec_name != "raw" for tile in image.tile)  # unpacked into bytes first
    size = pillow.decode_bytes(image.height, image.width, image.mode, channels + alpha + 3 * packed)
    return Header("BMP", image.height, image.width, channels, alpha, decode_bytes=size)


def _check_size(image, content):
    """Rows that are not packed must all lie in the file."""
    for tile in image.tile:
        stride = tile.args[1] if tile.codec_name == "raw" else 0
        if tile.offset + stride * image.height > len(content):
            raise Damaged("it ends too early")


def _decoded(image):
    return pillow.indexed(image, palette(image)) if image.mode == "P" else pillow.arrays(image)


def palette(image):
    """Colours of a Pillow image in mode P, not decoded: ndarray, (256, 3), uint8, or (256,) when all are gray."""
    colours = np.zeros((256, 3), np.uint8)
    order, raw = image.palette.getdata() if image.palette else ("RGB", b"")
    step = len(order)  # RGB, BGR or BGRX
    given = np.frombuffer(raw, np.uint8)[: 256 * step]
    given = given[: len(given) // step * step].reshape(-1, step)
    colours[: len(given)] = given[:, [order.index(name) for name in "RGB"]]
    gray = (colours[:, 0] == colours[:, 1]) & (colours[:, 1] == colours[:, 2])
    return colours[:, 0].copy() if gray.all() else colours
