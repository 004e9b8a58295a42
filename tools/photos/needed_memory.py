"""What enlarging a picture takes: known from its size, before it is decoded, and kept to by all that comes after."""

from tools.nets import windows
from tools.photos import transparency

FLOAT = 4
PROCESS = 176 << 20  # bytes: Python, the libraries, the weights
STRIP = 1 << 18  # result pixels that are coloured at a time, but at least a row
STRIP_BYTES = 160  # for each of them, in double, with the PNG's filters (measured)
WEIGHTED_BYTES = 60  # more where colours are weighted by alpha (measured)
AXIS_BYTES = 210  # for each row and column of the result: the bicubic's weights


def without_net(extent, shape, beside=0):
    """Bytes (int) of all but the net.

    Parameters
    ----------
    extent : tools.photos.photo.Extent
        Of the picture.
    shape : (int, int)
        Rows and columns of the result.
    beside : int
        Bytes that writing the result takes besides a few rows.
    """
    height, width = shape
    strip = max(STRIP, width) * (STRIP_BYTES + WEIGHTED_BYTES * extent.alpha)
    filling = transparency.fill_bytes(extent.shape) if extent.alpha else 0
    return PROCESS + extent.bytes + beside + AXIS_BYTES * (height + width) + max(strip, filling)


class NetMemory:
    """What a net takes that runs in windows.

    Parameters
    ----------
    tiled : tools.nets.windows.Tiled
    a_pixel : float
        Bytes for each input pixel of a window, from tools.nets.forward_memory.
    constant : int
        Bytes that it takes for windows of any size.
    resized : bool
        The net's output is not of the result's size.
    """

    def __init__(self, tiled, a_pixel, constant, resized):
        self.tiled, self.a_pixel, self.constant = tiled, a_pixel, constant
        self._copies = 5 if resized else 2

    def of_window(self, found):
        """Bytes of a window, in the net, of (Windows, Windows)."""
        return found[0].size * found[1].size * self.a_pixel

    def of_band(self, rows, width):
        """Bytes (int) of a row of windows: so many rows of the net's input, and of its output."""
        outputs = self.tiled.outputs((rows, width))
        return FLOAT * (6 * rows * width + self._copies * outputs[0] * outputs[1])

    def room(self, spare, width):
        """What windows may take (Room) of `spare` bytes, for a net's input of so many columns."""
        one, two = (self.of_band(rows, width) for rows in (1, 2))
        return windows.Room(spare, self.a_pixel, a_row=two - one, besides=2 * one - two)

    def least(self, shape):
        """Bytes (int) that suffice, the constant not counted, for a net's input of `shape` (int, int)."""
        least = [min(n, windows.least(field) + 8) for n, field in zip(shape, self.tiled.fields)]
        pixels = max(1.1 * least[0] * least[1], min(1.1 * self.tiled.fewest, shape[0] * shape[1]))
        return int(pixels * self.a_pixel + self.of_band(max(least[0], int(pixels / shape[1]) + 1), shape[1]))
