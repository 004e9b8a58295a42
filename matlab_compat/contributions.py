"""Which input pixels make an output pixel of imresize, and with which weights.

Along one axis, output pixel x (1-based) lies at the input coordinate

    u = x / scale + 0.5 * (1 - 1 / scale)

so that 0.5, the outer edge of the first pixel, maps to 0.5. The taps are the P = ceil(width) + 2 pixels from
floor(u - width / 2) on; a tap's weight is kernel(u - tap), divided by the sum over the row. When shrinking with
antialiasing the kernel is stretched by 1 / scale (and scaled by `scale`, which the division undoes).
"""

from functools import lru_cache

import numpy as np

from .kernels import KERNELS

EDGES = ("replicate", "symmetric")


@lru_cache(maxsize=64)
def contributions(in_length, out_length, scale, method, antialiasing, edge):
    """Weights and input indices for every output pixel along one axis.

    Parameters
    ----------
    in_length, out_length : int
        Pixels along the axis before and after.
    scale : float
        Factor of the sampling grid, > 0; usually but not always out_length / in_length.
    method : str
        A key of `kernels.KERNELS`.
    antialiasing : bool
        Stretch the kernel when `scale` < 1.
    edge : {"replicate", "symmetric"}
        Taps outside the image take the outermost pixel, or the mirrored one (edge pixel repeated).

    Returns
    -------
    weights : ndarray, (out_length, taps), float64, rows sum to 1, read-only
    indices : ndarray, (out_length, taps), intp, 0-based, read-only

    Notes
    -----
    Source: the function `contributions` inside MATLAB's imresize.m; the replicate edge is that of R2007a to the
    early 2010s, the symmetric one that of newer releases.
    """
    kernel, width = KERNELS[method]
    stretch = 1.0
    if antialiasing and scale < 1:
        stretch, width = scale, width / scale
    centre = np.arange(1, out_length + 1) / scale + 0.5 * (1 - 1 / scale)  # (out_length,)
    first = np.floor(centre - width / 2)
    taps = first[:, None] + np.arange(int(np.ceil(width)) + 2)  # (out_length, P), 1-based
    weights = stretch * kernel(stretch * (centre[:, None] - taps))
    weights /= _sum_in_order(weights)[:, None]
    used = weights.any(axis=0)
    indices = _fold(taps[:, used].astype(np.intp) - 1, in_length, edge)
    weights = np.ascontiguousarray(weights[:, used])
    weights.setflags(write=False)
    indices.setflags(write=False)
    return weights, indices


def _sum_in_order(weights):
    """Row sums, added from left to right as MATLAB does; numpy's own sum goes pairwise."""
    total = np.zeros(len(weights))
    for column in weights.T:
        total += column
    return total


def _fold(indices, length, edge):
    """Bring indices outside 0..length-1 back into the image."""
    if edge == "replicate":
        return np.clip(indices, 0, length - 1)
    indices = indices % (2 * length)
    return np.minimum(indices, 2 * length - 1 - indices)
