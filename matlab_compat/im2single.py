"""im2single as in MATLAB."""

import numpy as np

from .im2double import to_float


def im2single(img):
    """Convert an image to single, integers to [0, 1].

    Parameters
    ----------
    img : ndarray, (H, W) or more axes
        uint8, uint16, int16, float32, float64 or bool.

    Returns
    -------
    ndarray, float32, same shape
        uint8 / 255, uint16 / 65535, (int16 + 32768) / 65535; floats and bool keep their values.

    Raises
    ------
    TypeError
        Another class.
    ValueError
        Fewer than two axes, empty, NaN or Inf.

    Notes
    -----
    Source: MATLAB im2single.
    """
    return to_float("im2single", img, np.float32)
