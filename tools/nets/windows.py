"""Run a net over an image of any size, window by window, with the result of the whole image.

Every window has the same size, the last ones are moved inwards, and of each one only those output pixels are kept
whose receptive field lies inside the window (at the image's border: whose field the border itself cuts, since Caffe
pads there with the same zeros as it would for the whole image). So the result is that of one forward of the whole
image, to the last bit where the engine computes a pixel in the same way wherever it lies in its blob. OpenBLAS on
processors with AVX-512 does for matrices that are not small, hence `fewest`. Its kernels for older processors add the
products of the last columns of a matrix in another order, and the fast engine's 3x3 convolutions compute tiles of 4x4
pixels: there the last bits (some 1e-6 of the range, measured) can depend on the size of the windows, while the same
windows give the same bits on every run.
"""

import math
from dataclasses import dataclass

import numpy as np

from tools.common.errors import UserError
from tools.nets import runtime

# multiplications of a matrix product up to which OpenBLAS takes kernels for small ones, which sum in another order
SMALL_PRODUCT = 1_000_000
SHORT_SUM = 16  # terms that every kernel adds in the same order (measured)


@dataclass(frozen=True)
class Windows:
    """Windows along one axis of an image.

    Attributes
    ----------
    length : int
        Input pixels of the image.
    size : int
        Input pixels of a window.
    windows : list of (int, int, int)
        Where a window begins in the input; the output pixels start..stop that are taken from it.
    """

    length: int
    size: int
    windows: list


@dataclass(frozen=True)
class Room:
    """Memory for a net's windows, and what they take of it.

    Attributes
    ----------
    bytes : float
        What there is.
    a_pixel : float
        Bytes that each input pixel of a window takes in the net.
    a_row, besides : float
        Bytes that each input row takes outside of it, at the width of the whole image, and those that any number takes.
    """

    bytes: float
    a_pixel: float
    a_row: float = 0
    besides: float = 0

    def holds(self, rows, columns):
        """Whether there is room for windows of this size (int, int)."""
        return rows * columns * self.a_pixel + self.a_row * rows + self.besides <= self.bytes


def least(field):
    """Smallest size (int, input pixels) of a window that gives any output pixel when it touches no border."""
    period = [field.inputs(y) for y in range(field.step.denominator)]
    return max(last - first + 1 for first, last in period)


