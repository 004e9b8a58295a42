"""The result of one picture, from top to bottom: Y by the net, Cb, Cr and alpha by MATLAB's bicubic.

The border: a transposed convolution gives m (n - 1) + 1 pixels for n, so that m - 1 rows at the top and columns at the
left are missing. For such nets (IDN, FSRCNN) the small picture gets one row above and one column to the left, copies
of its first ones, as MATLAB's bicubic repeats the border; m n + 1 of the output's pixels then lie on the picture, and
the first is cut off. All pixels further than the receptive radius from the top and left border are exactly those
of the paper's protocol.
"""

import numpy as np

import matlab_compat as matlab
from tools.common.errors import UserError
from tools.photos import transparency
from tools.photos.bands import resized
from tools.photos.colours import Colours
from tools.photos.needed_memory import STRIP


class Result:
    """One picture, enlarged; made as it is asked for, and only once.

    Parameters
    ----------
    enlarger : Enlarger
        Its method and net.
    photo : Photo
        Where its alpha differs from pixel to pixel, `strips` changes the colours of pixels that nobody sees.
    plan : Plan
    """

    def __init__(self, enlarger, photo, plan):
        self.enlarger, self.method, self.photo, self.plan = enlarger, enlarger.method, photo, plan
        self._resize = matlab.ImresizeStrips(photo.pixels.shape[:2], enlarger.scale, edge=enlarger.edge)

    def strips(self, *, compare=False, progress=lambda: None):
        """The result in colour.

        Parameters
        ----------
        compare : bool
            Also give the bicubic enlargement.
        progress : callable
            Called after each window, or, without a net, after each strip.

        Yields
        ------
        (ndarray, ndarray or None)
            Rows of the result, (rows, m W, C), of the picture's class: gray or RGB, then alpha where the picture has
            it; the same rows of the bicubic enlargement for `compare`.
        """
        weighted = transparency.matters(self.photo.alpha)
        if weighted:
            transparency.fill_hidden(self.photo.pixels, self.photo.alpha)
        for start, stop, luma in self._luma_strips(progress):
            base = self._bicubic(start, stop) if luma is None or compare else None
            colours = Colours(self.photo, self._resize, start, stop, weighted)
            yield colours.of(base if luma is None else luma), colours.of(base) if compare else None
            if luma is None:
                progress()

    def _luma_strips(self, progress):
        """Strips as (start, stop, Y of the net, or None without one)."""
        height, width = self._resize.shape
        if self.plan.windows is None:
            yield from ((start, stop, None) for start, stop in _portions(0, height, width))
            return
        for top, band in self.luma(progress):
            for start, stop in _portions(top, top + len(band), width):
                yield start, stop, band[start - top : stop - top]

    def luma(self, progress=lambda: None):
        """Y of the result, for a method with a net.

        Parameters
        ----------
        progress : callable
            Called after each window.

        Yields
        ------
        (int, ndarray)
            First row of a band; (rows, m W), float32, about 0..1.

        Raises
        ------
        UserError
            The result is not finite.
        """
        self.enlarger.hold(self.plan.windows)
        bands = self.enlarger.tiled.bands(self._input_rows, self.plan.windows, progress)
        for top, band in self._placed(bands):
            if not np.isfinite(band).all():
                raise UserError(
                    f"{self.photo.path}: {self.method.name} gives values that are not finite; its weights have diverged"
                )
            yield top, band

    def _input_rows(self, start, stop):
        """Rows start..stop of the net's input, whose padding repeats the border of the picture."""
        before, behind = self.enlarger.pads
        make = self._bicubic if self.method.enlarges_first else self.photo.luma
        if not before and not behind:
            return make(start, stop)
        height = (self._resize.shape if self.method.enlarges_first else self.photo.pixels.shape)[0]
        wanted = np.clip(np.arange(start - before, stop - before), 0, height - 1)
        rows = make(int(wanted[0]), int(wanted[-1]) + 1)
        return np.pad(rows[wanted - wanted[0]], ((0, 0), (before, behind)), mode="edge")

    def _placed(self, bands):
        """Bands of the net's output as bands of the result."""
        if not any(self.enlarger.pads):
            outputs = self.enlarger.tiled.outputs(self.enlarger.input_shape(self.photo.extent))
            yield from resized(bands, outputs, self.plan.shape[0], self.enlarger.edge)
            return
        height, width = self.plan.shape
        first = self.method.first_pixel(self.enlarger.scale, self.enlarger.pads[0])
        for start, band in bands:
            skipped = max(first - start, 0)
            top = start + skipped - first
            band = band[skipped:, first : first + width][: max(height - top, 0)]
            if len(band):
                if self.method.adds_base:
                    for low, high in _portions(top, top + len(band), band.shape[1]):
                        band[low - top : high - top] += self._bicubic(low, high)
                yield top, band

    def _bicubic(self, start, stop):
        """Rows start..stop of the bicubic enlargement of Y: ndarray, (stop - start, m W), float32."""
        out = np.empty((stop - start, self._resize.shape[1]), np.float32)
        for low, high in _portions(start, stop, self._resize.shape[1]):
            rows = self.photo.luma(*self._resize.needs(low, high))
            out[low - start : high - start] = self._resize.rows(rows, low, high)
        return out


def rows_at_a_time(width):
    """Rows (int) of a strip of so many columns."""
    return max(1, STRIP // width)


def _portions(start, stop, width):
    """Rows start..stop of the result as (start, stop) of a strip each."""
    step = rows_at_a_time(width)
    return ((low, min(low + step, stop)) for low in range(start, stop, step))
