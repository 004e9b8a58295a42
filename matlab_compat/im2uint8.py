"""im2uint8 as in MATLAB."""

import numpy as np

from ._checks import check_image
from .rounding import to_class


def im2uint8(img):
    """Convert an image to uint8, [0, 1] to [0, 255].

    Parameters
    ----------
    img : ndarray, (H, W) or more axes
        uint8, uint16, int16, float32 or float64 in [0, 1], or bool.

    Returns
    -------
    ndarray, uint8, same shape
        Floats: round(255 * img), halves away from zero, saturated. uint16: round(img / 257). int16: round((img + 32768)
        / 257). bool: 0 or 255.

    Raises
    ------
    TypeError
        Another class.
    ValueError
        Fewer than two axes, empty, NaN or Inf.

    Notes
    -----
    A single image is multiplied in single precision. MATLAB turns NaN into 0; here it is refused.
    Source: MATLAB im2uint8.
    """
    img = check_image("im2uint8", img)
    if img.dtype == np.uint8:
        return img.copy()
    if img.dtype == bool:
        return img.astype(np.uint8) * np.uint8(255)
    if img.dtype.kind == "f":
        return to_class(img * img.dtype.type(255), np.uint8)
    lowest = np.iinfo(img.dtype).min
    # 65535 = 255 * 257; adding half of 257 first makes the whole-number division round (257 is odd: no ties)
    return ((img.astype(np.int32) - lowest + 128) // 257).astype(np.uint8)
