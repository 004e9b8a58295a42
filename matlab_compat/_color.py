"""What rgb2ycbcr and ycbcr2rgb share: Poynton's matrix and one weighted sum of three channels."""

import numpy as np

from .rounding import to_class

# Poynton, A Technical Introduction to Digital Video (1996), equations 9.6: RGB in 0..1 to Y in 16..235, Cb, Cr in
# 16..240
TO_YCBCR = np.array(
    [
        [65.481, 128.553, 24.966],
        [-37.797, -74.203, 112.0],
        [112.0, -93.786, -18.214],
    ]
)
OFFSET = np.array([16.0, 128.0, 128.0])
COLOR_CLASSES = ("uint8", "uint16", "single", "double")
STRIP = 1 << 14  # pixels at a time: the doubles in flight stay in the cache


def combine(img, matrix, offset, limits=None, channels=3):
    """Channel p of the result = matrix[p] . pixel + offset[p], in double, in this order; then to the class.

    Parameters
    ----------
    img : ndarray, (H, W, 3)
    matrix : ndarray, (3, 3), float64
    offset : ndarray, (3,), float64
    limits : (float, float), optional
        Clip to this range before the conversion.
    channels : int
        How many of the result's channels are wanted, the first ones.

    Returns
    -------
    ndarray, (H, W, channels), the dtype of `img`
    """
    out = np.empty((*img.shape[:-1], channels), img.dtype)
    pixels, result = img.reshape(-1, 3), out.reshape(-1, channels)
    for start in range(0, len(pixels), STRIP):
        planes = np.ascontiguousarray(pixels[start : start + STRIP].T, np.float64)  # (3, STRIP)
        for channel in range(channels):
            total = matrix[channel, 0] * planes[0]
            total += matrix[channel, 1] * planes[1]
            total += matrix[channel, 2] * planes[2]
            total += offset[channel]
            if limits is not None:
                np.clip(total, *limits, out=total)
            result[start : start + STRIP, channel] = to_class(total, img.dtype)
    return out
