"""imresize for images too large for memory: any rows of the result from the few input rows that they need."""

import math

import numpy as np

from ._checks import check_image
from ._resample import axis_plan, resample
from .contributions import EDGES
from .kernels import KERNELS
from .rounding import to_class


class ImresizeStrips:
    """Rows of `imresize(img, scale)`, equal to it bit for bit, without the whole of either image.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the input.
    scale : float
        Factor for both axes, > 0. The result has ceil(scale * size) pixels.
    method, edge : str
        As of `imresize`; shrinking is antialiased but for "nearest".

    Attributes
    ----------
    shape : (int, int)
        Rows and columns of the result.

    Raises
    ------
    ValueError
        A size below 1, a scale that is not positive and finite, unknown method or edge.

    Notes
    -----
    With one factor for both axes MATLAB resizes the rows first, so a strip of the result needs a strip of the input.
    Source: MATLAB imresize.m.

    Examples
    --------
    >>> import numpy as np
    >>> strips = ImresizeStrips((2, 2), 2)
    >>> low, high = strips.needs(0, 1)
    >>> strips.rows(np.array([[0, 100], [100, 200]], np.uint8)[low:high], 0, 1)
    array([[  0,   9,  61,  88]], dtype=uint8)
    """

    def __init__(self, shape, scale, *, method="bicubic", edge="replicate"):
        height, width = shape
        if min(shape) < 1 or not (math.isfinite(scale) and scale > 0):
            raise ValueError(
                f"ImresizeStrips: got size {shape} and scale {scale!r}; expected sizes of at least 1, a scale above 0"
            )
        if method not in KERNELS or edge not in EDGES:
            raise ValueError(
                f"ImresizeStrips: got method {method!r} and edge {edge!r}; expected one of {', '.join(KERNELS)}, and "
                f"one of {', '.join(EDGES)}"
            )
        self.shape = math.ceil(scale * height), math.ceil(scale * width)
        options = float(scale), method, method != "nearest", edge
        self._rows = axis_plan(height, self.shape[0], *options)
        self._columns = axis_plan(width, self.shape[1], *options)

    def needs(self, start, stop):
        """Input rows low..high (int, int; high excluded) that rows start..stop of the result are made from."""
        taps = self._rows.indices[start:stop]
        return int(taps.min()), int(taps.max()) + 1

    def rows(self, part, start, stop):
        """Rows start..stop of the result.

        Parameters
        ----------
        part : ndarray, (high - low, W) or (high - low, W, C)
            The input rows that `needs(start, stop)` names; uint8, uint16, int16, float32 or float64.
        start, stop : int
            0 <= start < stop <= shape[0].

        Returns
        -------
        ndarray, (stop - start, W') or (stop - start, W', C), same dtype

        Raises
        ------
        ValueError
            `part` has another number of rows or columns, NaN or Inf.
        """
        part = check_image("ImresizeStrips.rows", part, classes=("uint8", "uint16", "int16", "single", "double"))
        low, high = self.needs(start, stop)
        if part.shape[:2] != (high - low, self._columns.in_length):
            raise ValueError(
                f"ImresizeStrips.rows: part has {part.shape[0]} rows of {part.shape[1]} pixels; expected "
                f"{high - low} of {self._columns.in_length}, the input's rows {low} to {high - 1}"
            )
        flat = np.ascontiguousarray(part, np.float64).reshape(len(part), -1)
        weights = self._rows.matrix[start:stop, low:high]
        enlarged = to_class(weights @ flat, part.dtype).reshape(stop - start, part.shape[1], -1)
        return resample(enlarged, self._columns, 1).reshape(stop - start, self.shape[1], *part.shape[2:])
