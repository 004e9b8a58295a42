"""GIF, through Pillow: the first frame on its canvas."""

from functools import partial

import numpy as np

from . import pillow
from .bmp import palette
from .picture import Damaged, Header


def opened(content):
    """Header of a GIF's bytes, and what decodes it to pixels and alpha (or None); both raise Damaged."""
    image, frames = _counted(content)
    found = _header(image, frames)
    return found, partial(_decoded, image, found.alpha)


def _header(image, frames):
    if image.mode not in ("L", "P"):
        raise Damaged(f"colours {image.mode}")
    channels = 1 if image.mode == "L" or palette(image).ndim == 1 else 3
    alpha = "transparency" in image.info or not _covered(image)
    size = pillow.decode_bytes(image.height, image.width, image.mode, channels + alpha + 1)
    return Header("GIF", image.height, image.width, channels, alpha, pages=frames, decode_bytes=size)


def _covered(image):
    return bool(image.tile) and image.tile[0].extents == (0, 0, image.width, image.height)


def _counted(content):
    """A Pillow image, at its first frame, and the number of frames (int)."""
    image = pillow.opened(content, "GIF")
    try:
        return image, image.n_frames
    except Exception:  # only the first frame is asked for: damage of a later one is no reason to refuse
        return pillow.opened(content, "GIF"), 1


def _decoded(image, transparent):
    key = image.info.get("transparency")
    extents = image.tile[0].extents if image.tile else (0, 0, 0, 0)
    colours = np.arange(256, dtype=np.uint8) if image.mode == "L" else palette(image)
    clear = None
    if transparent:
        clear = np.full(256, 255, np.uint8)
        if isinstance(key, int):
            clear[key] = 0
    pixels, alpha = pillow.indexed(image, colours, clear)
    if alpha is not None:
        _outside(alpha, extents)
        if alpha.all():  # many writers name a transparent colour and never use it
            alpha = None
    return pixels, alpha


def _outside(alpha, extents):
    """Make transparent what the first frame does not cover."""
    left, top, right, bottom = extents
    inside = alpha[top:bottom, left:right].copy()
    alpha[...] = 0
    alpha[top:bottom, left:right] = inside
