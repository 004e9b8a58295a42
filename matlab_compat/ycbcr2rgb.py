"""ycbcr2rgb as in MATLAB."""

import numpy as np

from ._checks import check_channels, check_image
from ._color import COLOR_CLASSES, OFFSET, TO_YCBCR, combine

_TO_RGB = np.linalg.inv(TO_YCBCR)
# by dtype: factors of the inverse matrix and of the offset, as in rgb2ycbcr but the other way
_SCALES = {
    "uint8": (255.0, 255.0),
    "uint16": (65535 / 257, 65535.0),
    "float32": (255.0, 1.0),
    "float64": (255.0, 1.0),
}


def ycbcr2rgb(img):
    """Convert YCbCr (ITU-R BT.601, studio range) to RGB as MATLAB's ycbcr2rgb does.

    Parameters
    ----------
    img : ndarray, (H, W, 3), Y, Cb, Cr in this order
        uint8, uint16, float32 or float64 in the ranges that `rgb2ycbcr` gives.

    Returns
    -------
    ndarray, (H, W, 3), same dtype
        R, G, B; integers are rounded and saturate, floats are clipped to [0, 1].

    Raises
    ------
    TypeError
        Another class.
    ValueError
        Not three channels, empty, NaN or Inf.

    Notes
    -----
    Source: MATLAB ycbcr2rgb.m.
    """
    img = check_image("ycbcr2rgb", img, classes=COLOR_CLASSES)
    check_channels("ycbcr2rgb", img)
    matrix_scale, offset_scale = _SCALES[img.dtype.name]
    limits = (0.0, 1.0) if img.dtype.kind == "f" else None
    return combine(img, matrix_scale * _TO_RGB, -(offset_scale * _TO_RGB @ OFFSET), limits)
