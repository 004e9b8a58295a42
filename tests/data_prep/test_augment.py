"""The 40 variants of an image: their order, and each against what the paper says."""

import numpy as np

from data_prep.augment import luma_variants
from data_prep.geometry import NONE, variant_shapes
from matlab_compat import imresize, rgb2ycbcr


def picture(height, width):
    """Colour noise, (height, width, 3) uint8: no two variants are equal."""
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def test_variants_in_the_order_of_their_shapes():
    image = picture(46, 61)
    variants = list(luma_variants(image))
    assert [luma.shape for luma in variants] == variant_shapes(46, 61)
    assert all(luma.dtype == np.uint8 for luma in variants)
    # each odd one is the flip of the one before
    for plain, flipped in zip(variants[::2], variants[1::2]):
        assert np.array_equal(plain[:, ::-1], flipped)
    # unscaled ones are exact turns of the luma
    luma = rgb2ycbcr(image)[:, :, 0]
    for turns in range(4):
        assert np.array_equal(variants[10 * turns], np.rot90(luma, turns))
    # scaled ones: the 8-bit RGB picture is turned and made smaller before luma is taken
    expected = rgb2ycbcr(imresize(np.rot90(image), 0.7))[:, :, 0]
    assert np.array_equal(variants[16], expected)
    assert len({luma.tobytes() for luma in variants}) == 40


def test_without_augmentation_the_image_itself():
    image = picture(20, 30)
    (only,) = luma_variants(image, NONE)
    assert np.array_equal(only, rgb2ycbcr(image)[:, :, 0])
