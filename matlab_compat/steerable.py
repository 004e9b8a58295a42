"""The part of the steerable pyramid that IFC needs: two of six orientations at each of four levels.

The filters are "sp5Filters" (Simoncelli and Freeman, ICIP 1995; Karasaridis and Simoncelli, ICASSP 1996). Their
symmetry leaves 33 numbers, which stand here so that no pyramid library has to be installed for them; a test compares
them with pyrtools.
"""

import cv2
import numpy as np

LEVELS = 4
# the low-pass filter must fit the image at every level: 9 pixels after three halvings
SMALLEST_SIDE = 9 * 2 ** (LEVELS - 1)

# upper left quarters, centre row and centre column included
_LOW0_QUARTER = [
    [0.00341614, -0.01551246, -0.03848215],
    [-0.01551246, 0.05586982, 0.15925570],
    [-0.03848215, 0.15925570, 0.40304148],
]
_LOW_QUARTER = [
    [0.00170808, -0.00489834, -0.00775624, -0.01888864, -0.01924108],
    [-0.00489834, -0.01046562, -0.01322234, 0.00821200, 0.02005976],
    [-0.00775624, -0.01322234, 0.02793492, 0.06554076, 0.07962786],
    [-0.01888864, 0.00821200, 0.06554076, 0.12852666, 0.16339236],
    [-0.01924108, 0.02005976, 0.07962786, 0.16339236, 0.20193080],
]
_BAND_QUARTER = [
    [0.00277643, -0.00986904, -0.01021852, 0.0],
    [0.00496194, -0.00893064, -0.03075356, 0.0],
    [0.01026699, 0.01189859, -0.08226445, 0.0],
    [0.01455399, 0.02755155, -0.11732297, 0.0],
]


def _unfold(quarter, sign=1):
    """The whole filter: mirrored downwards, and to the right with `sign`."""
    left = np.array(quarter)
    half = np.hstack([left, sign * left[:, -2::-1]])
    return np.vstack([half, half[-2::-1]])


LOW0 = _unfold(_LOW0_QUARTER)  # (5, 5)
LOW = _unfold(_LOW_QUARTER)  # (9, 9), sums to 2: a level gains what the decimation loses
BANDS = (_unfold(_BAND_QUARTER, -1), -_unfold(_BAND_QUARTER, -1).T)  # orientations 1 and 4 of 6, (7, 7) each


def filter_reflected(img, taps):
    """Correlate with the border mirrored about the outermost pixels ("reflect1"); float64, same shape."""
    return cv2.filter2D(img, cv2.CV_64F, taps, borderType=cv2.BORDER_REFLECT_101)


def steerable_bands(*images):
    """Sub-bands of orientations 1 and 4 at four levels, of several images side by side.

    Parameters
    ----------
    *images : ndarray, (H, W), one shape, at least `SMALLEST_SIDE` pixels a side

    Yields
    ------
    (level, bands)
        level from 0, the finest, to 3; bands is a tuple of one sub-band for each image, float64,
        (ceil(H / 2**level), ceil(W / 2**level)). Each level comes twice, for its two orientations. One at a time, so
        that a large image needs the memory of a few sub-bands, not of all.

    Notes
    -----
    Source: buildSpyr(im, 4, 'sp5Filters', 'reflect1') of matlabPyrTools.
    """
    lows = [filter_reflected(img.astype(np.float64, copy=False), LOW0) for img in images]
    for level in range(LEVELS):
        for band in BANDS:
            yield level, tuple(filter_reflected(low, band) for low in lows)
        if level + 1 < LEVELS:
            lows = [np.ascontiguousarray(filter_reflected(low, LOW)[::2, ::2]) for low in lows]
