"""im2uint16 as in MATLAB."""

import numpy as np

from ._checks import check_image
from .rounding import to_class


def im2uint16(img):
    """Convert an image to uint16, [0, 1] to [0, 65535].

    Parameters
    ----------
    img : ndarray, (H, W) or more axes
        uint8, uint16, int16, float32 or float64 in [0, 1], or bool.

    Returns
    -------
    ndarray, uint16, same shape
        Floats: round(65535 * img), halves away from zero, saturated. uint8: 257 * img. int16: img + 32768. bool: 0 or
        65535.

    Raises
    ------
    TypeError
        Another class.
    ValueError
        Fewer than two axes, empty, NaN or Inf.

    Notes
    -----
    A single image is multiplied in single precision. MATLAB turns NaN into 0; here it is refused.
    Source: MATLAB im2uint16.
    """
    img = check_image("im2uint16", img)
    if img.dtype == np.uint16:
        return img.copy()
    if img.dtype == bool:
        return img.astype(np.uint16) * np.uint16(65535)
    if img.dtype.kind == "f":
        return to_class(img * img.dtype.type(65535), np.uint16)
    if img.dtype == np.int16:
        return (img.astype(np.int32) + 32768).astype(np.uint16)
    return img.astype(np.uint16) * np.uint16(257)