def fewest(net, message):
    """Pixels (int) that a window should have, so that no layer's product is a small one for OpenBLAS.

    Parameters
    ----------
    net : caffe.Net
    message : NetParameter
        What it was built from.
    """
    products = []
    for layer in message.layer:
        if layer.type in ("Convolution", "Deconvolution"):
            weights, group = net.params[layer.name][0], max(layer.convolution_param.group, 1)
            # a convolution sums over maps in x kernel, a transposed one over the maps in alone
            terms = weights.count // weights.num if layer.type == "Convolution" else weights.num // group
            if terms > SHORT_SUM:
                products.append(weights.count // group)
    return math.ceil(SMALL_PRODUCT / min(products)) + 1 if products else 1


def cut(length, size, field, total):
    """Divide one axis into windows.

    Parameters
    ----------
    length, size : int
        Input pixels of the image and of a window.
    field : prototxt.receptive.Field
    total : int
        Output pixels of the whole image.

    Returns
    -------
    Windows
        One window when the image is no longer than `size`.

    Raises
    ------
    ValueError
        `size` is below `least`, and the image longer than that.
    """
    size = min(size, length)
    windows, done, begin = [], 0, 0
    while done < total:
        end = begin + size
        stop = total if end == length else field.stop(end)
        if stop <= done:
            raise ValueError(f"windows: {size} pixels are too few, expected at least {least(field)}")
        windows.append((begin, done, stop))
        done = stop
        # the furthest window that still has all that the next wanted pixel reads
        begin = min(field.inputs(done)[0], length - size)
    return Windows(length, size, windows)


def plan(shape, fields, room, outputs, fewest=1):
    """Choose the windows for an image: those for which the fewest pixels are computed in all.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the net's input.
    fields : (Field, Field)
        Receptive fields of rows and columns.
    room : Room
        Memory that a row of windows may take.
    outputs : (int, int)
        Rows and columns of the whole image's output.
    fewest : int
        The fewest input pixels of a window that is not the whole image.

    Returns
    -------
    (Windows, Windows) or None
        Along rows and columns; None when there is no room even for the smallest window.
    """
    pixels = min(shape[0] * shape[1], int(room.bytes / room.a_pixel))
    while True:
        size = _size(shape, fields, pixels, fewest)
        if size is None:
            return None
        if room.holds(*size):
            return tuple(cut(n, part, field, total) for n, part, field, total in zip(shape, size, fields, outputs))
        pixels = int(0.95 * size[0] * size[1])  # the rows besides the net leave it less


def _size(shape, fields, pixels, fewest):
    """Rows and columns (int, int) of the windows, none above `pixels`; None when there are none so small."""
    height, width = shape
    if height * width <= pixels:
        return shape
    if pixels < min(fewest, height * width):
        return None
    smallest = [min(n, least(field)) for n, field in zip(shape, fields)]
    best = None
    # besides what divides the width evenly: the widest window of full height
    for columns in sorted({*_sizes(width, smallest[1]), min(width, max(smallest[1], pixels // height))}):
        rows = min(height, pixels // columns)
        if rows < smallest[0] or rows * columns < fewest:
            continue
        cost = _count(height, rows, fields[0]) * rows * _count(width, columns, fields[1]) * columns
        if best is None or cost < best[0]:
            best = cost, rows, columns
    return best and best[1:]


def _sizes(length, smallest):
    """Sizes worth a try along an axis: the whole, and what divides it evenly into up to some hundred windows."""
    sizes = {length, smallest}
    for count in range(2, 400):
        size = math.ceil((length + (count - 1) * (smallest - 1)) / count)
        sizes.add(min(max(size, smallest), length))
    return sizes


def _count(length, size, field):
    """About how many windows `cut` makes."""
    return 1 if size >= length else math.ceil((length - size) / (size - least(field) + 1)) + 1


class Tiled:
    """A net that takes images of any size.

    Parameters
    ----------
    net : caffe.Net
        With an input blob `data` (1, 1, H, W).
    output : str
        Blob to read.
    fields : (Field, Field)
        From prototxt.receptive.receptive_field; an output pixel's step must be a whole part of an input pixel.
    fewest : int
        The fewest input pixels of a window that is not the whole image, see `fewest`.

    Raises
    ------
    UserError
        The net makes images smaller.
    """

    def __init__(self, net, output, fields, fewest=1):
        if any(field.step.numerator != 1 for field in fields):
            raise UserError(f"{output}: this net makes images smaller; expected one that keeps or enlarges them")
        self.net, self.output, self.fields, self.fewest = net, output, fields, fewest
        self._excess = self._probe()

    def _probe(self):
        """Output pixels beyond (input - 1) times the factor, along rows and columns."""
        side = 2 * max(field.radius for field in self.fields) + 4
        blob = self.net.blobs["data"]
        blob.reshape(1, 1, side, side)
        self.net.reshape()
        made = self.net.blobs[self.output].shape
        return [made[k + 2] - (side - 1) * field.step.denominator for k, field in enumerate(self.fields)]

    def outputs(self, shape):
        """Rows and columns (int, int) of the output for an input of `shape`."""
        return tuple(
            (n - 1) * field.step.denominator + more for n, field, more in zip(shape, self.fields, self._excess)
        )

    def plan(self, shape, room):
        """Windows for an input of `shape` (int, int) in a Room, see `plan`."""
        return plan(shape, self.fields, room, self.outputs(shape), self.fewest)

    def bands(self, read, windows, progress=lambda: None):
        """The output, one row of windows after the other.

        Parameters
        ----------
        read : callable (start, stop) -> ndarray, (stop - start, W), float32
            Rows of the net's input.
        windows : (Windows, Windows)
            From `plan`.
        progress : callable
            Called after each window.

        Yields
        ------
        (int, ndarray)
            First output row of a band; (rows, W'), float32. The bands lie below each other without gaps.
        """
        rows, columns = windows
        step = self.fields[0].step.denominator, self.fields[1].step.denominator
        for begin, top, bottom in rows.windows:
            image = read(begin, begin + rows.size)
            band = np.empty((bottom - top, columns.windows[-1][2]), np.float32)
            for first, left, right in columns.windows:
                part = runtime.forward(self.net, image[:, first : first + columns.size], self.output)
                y, x = begin * step[0], first * step[1]
                band[:, left:right] = part[top - y : bottom - y, left - x : right - x]
                progress()
            yield top, band
