"""flip as in MATLAB."""

import numpy as np

from ._checks import check_count, check_image


def flip(img, dim=None):
    """Reverse the order along one dimension.

    Parameters
    ----------
    img : ndarray, (H, W) or more axes
        uint8, uint16, int16, float32, float64 or bool.
    dim : int, optional
        MATLAB's number of the dimension, from 1: 1 is up-down, 2 is left-right. None is the first dimension longer
        than 1, as in MATLAB.

    Returns
    -------
    ndarray
        A view of `img`.

    Raises
    ------
    TypeError
        `dim` is no integer, or another class of image.
    ValueError
        `dim` below 1.

    Notes
    -----
    MATLAB has flip since R2013b, before that flipdim, flipud and fliplr. A dimension past the last is of length 1:
    nothing changes.
    Source: MATLAB flip.
    """
    img = check_image("flip", img)
    if dim is None:
        dim = next((k + 1 for k, length in enumerate(img.shape) if length != 1), 1)
    dim = check_count("flip", "dim", dim, 1)
    return img[...] if dim > img.ndim else np.flip(img, dim - 1)
