"""Structural similarity as in ssim_index.m."""

import cv2
import numpy as np

from ._checks import check_image, check_pair, check_plane, check_range
from ._strips import double_strips

# 11 taps with sigma 1.5, fspecial's window; two passes with them are the 11x11 Gaussian
_TAPS = 11
_GAUSSIAN = np.exp(-((np.arange(_TAPS) - _TAPS // 2) ** 2) / (2 * 1.5**2))
_GAUSSIAN /= _GAUSSIAN.sum()


def ssim(ref, out, *, data_range=255, window=None, K=(0.01, 0.03)):
    """Mean structural similarity over the valid region, without downsampling.

    Parameters
    ----------
    ref, out : ndarray, (H, W), equal shapes
        uint8, uint16, int16, float32, float64 or bool; computed in double.
    data_range : float, optional
        The dynamic range L: 255 for 8-bit images, 1 for floats in [0, 1].
    window : ndarray, (h, w), optional
        Weights of the local window, normalised to sum 1 here. None is the 11x11 Gaussian with sigma 1.5.
    K : (float, float), optional
        The two constants, 0 or more; C1 = (K1 L)^2, C2 = (K2 L)^2.

    Returns
    -------
    float
        1 for identical images, at most 1 otherwise.

    Raises
    ------
    TypeError
        Another class, a window or K of the wrong kind.
    ValueError
        Shapes differ, more than one channel, an image smaller than the window, NaN or Inf, a window that sums to 0 or
        has negative weights, a negative K.

    Notes
    -----
    These defaults reproduce the paper's tables on uint8 luma. The ssim.m that its author published later, and MATLAB's
    own ssim, differ: the former shrinks images of more than 256 pixels first, the latter pads the border.
    Source: ssim_index.m (Wang et al., IEEE TIP 13(4), 2004), the copy used by the super-resolution test scripts.
    """
    data_range = check_range("ssim", data_range)
    ref, out = check_pair("ssim", ref, out)
    check_plane("ssim", ref)
    if window is not None:
        window = _check_window(window)
    height, width = (_TAPS, _TAPS) if window is None else window.shape
    _check_size(ref.shape, (height, width))
    constants = _constants(K, data_range)
    strips = double_strips(ref, out, overlap=height - 1)
    total = sum(float(_similarity(a, b, window, *constants).sum()) for a, b in strips)
    return total / ((ref.shape[0] - height + 1) * (ref.shape[1] - width + 1))


def _similarity(ref, out, window, c1, c2):
    """The map of the index over the valid region, (H - h + 1, W - w + 1)."""
    mean_ref, mean_out = _local_mean(ref, window), _local_mean(out, window)
    var_ref = _local_mean(ref * ref, window) - mean_ref * mean_ref
    var_out = _local_mean(out * out, window) - mean_out * mean_out
    covariance = _local_mean(ref * out, window) - mean_ref * mean_out
    top_mean, bottom_mean = 2 * mean_ref * mean_out + c1, mean_ref**2 + mean_out**2 + c1
    top_spread, bottom_spread = 2 * covariance + c2, var_ref + var_out + c2
    if c1 > 0 and c2 > 0:
        return (top_mean * top_spread) / (bottom_mean * bottom_spread)
    # without constants a factor can be 0 / 0; ssim_index.m lets such a factor count as 1
    result = np.ones_like(mean_ref)
    np.divide(top_mean, bottom_mean, out=result, where=(bottom_mean != 0) & (bottom_spread == 0))
    bottom = bottom_mean * bottom_spread
    np.divide(top_mean * top_spread, bottom, out=result, where=bottom > 0)
    return result


def _local_mean(img, window):
    """Weighted means over every position of the window inside the image; None is the Gaussian."""
    if window is None:
        height = width = _TAPS
        mean = cv2.sepFilter2D(img, cv2.CV_64F, _GAUSSIAN, _GAUSSIAN)
    else:
        height, width = window.shape
        mean = cv2.filter2D(img, cv2.CV_64F, window)
    top, left = height // 2, width // 2
    return mean[top : top + img.shape[0] - height + 1, left : left + img.shape[1] - width + 1]


def _check_size(shape, window):
    if shape[0] < window[0] or shape[1] < window[1]:
        raise ValueError(
            f"ssim: images have shape {shape}; expected at least {window}, the size of the window; "
            "use larger images or a smaller window"
        )


def _check_window(window):
    """The window as float64 weights that sum to 1."""
    window = check_image("ssim", window, name="window").astype(np.float64)
    if window.ndim != 2 or window.min() < 0 or window.sum() == 0:
        raise ValueError(
            f"ssim: window has shape {window.shape} and sum {window.sum():g}; expected (h, w), no negative weight, "
            "a sum above 0; use numpy.ones((8, 8)) for a box"
        )
    return window / window.sum()


def _constants(K, data_range):
    if not isinstance(K, (tuple, list)) or len(K) != 2:
        raise TypeError(f"ssim: K is {K!r}; expected a pair of numbers, e.g. (0.01, 0.03)")
    if not all(np.isfinite(value) and value >= 0 for value in K):
        raise ValueError(f"ssim: K is {K!r}; expected two finite numbers of 0 or more, e.g. (0.01, 0.03)")
    return tuple((value * data_range) ** 2 for value in K)
