"""An image's training pairs, for every kind of database."""

import hashlib
import itertools
from functools import partial

import numpy as np

from data_prep.augment import luma_variants
from data_prep.geometry import Augmentation, Geometry
from data_prep.patches import cut, tile
from matlab_compat import im2double, imresize, modcrop, rgb2ycbcr


def pairs(rgb, shape, key, chosen=None):
    """Yield the pairs of an image, variant by variant.

    Parameters
    ----------
    rgb : ndarray, (H, W, 3), uint8 [0, 255]
    shape : Geometry or Sampling
    key : str
        What the random places of an image are drawn from: the same key gives the same ones.
    chosen : ndarray, (N,), int64, optional
        Numbers of the pairs that are wanted, ascending; None: all. A variant without any is not computed.

    Yields
    ------
    dict of str to ndarray, (N, 1, side, side), float32 about [0, 1]
        For each dataset of `shape.sides`; as many in all as `shape.patches` counts, in its order.
    """
    every = chosen is None
    if every:
        chosen = np.arange(sum(shape.patches(*rgb.shape[:2])))
    if getattr(shape, "kind", None) == "pyramid":
        wanted = frozenset(chosen.tolist())
        return (one for number, one in enumerate(_pyramids(rgb, shape, key)) if number in wanted)
    return _chosen(rgb, shape, chosen, every)


def _chosen(rgb, shape, chosen, every):
    """The chosen pairs of the variants, whose flips and factors share one luma; `every` variant, or those with some."""
    counts, augmentation = shape.patches(*rgb.shape[:2]), shape.augmentation
    bounds = np.searchsorted(chosen, np.cumsum([0, *counts])).tolist()
    starts = np.cumsum([0, *counts]).tolist()
    ways = _ways(shape)
    together, number = len(augmentation.flips) * len(ways), 0
    for turn, factor in itertools.product(augmentation.turns, augmentation.factors):
        if bounds[number] == bounds[number + together] and not every:
            number += together
            continue
        for luma in luma_variants(rgb, Augmentation((turn,), (factor,), augmentation.flips)):
            for way in ways:
                wanted = chosen[bounds[number] : bounds[number + 1]] - starts[number]
                if len(wanted) or every:
                    yield _picked(way(luma), wanted, counts[number])
                number += 1


def _ways(shape):
    """How a luma is cut: a function (luma) -> dict for each factor."""
    if isinstance(shape, Geometry):
        return [partial(cut, shape=shape)]
    one = _interpolated if shape.kind == "interpolated" else _small
    return [partial(one, shape=shape, scale=m) for m in shape.scales]


def _picked(patches, wanted, count):
    if len(wanted) == count:
        return patches
    return {name: found[wanted] for name, found in patches.items()}


def _interpolated(luma, shape, scale):
    """The enlarged image and the original, the label in the middle of its input when it is smaller.

    Source: the releases of SRCNN and DRRN, the public port of VDSR (generate_train.m and alike).
    """
    high, grid = _high(luma, shape, scale)
    if high is None:
        return _nothing(shape)
    base = imresize(imresize(high, 1 / scale), scale)
    skip = (shape.size - shape.label) // 2
    return {
        "data": tile(base, shape.size, shape.stride, 0, grid),
        "label": tile(high, shape.label, shape.stride, skip, grid),
    }


def _small(luma, shape, scale):
    """Pieces of the LR image and what the network makes of them, of the original.

    Source: FSRCNN's and ESPCN's papers, sections 4.2 and 4.1; FSRCNN's release for where its labels begin.
    """
    high, grid = _high(luma, shape, scale)
    if high is None:
        return _nothing(shape)
    skip = scale * shape.margin + (shape.late or 0)
    return {
        "data": tile(imresize(high, 1 / scale), shape.size, shape.stride, 0, grid),
        "label": tile(high, shape.label, shape.stride * scale, skip, grid),
    }


def _high(luma, shape, scale):
    """The original and the grid of its pieces; None without one."""
    high = modcrop(im2double(luma), scale)
    grid = shape.grid(scale, *high.shape)
    return (high if grid[0] * grid[1] else None), grid


def _nothing(shape):
    return {name: np.empty((0, 1, side, side), np.float32) for name, side in shape.sides.items()}


def _pyramids(rgb, shape, key):
    """Pieces at random places, each with an image for every level, made by imresize of the piece itself.

    Source: LapSRN's release, getBatch_LapSRN.m: the piece is drawn from the image at a random size, then turned and
    flipped in both directions at random; an image that is too small is enlarged first.
    """
    # RandomState for its frozen stream, as in plan.py; seeded by the image, so that the order of work does not matter
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "little")
    random = np.random.RandomState(seed)  # noqa: NPY002
    luma = im2double(rgb2ycbcr(rgb)[:, :, 0])
    images = {}
    augmentation = shape.augmentation
    for _ in range(shape.crops):
        factor = augmentation.factors[random.randint(len(augmentation.factors))]
        if factor not in images:
            images[factor] = _at_least(imresize(luma, factor) if factor != 1 else luma, shape.label)
        image = images[factor]
        top, left = (random.randint(side - shape.label + 1) for side in image.shape)
        piece = image[top : top + shape.label, left : left + shape.label]
        piece = np.rot90(piece, augmentation.turns[random.randint(len(augmentation.turns))])
        for axis, flip in enumerate(("ud", "lr")):
            if flip in augmentation.flips and random.randint(2):
                piece = np.flip(piece, axis)
        planes = {f"level{k}_HR": piece if k == 1 else imresize(piece, 1 / 2 ** (k - 1)) for k in shape.levels}
        planes["data"] = imresize(piece, 1 / shape.scales[0])
        yield {name: np.ascontiguousarray(planes[name], np.float32)[None, None] for name in shape.sides}


def _at_least(image, side):
    """The image, enlarged to `side` pixels in its smaller direction when it has fewer."""
    smallest = min(image.shape)
    if smallest >= side:
        return image
    return imresize(image, output_shape=[max(side, round(side * length / smallest)) for length in image.shape])
