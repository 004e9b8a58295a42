"""MATLAB's rounding and its saturating conversion to a class."""

import numpy as np


def matlab_round(x):
    """Round to the nearest integer, halves away from zero, as MATLAB's round.

    numpy.round takes halves to the even neighbour (2.5 -> 2); MATLAB gives 3 and -3. Adding 0.5 and flooring
    is wrong too: 0.49999999999999994 + 0.5 is 1.0 in double.

    Parameters
    ----------
    x : ndarray of float

    Returns
    -------
    ndarray, same shape and dtype

    Notes
    -----
    Source: MATLAB `round`.
    """
    size = np.abs(x)
    low = np.floor(size)
    low += (size - low) >= 0.5
    return np.copysign(low, x)


def to_class(x, dtype):
    """Convert float values to a class as MATLAB's uint8(x), int16(x), single(x) do: round, then saturate.

    Parameters
    ----------
    x : ndarray of float, finite
    dtype : numpy dtype
        uint8, uint16, int16, float32 or float64.

    Returns
    -------
    ndarray of `dtype`, same shape

    Notes
    -----
    Source: MATLAB's conversion functions (`uint8` and its like saturate and round halves away from zero).
    """
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return x.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    return np.clip(matlab_round(x), limits.min, limits.max).astype(dtype)
