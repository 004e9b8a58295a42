"""Peak signal-to-noise ratio as in the authors' compute_psnr.m."""

import math

from ._checks import check_pair, check_range
from .rmse import root_mean_square


def psnr(ref, out, *, data_range=255):
    """Peak signal-to-noise ratio over all pixels and channels.

    Parameters
    ----------
    ref, out : ndarray, equal shapes
        uint8, uint16, int16, float32, float64 or bool; computed in double.
    data_range : float, optional
        The peak: 255 for 8-bit images, 1 for floats in [0, 1].

    Returns
    -------
    float
        Decibels, 20 log10(data_range / rmse); inf for identical images.

    Raises
    ------
    TypeError
        Another class, or a peak that is no number.
    ValueError
        Shapes differ, a peak that is not positive, fewer than two axes, empty, NaN or Inf.

    Notes
    -----
    The paper's figures: uint8 luma of both images, borders shaved by the scale, data_range 255. MATLAB's own psnr
    takes the peak from the class instead.
    Source: compute_psnr.m of the super-resolution test scripts.
    """
    data_range = check_range("psnr", data_range)
    error = root_mean_square(*check_pair("psnr", ref, out))
    return math.inf if error == 0 else 20 * math.log10(data_range / error)
