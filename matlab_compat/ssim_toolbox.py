"""Structural similarity as MATLAB's own ssim of the Image Processing Toolbox (R2014a and newer)."""

import numpy as np

from ._checks import check_pair, check_plane, check_range

# sigma 1.5, cut at ceil(3 sigma) = 5 pixels
_GAUSSIAN = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
_GAUSSIAN /= _GAUSSIAN.sum()


def ssim_toolbox(ref, out, *, data_range=1):
    """Mean structural similarity over all pixels, the border repeated outwards.

    Parameters
    ----------
    ref, out : ndarray, (H, W), equal shapes
        uint8, uint16, int16, float32, float64 or bool; computed in double.
    data_range : float
        DynamicRange: 1 for floats (MATLAB's default for them), 255 for 8-bit images.

    Returns
    -------
    float
        1 for identical images.

    Raises
    ------
    TypeError
        Another class.
    ValueError
        Shapes differ, more than one channel, NaN or Inf.

    Notes
    -----
    `ssim` of this package, ssim_index.m, averages over the region where the window lies inside the image; that is
    the only difference, about 0.001 on small images. LapSRN's release scores with this one.
    Source: documentation of MATLAB's ssim: Radius 1.5, RegularizationConstants (0.01 L)^2, (0.03 L)^2.
    """
    data_range = check_range("ssim_toolbox", data_range)
    ref, out = check_pair("ssim_toolbox", ref, out)
    check_plane("ssim_toolbox", ref)
    ref, out = ref.astype(np.float64), out.astype(np.float64)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    mean_ref, mean_out = _smooth(ref), _smooth(out)
    var_ref = _smooth(ref * ref) - mean_ref**2
    var_out = _smooth(out * out) - mean_out**2
    covariance = _smooth(ref * out) - mean_ref * mean_out
    top = (2 * mean_ref * mean_out + c1) * (2 * covariance + c2)
    return float(np.mean(top / ((mean_ref**2 + mean_out**2 + c1) * (var_ref + var_out + c2))))


def _smooth(img):
    """Gaussian mean around every pixel; MATLAB's "replicate" is scipy's "nearest"."""
    from scipy.ndimage import correlate1d  # here: it takes longer to import than all else

    return correlate1d(correlate1d(img, _GAUSSIAN, 0, mode="nearest"), _GAUSSIAN, 1, mode="nearest")
