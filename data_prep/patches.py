"""The two-step cut: LR, bicubic and HR patches that fit a network without padding at its output."""

import numpy as np

from matlab_compat import im2double, imresize, modcrop


def cut(luma, shape):
    """Cut an image into training pairs.

    Parameters
    ----------
    luma : ndarray, (H, W), uint8 [16, 235]
        Y of an image.
    shape : Geometry
        Scale, sizes and stride.

    Returns
    -------
    dict of str to ndarray, (N, 1, h, w), float32 [0, 1]
        "data" LR, "label" HR, "bic" bicubic of LR; N = 0 when the image is too small. Row by row, from the
        top left. Bicubic values may leave the range a little.

    Notes
    -----
    LR = imresize(Y, 1/m) in double precision, bic = imresize(LR, m). An LR patch at (r, c) belongs to the
    HR patch of m times its side at (m r, m c); of that, the first m - 1 rows and columns are cropped,
    because the transposed convolution gives only m (n - 1) + 1 pixels.

    Source: paper, section 4.2; release, train/generate_train_IDN.m.
    """
    scale = shape.scale
    high = modcrop(im2double(luma), scale)
    rows, columns = shape.grid(*high.shape)
    if not rows * columns:
        return {name: np.empty((0, 1, side, side), np.float32) for name, side in _sides(shape)}
    low = imresize(high, 1 / scale)
    planes = {"data": low, "label": high, "bic": imresize(low, scale)}
    return {name: _tile(planes[name], shape, side, (rows, columns)) for name, side in _sides(shape)}


def _sides(shape):
    return ("data", shape.lr_size), ("label", shape.hr_size), ("bic", shape.hr_size)


def _tile(plane, shape, side, grid):
    """Patches of `side` pixels of an LR or HR plane, one for each place of the grid: (N, 1, side, side)."""
    factor, skip = (1, 0) if side == shape.lr_size else (shape.scale, shape.scale - 1)
    windows = np.lib.stride_tricks.sliding_window_view(plane[skip:, skip:], (side, side))
    step = shape.stride * factor
    chosen = windows[::step, ::step][: grid[0], : grid[1]]
    return np.ascontiguousarray(chosen.reshape(-1, 1, side, side), dtype=np.float32)
