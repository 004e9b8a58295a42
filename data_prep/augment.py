"""The variants of a training image; IDN's are 4 rotations x 5 sizes x flip or not (paper, section 4.1.1)."""

import numpy as np

from data_prep.geometry import VARIANTS
from matlab_compat import imresize, luma


def luma_variants(rgb, augmentation=VARIANTS):
    """Yield the luma of each variant of an image.

    Parameters
    ----------
    rgb : ndarray, (H, W, 3), uint8 [0, 255]
        The image.
    augmentation : geometry.Augmentation
        Turns, sizes and flips.

    Yields
    ------
    ndarray, (h, w), uint8 [16, 235]
        Y of rgb2ycbcr, in the order of `geometry.variant_shapes`: by rotation, then size, then flip.

    Notes
    -----
    As in the release an image is turned, made smaller as 8-bit RGB (each variant was an 8-bit BMP in
    between), flipped, and converted last. Converting is done before flipping here: it works pixel by pixel,
    so the order is free. The flip is left-right, as the paper says; the release flips up-down, which after
    the rotations is the same set but for rounding.

    Source: paper, section 4.1.1; release, train/data_aug.m.
    """
    for turns in augmentation.turns:
        turned = np.rot90(rgb, turns)
        for factor in augmentation.factors:
            small = turned if factor == 1 else imresize(turned, factor)
            plane = luma(small)
            yield from (_FLIPS[flip](plane) for flip in augmentation.flips)


_FLIPS = {"": lambda plane: plane, "lr": lambda plane: plane[:, ::-1], "ud": lambda plane: plane[::-1]}
