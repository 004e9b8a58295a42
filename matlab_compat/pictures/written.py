"""Encode pixels for a file, in formats that hold what they are; OpenCV encodes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import opencv
from .picture import PictureError


@dataclass(frozen=True)
class _Kind:
    deep: bool = False
    alpha: bool = False
    channels: tuple = (1, 3)


_KINDS = {
    ".png": _Kind(deep=True, alpha=True),
    ".tif": _Kind(deep=True, alpha=True),
    ".tiff": _Kind(deep=True, alpha=True),
    ".bmp": _Kind(),
    ".jpg": _Kind(),
    ".jpeg": _Kind(),
    ".webp": _Kind(alpha=True),
    ".jp2": _Kind(deep=True, alpha=True),
    ".pgm": _Kind(deep=True, channels=(1,)),
    ".ppm": _Kind(deep=True, channels=(3,)),
}
# OpenCV's order of channels by their number; gray with alpha becomes colour with alpha
_ORDER = {1: [0], 2: [0, 0, 0, 1], 3: [2, 1, 0], 4: [2, 1, 0, 3]}


def check_format(path, img):
    """Raise PictureError when the format that `path` names cannot hold an image's depth and channels; see `encoded`."""
    path = Path(path)
    kind = _KINDS.get(path.suffix.lower())
    if kind is None:
        raise PictureError(f"{path}: no format for this suffix; expected {', '.join(_KINDS)}")
    channels = 1 if img.ndim == 2 else img.shape[2]
    if img.dtype != np.uint8 and not kind.deep:
        raise PictureError(f"{path}: {path.suffix} holds 8 bits a channel, the picture has 16; take .png or .tif")
    if channels in (2, 4) and not kind.alpha:
        raise PictureError(f"{path}: {path.suffix} holds no alpha channel, the picture has one; take .png or .tif")
    if channels not in (2, 4) and channels not in kind.channels:
        held, got = ("gray" if one == 1 else "RGB" for one in (kind.channels[0], channels))
        raise PictureError(f"{path}: {path.suffix} holds {held}, the picture is {got}; take .png or .tif")


def encoded(path, img):
    """Bytes of a file for pixels.

    Parameters
    ----------
    path : str or Path
        Its suffix names the format.
    img : ndarray, (H, W), (H, W, 1 or 3), or (H, W, 2 or 4) with alpha; uint8 or uint16; R, G, B order

    Returns
    -------
    bytes

    Raises
    ------
    PictureError
        No format that is written, or it cannot hold the depth, the channels or the size.
    """
    check_format(path, img)
    path = Path(path)
    img = img[..., None] if img.ndim == 2 else img
    content = opencv.write(path.suffix.lower(), np.ascontiguousarray(img[..., _ORDER[img.shape[2]]]))
    if content is None:
        raise PictureError(f"{path}: {path.suffix} cannot hold {img.shape[1]}x{img.shape[0]} pixels; take .png")
    return content
