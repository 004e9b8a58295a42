"""Pillow's images as arrays, in bands of rows, so that a picture is never held more often than need be."""

import io

import numpy as np
from PIL import Image, UnidentifiedImageError

from .picture import Damaged

Image.MAX_IMAGE_PIXELS = None  # memory decides, see reader.read
_BAND = 1 << 18  # pixels converted at a time
# bytes that Pillow keeps for a pixel, by mode
_STORED = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I": 4, "LA": 4, "RGB": 4, "RGBA": 4, "CMYK": 4, "LAB": 4, "YCbCr": 4}
_FIXED = 24 << 20  # a band, the libraries' own tables and buffers


def opened(content, format):
    """A Pillow image of bytes in one format (str); its pixels are not decoded yet.

    Raises
    ------
    Damaged
        Pillow cannot make sense of the header.
    """
    try:
        return Image.open(io.BytesIO(content), formats=(format,))
    except UnidentifiedImageError:
        raise Damaged("its header cannot be read") from None


def decode_bytes(height, width, mode, result):
    """About what `arrays` takes at most (int): `result` is the bytes of a pixel in what it gives."""
    return height * width * (_STORED[mode] + result) + _FIXED


def arrays(image, convert=None):
    """A Pillow image as arrays.

    Parameters
    ----------
    image : Image
        In mode 1, L, LA, RGB, RGBA or I;16, or one that `convert` makes such a mode of.
    convert : callable, Image -> Image, optional
        Applied to each band of rows.

    Returns
    -------
    pixels : ndarray, (H, W) or (H, W, 3), uint8 or uint16
    alpha : ndarray, (H, W), uint8, or None
    """
    pixels = alpha = None
    for start, stop, rows in bands(image, convert):
        if pixels is None:
            shape = (image.height, image.width)
            pixels = np.empty(shape + ((3,) if rows.ndim == 3 and rows.shape[2] >= 3 else ()), rows.dtype)
            alpha = np.empty(shape, rows.dtype) if rows.ndim == 3 and rows.shape[2] in (2, 4) else None
        if alpha is None:
            pixels[start:stop] = rows
        else:
            pixels[start:stop] = rows[..., 0] if rows.shape[2] == 2 else rows[..., :3]
            alpha[start:stop] = rows[..., -1]
    return pixels, alpha


def bands(image, convert=None):
    """Rows of a Pillow image: yields (start, stop, ndarray); booleans become 0 and 255."""
    image.load()
    step = max(1, _BAND // image.width)
    for start in range(0, image.height, step):
        stop = min(start + step, image.height)
        band = image.crop((0, start, image.width, stop))
        rows = np.asarray(convert(band) if convert else band)
        yield start, stop, rows.astype(np.uint8) * 255 if rows.dtype == bool else rows


def indexed(image, colours, alpha=None):
    """A Pillow image in mode P, L or 1 whose pixels are places in a palette.

    Parameters
    ----------
    image : Image
    colours : ndarray, (256, 3) RGB or (256,) gray, uint8
    alpha : ndarray, (256,), uint8, or None

    Returns
    -------
    As `arrays`.
    """
    shape = (image.height, image.width)
    pixels = np.empty(shape + colours.shape[1:], np.uint8)
    clear = None if alpha is None else np.empty(shape, np.uint8)
    for start, stop, rows in bands(image):
        np.take(colours, rows, axis=0, out=pixels[start:stop])
        if clear is not None:
            np.take(alpha, rows, out=clear[start:stop])
    return pixels, clear
