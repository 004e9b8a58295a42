"""im2double as in MATLAB."""

import numpy as np

from ._checks import check_image


def im2double(img):
    """Convert an image to double, integers to [0, 1].

    Parameters
    ----------
    img : ndarray, (H, W) or more axes
        uint8, uint16, int16, float32, float64 or bool.

    Returns
    -------
    ndarray, float64, same shape
        uint8 / 255, uint16 / 65535, (int16 + 32768) / 65535; floats and bool keep their values.

    Raises
    ------
    TypeError
        Another class.
    ValueError
        Fewer than two axes, empty, NaN or Inf.

    Notes
    -----
    Source: MATLAB im2double.
    """
    return to_float("im2double", img, np.float64)


def to_float(func, img, dtype):
    """`im2double` and `im2single`: the division happens in the class of the result, as in MATLAB."""
    img = check_image(func, img)
    if img.dtype == np.uint8:
        return img.astype(dtype) / dtype(255)
    if img.dtype == np.uint16:
        return img.astype(dtype) / dtype(65535)
    if img.dtype == np.int16:
        return (img.astype(dtype) + dtype(32768)) / dtype(65535)
    return img.astype(dtype)
