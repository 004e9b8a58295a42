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
        return {name: np.empty((0, 1, side, side), np.float32) for name, side in shape.sides.items()}
    low = imresize(high, 1 / scale)
    planes = {"data": low, "label": high, "bic": imresize(low, scale)}
    patches = {}
    for name, side in shape.sides.items():
        factor, skip = (1, 0) if name == "data" else (scale, scale - 1)
        patches[name] = tile(planes[name], side, shape.stride * factor, skip, (rows, columns))
    return patches


def tile(plane, side, step, skip, grid):
    """Patches of a plane, one for each place of a grid, row by row.

    Parameters
    ----------
    plane : ndarray, (H, W)
    side, step, skip : int
        Of a patch; between two; before the first, in both directions.
    grid : (int, int)
        Rows and columns.

    Returns
    -------
    ndarray, (rows columns, 1, side, side), float32
    """
    windows = np.lib.stride_tricks.sliding_window_view(plane[skip:, skip:], (side, side))
    chosen = windows[::step, ::step][: grid[0], : grid[1]]
    return np.ascontiguousarray(chosen.reshape(-1, 1, side, side), dtype=np.float32)
