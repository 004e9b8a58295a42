"""Resize an image that comes in bands of rows, without ever holding it: LapSRN's way from x4 to x3."""

import numpy as np

import matlab_compat as matlab


def resized(bands, shape, height, edge):
    """Resize an image that comes in bands.

    Parameters
    ----------
    bands : iterable of (int, ndarray)
        First row of a band; (rows, W), float32; from top to bottom.
    shape : (int, int)
        Rows and columns of the whole image.
    height : int
        Rows of the result.
    edge : {"replicate", "symmetric"}
        Border of the bicubic.

    Yields
    ------
    (int, ndarray)
        Likewise, of the result.
    """
    if shape[0] == height:
        yield from bands
        return
    resize = matlab.ImresizeStrips(shape, height / shape[0], edge=edge)
    held, first, done = np.empty((0, shape[1]), np.float32), 0, 0
    for _, band in bands:
        held = np.concatenate([held, band])
        end = first + len(held)
        stop = _ready(resize, done, end, shape[0])
        if stop > done:
            low, high = resize.needs(done, stop)
            yield done, resize.rows(held[low - first : high - first], done, stop)
            done = stop
            if done < height:
                keep = resize.needs(done, done + 1)[0]
                held, first = held[keep - first :].copy(), keep


def _ready(resize, done, end, total):
    """One past the last row of the result that input rows up to `end` suffice for."""
    if end == total:
        return resize.shape[0]
    stop = max(done, int(end * resize.shape[0] / total) - 8)
    while stop < resize.shape[0] and resize.needs(done, stop + 1)[1] <= end:
        stop += 1
    return stop
