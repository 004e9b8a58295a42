"""Rows of a result in colour: Cb, Cr and alpha, enlarged by MATLAB's bicubic, are put to a Y."""

import numpy as np

import matlab_compat as matlab
from tools.photos import transparency


class Colours:
    """What belongs to rows start..stop besides Y, enlarged: Cb and Cr (float64), alpha, and what it does to Y.

    Parameters
    ----------
    photo : Photo
    resize : matlab_compat.ImresizeStrips
        From the picture to the result.
    start, stop : int
        Rows of the result.
    weighted : bool
        Colours count by their alpha, see tools/photos/transparency.py.
    """

    def __init__(self, photo, resize, start, stop, weighted):
        low, high = resize.needs(start, stop)
        self.dtype, self.chroma, self.alpha, self.shift = photo.pixels.dtype, None, None, None
        if photo.alpha is not None:
            self.alpha = resize.rows(photo.alpha[low:high], start, stop)
        if photo.pixels.ndim == 3:
            chroma = photo.chroma(low, high)
            self.chroma = resize.rows(chroma, start, stop)
        if weighted:
            weights = transparency.Weighted(resize, photo.alpha[low:high], start, stop)
            luma = photo.luma(low, high).astype(np.float64)
            plain = resize.rows(luma, start, stop)
            self.shift = weights.rows(luma, plain) - plain
            if self.chroma is not None:
                self.chroma = weights.rows(chroma, self.chroma)

    def of(self, luma):
        """Rows (n, m W, C) of the picture's class from their Y (n, m W), float32, without weights."""
        if self.shift is not None:
            luma = (luma + self.shift).astype(np.float32)  # where alpha is even the shift is 0 or far below single
        rounded = matlab.im2uint8 if self.dtype == np.uint8 else matlab.im2uint16
        if self.chroma is None:
            picture = rounded(luma)[..., None]
        else:
            picture = rounded(matlab.ycbcr2rgb(np.dstack([luma.astype(np.float64), self.chroma])))
        return picture if self.alpha is None else np.dstack([picture, self.alpha])
