"""Run a net tile by tile: for networks that keep hundreds of feature maps, whole images need tens of gigabytes.

The cut is the one of the DRRN and MemNet test scripts: an axis of n pixels is divided into
ceil(n / (tile + overlap)) equal parts, and each part is computed with up to `overlap` pixels of its surroundings,
which are then thrown away. With an overlap of at least the net's receptive radius the result is that of the
whole image; DRRN and MemNet overlap by less (16 pixels, radius 52 and 74), so that theirs differ a little.
"""

import numpy as np

from tools.nets import runtime


def spans(length, tile, overlap):
    """Parts of one axis: list of (start, stop, outer start, outer stop), the outer ones with their overlap."""
    parts = -(-length // (tile + overlap))
    stride = -(-length // parts)
    cuts = [(start, min(start + stride, length)) for start in range(0, length, stride)]
    return [(a, b, max(a - overlap, 0), min(b + overlap, length)) for a, b in cuts]


def forward(net, image, output, tile=None):
    """Run one image of the size of its result through a net.

    Parameters
    ----------
    net : caffe.Net or callable
        See evaluation.forward.
    image : ndarray, (H, W), float32
    output : str
        Blob to read.
    tile : (int, int), optional
        Side of a tile and its overlap in pixels; None: the whole image at once, which may then have any size.

    Returns
    -------
    ndarray, float32
        (H, W), or whatever the net gives for the whole image.
    """
    if tile is None:
        return runtime.forward(net, image, output)
    result = np.empty(image.shape, np.float32)
    for top, bottom, outer_top, outer_bottom in spans(image.shape[0], *tile):
        for left, right, outer_left, outer_right in spans(image.shape[1], *tile):
            part = runtime.forward(net, image[outer_top:outer_bottom, outer_left:outer_right], output)
            inner = part[top - outer_top :, left - outer_left :]
            result[top:bottom, left:right] = inner[: bottom - top, : right - left]
    return result
