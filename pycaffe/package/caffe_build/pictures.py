"""``caffe.io.load_image`` on today's libraries: the pixels that scikit-image of 2018 gave, or the right ones.

Upstream asks for ``skimage.io.imread(as_grey=...)``, which is gone. In 2018 that was Pillow, with a conversion of every
mode to gray or RGB, and tifffile for TIFF. Today's imread hands out CMYK and whole animations as they are, and its
tifffile has lost LZW and fax compression. So the two are called here, and each TIFF is read by the one that can.
"""

import io
import os
import urllib.request

import numpy as np

from caffe_build import tiff

# weights of scikit-image's rgb2gray, which `as_grey=True` went through
LUMA = np.array([0.2125, 0.7154, 0.0721])
_URLS = ("http://", "https://", "ftp://")
# Pillow would start Ghostscript, a program, on a file that only claims to be a picture
_NOT_OPENED = ("EPS",)
# Pillow's modes without colour, and what to make of them; alpha is dropped, as it was
_GRAY = {"1": "L", "L": "L", "LA": "L", "La": "LA", "I": "I", "F": "F"}


def load_image(filename, color=True):
    """Load an image as floats, whatever its mode, without its alpha channel.

    Parameters
    ----------
    filename : str, Path, file or URL
        Of several pages or frames the first is taken. Orientation tags and colour profiles are not applied, as in 2018.
    color : bool
        True: RGB, a gray image is repeated three times. False: intensity.

    Returns
    -------
    ndarray, (H, W, 3) or (H, W, 1), float32, [0, 1]
        16-bit gray and 16-bit TIFF in full depth; colour PNG, PPM and JPEG 2000 of 16 bits in the 8 that Pillow reads.
        Signed and floating-point TIFF as stored, which may be outside of [0, 1].

    Raises
    ------
    OSError
        The file is missing, damaged or no picture.
    """
    from skimage.util import img_as_float

    image = img_as_float(_read(_opened(filename)))
    if image.ndim == 3 and not color:
        image = image @ LUMA
    image = np.atleast_3d(image).astype(np.float32)
    return np.tile(image, (1, 1, 3)) if color and image.shape[2] == 1 else image


def _opened(filename):
    """What Pillow and tifffile take: a path or a file that can be read again."""
    if isinstance(filename, str) and filename.startswith(_URLS):
        with urllib.request.urlopen(filename) as answer:
            return io.BytesIO(answer.read())
    return io.BytesIO(filename.read()) if hasattr(filename, "read") else os.fspath(filename)


def _read(source):
    """Pixels of a file in its own type, gray (H, W) or RGB (H, W, 3)."""
    from PIL import Image

    if tiff.is_one(source):
        pixels = tiff.read(source)
        if pixels is not None:
            return pixels
    Image.init()
    formats = [name for name in Image.OPEN if name not in _NOT_OPENED]
    with Image.open(source, formats=formats) as image:
        return tiff.unturned(image, _pixels) if image.format == "TIFF" else _pixels(image)


def _pixels(image):
    """Pixels of a Pillow image."""
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)
    if image.mode in ("P", "PA", "RGBa"):  # transparency is undone or dropped by way of RGBA
        image = image.convert("RGBA")
    wanted = _GRAY.get(image.mode, "RGB")
    if wanted == "LA":
        image, wanted = image.convert("LA"), "L"
    pixels = np.asarray(image.convert(wanted))
    # PNG and PGM of 16 bits where Pillow has no type of its own for them
    return pixels.astype(np.uint16) if wanted == "I" and image.format in ("PNG", "PPM") else pixels
