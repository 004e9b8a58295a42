"""Root mean square error."""

import numpy as np

from ._checks import check_pair
from ._strips import double_strips


def rmse(ref, out):
    """Root of the mean squared difference over all pixels and channels.

    Parameters
    ----------
    ref, out : ndarray, equal shapes
        uint8, uint16, int16, float32, float64 or bool; computed in double.

    Returns
    -------
    float
        In the images' unit; 0 for identical images.

    Raises
    ------
    TypeError
        Another class.
    ValueError
        Shapes differ, fewer than two axes, empty, NaN or Inf.

    Notes
    -----
    Source: the first half of compute_psnr.m of the super-resolution test scripts.
    """
    return root_mean_square(*check_pair("rmse", ref, out))


def root_mean_square(ref, out):
    """`rmse` of two images that have been checked."""
    total = sum(float(np.square(a - b).sum()) for a, b in double_strips(ref, out))
    return float(np.sqrt(total / ref.size))
