"""imrotate as in MATLAB, for quarter turns."""

import numbers

import numpy as np

from ._checks import check_image


def imrotate(img, angle):
    """Rotate an image counterclockwise by a multiple of 90 degrees.

    Parameters
    ----------
    img : ndarray, (H, W) or more axes
        uint8, uint16, int16, float32, float64 or bool.
    angle : int or float
        Degrees, a multiple of 90; negative turns clockwise.

    Returns
    -------
    ndarray
        A view of `img`, (H, W, ...) or (W, H, ...).

    Raises
    ------
    TypeError
        `angle` is no number, or another class of image.
    ValueError
        `angle` is not a multiple of 90.

    Notes
    -----
    For these angles MATLAB moves pixels without interpolation, whatever method is named.
    Source: MATLAB imrotate.
    """
    img = check_image("imrotate", img)
    if isinstance(angle, (bool, np.bool_)) or not isinstance(angle, (numbers.Real, np.integer, np.floating)):
        raise TypeError(f"imrotate: angle is {angle!r}; expected a number of degrees, a multiple of 90")
    if angle % 90 != 0:  # also true for NaN and Inf
        raise ValueError(
            f"imrotate: angle is {angle}; expected a multiple of 90; other angles need interpolation, which is not here"
        )
    return np.rot90(img, int(angle // 90) % 4)
