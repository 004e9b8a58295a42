"""Two images in double, a few rows at a time: metrics of large images take little memory and stay in the cache."""

import numpy as np

PIXELS = 1 << 16  # of a strip, about


def double_strips(ref, out, overlap=0):
    """Corresponding rows of two images of one shape, from top to bottom.

    Parameters
    ----------
    ref, out : ndarray, (H, W, ...), any real class
    overlap : int
        Rows that a strip shares with the next: the height of a window less one. Windows that start in different strips
        are then different windows.

    Yields
    ------
    (ndarray, ndarray)
        float64, (rows, W, ...).
    """
    last = len(ref) - overlap
    step = max(PIXELS // (ref.size // len(ref)), 4 * overlap, 1)
    for top in range(0, last, step):
        rows = slice(top, min(top + step, last) + overlap)
        yield ref[rows].astype(np.float64, copy=False), out[rows].astype(np.float64, copy=False)
