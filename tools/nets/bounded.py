"""A Caffe net on the CPU that takes whole images in bounded memory: in windows, with the values of the whole image.

A net that is given the small image takes gigabytes for a large one: LapSRN at x4 some 20 KB for each of its pixels,
half of that where blobs share memory. In windows (tools/nets/windows.py) it does not, and the values are the same ones.
"""

import numpy as np

from prototxt.receptive import receptive_field
from tools.nets import forward_memory, runtime, windows

# Bytes that a forward may take by forward_memory's figure, which is on the safe side. Windows of fewer would overlap
# so much that LapSRN takes twice as long (measured: 1024 MB no slower than the whole image, 256 MB twice as slow).
MOST = 1 << 30


class Bounded:
    """A net for tiles.forward, in place of the caffe.Net.

    Parameters
    ----------
    net : caffe.Net
        With an input blob `data`, on the CPU.
    message : NetParameter
        What it was built from.
    output : str
        The blob that will be read.
    most : int
        Bytes that a forward may take. An image for which even the smallest windows take more is run as a whole.
    """

    def __init__(self, net, message, output, most):
        self._net = net
        self._tiled = windows.Tiled(net, output, receptive_field(message, output), windows.fewest(net, message))
        a_pixel, besides = forward_memory.forward_bytes(net, message)
        self._room = windows.Room(most, a_pixel, besides=besides)

    def __call__(self, image, output):
        """The output (ndarray, (H', W'), float32) for an image (ndarray, (H, W), float32)."""
        found = self.windows(image.shape)
        if found is None:
            return runtime.forward(self._net, image, output)
        bands = self._tiled.bands(lambda start, stop: image[start:stop], found)
        return np.concatenate([band for _, band in bands])

    def windows(self, shape):
        """Windows along rows and columns for an image of `shape`, None where it is run as a whole."""
        if self._room.holds(*shape):
            return None
        return self._tiled.plan(shape, self._room)
