"""Transparent pictures: what colour counts where, so that no dark or light seam appears around what is seen.

A pixel that nobody sees (alpha 0) still has a colour in the file, mostly black. Bicubic and nets would mix it into
its neighbours. So hidden pixels first get the colours of what is seen around them (`fill_hidden`), which is what a
net looks at; and colours are enlarged with alpha as their weight (`Weighted`), as compositing wants it: the result
put on any background is the enlargement of the picture put on that background. Of pictures whose alpha is the same
everywhere nothing changes.
"""

import cv2
import numpy as np

STRIP = 1 << 18  # pixels at a time
# what `fill_hidden` takes for a while, in bytes a pixel: of the picture (colours and alpha of a quarter of the pixels
# in single precision, once more what is filled, and a third of it for the coarser levels), and of a strip (measured)
FILL_BYTES, FILL_STRIP_BYTES = 18, 64
VISIBLE = 0.5 / 255  # below this alpha a pixel of the result is as good as not seen


def matters(alpha):
    """Whether colours must be weighted: alpha (ndarray or None) differs from pixel to pixel."""
    return alpha is not None and alpha.min() != alpha.max()


def fill_bytes(shape):
    """Bytes (int) that `fill_hidden` takes for a while for a picture of `shape` (int, int)."""
    return FILL_BYTES * shape[0] * shape[1] + FILL_STRIP_BYTES * max(STRIP, 2 * shape[1])


def fill_hidden(pixels, alpha):
    """Give pixels of alpha 0 the colours around them.

    From the four pixels of a square to ever larger ones, each time the mean of what is seen, weighted by alpha; a
    hidden pixel takes the finest mean there is (pull and push, Gortler et al., The Lumigraph, 1996).

    Parameters
    ----------
    pixels : ndarray, (H, W) or (H, W, 3), uint8 or uint16
        Changed in place, but only where alpha is 0.
    alpha : ndarray, (H, W), of the same class
        Not 0 everywhere.
    """
    colours = pixels.reshape(*alpha.shape, -1)
    height, width = alpha.shape
    # pairs of rows
    step = 2 * max(1, STRIP // (2 * width))
    halves = np.empty((-(-height // 2), -(-width // 2), colours.shape[2] + 1), np.float32)
    for top in range(0, height, step):
        rows = slice(top, top + step)
        halves[top // 2 : (top + step) // 2] = _halved(_premultiplied(colours[rows], alpha[rows]))
    filled = _filled(halves)
    for top in range(0, height, step):
        hidden = alpha[top : top + step] == 0
        if hidden.any():
            low, high = max(top // 2 - 1, 0), (top + step) // 2 + 1
            fine = _doubled(filled[low:high])[top - 2 * low :][: len(hidden), :width]
            colours[top : top + step][hidden] = np.round(fine[hidden]).astype(pixels.dtype)


def _premultiplied(colours, alpha):
    """(n, W, C + 1), float32: colours times alpha, and alpha in 0..1."""
    alpha = alpha[..., None].astype(np.float32) / np.iinfo(alpha.dtype).max
    return np.concatenate([colours * alpha, alpha], axis=2)


def _halved(planes):
    """Means of squares of 2x2; at an odd border of what there is, as alpha beyond is 0."""
    height, width = planes.shape[:2]
    planes = np.pad(planes, ((0, height % 2), (0, width % 2), (0, 0)))
    return (planes[::2, ::2] + planes[1::2, ::2] + planes[::2, 1::2] + planes[1::2, 1::2]) / 4


def _filled(planes):
    """Colours (h, w, C) everywhere from premultiplied planes (h, w, C + 1)."""
    weights = planes[..., -1:]
    seen = weights > 0
    colours = np.divide(planes[..., :-1], weights, out=np.zeros_like(planes[..., :-1]), where=seen)
    if seen.all() or planes.shape[:2] == (1, 1):
        return colours
    coarse = _doubled(_filled(_halved(planes)))[: planes.shape[0], : planes.shape[1]]
    np.copyto(colours, coarse, where=~seen)
    return colours


def _doubled(colours):
    """(h, w, C) to (2 h, 2 w, C), linear between the pixels."""
    height, width = colours.shape[:2]
    return cv2.resize(colours, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR).reshape(
        2 * height, 2 * width, -1
    )


class Weighted:
    """Rows of planes enlarged with alpha as the weight.

    Parameters
    ----------
    resize : matlab_compat.ImresizeStrips
    alpha : ndarray, (n, W), uint8 or uint16
        The rows that `resize` needs for rows start..stop.
    start, stop : int
        Rows of the result.
    """

    def __init__(self, resize, alpha, start, stop):
        self.resize, self.span = resize, (start, stop)
        self.weights = alpha.astype(np.float64) / np.iinfo(alpha.dtype).max
        self.total = resize.rows(self.weights, *self.span)

    def rows(self, planes, plain):
        """Rows of the enlarged planes.

        Parameters
        ----------
        planes : ndarray, (n, W) or (n, W, C), float64
            The rows that are needed, hidden pixels filled.
        plain : ndarray, (stop - start, m W) or (stop - start, m W, C)
            The same enlarged without weights: what stays where nothing is seen.

        Returns
        -------
        ndarray, of the shape of `plain`, float64
        """
        weights, total = (one.reshape(*one.shape, *[1] * (planes.ndim - 2)) for one in (self.weights, self.total))
        sums = self.resize.rows(planes * weights, *self.span)
        return np.divide(sums, total, out=plain.astype(np.float64), where=total >= VISIBLE)
