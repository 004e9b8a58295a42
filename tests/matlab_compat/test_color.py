"""rgb2ycbcr and ycbcr2rgb: known values, classes and rounding."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from matlab_compat import luma, rgb2ycbcr, ycbcr2rgb

# corners of the RGB cube and MATLAB's rgb2ycbcr of them in uint8, from Poynton's matrix by hand: 16 + 65.481 = 81.48
CORNERS = {
    (0, 0, 0): (16, 128, 128),
    (255, 255, 255): (235, 128, 128),
    (255, 0, 0): (81, 90, 240),
    (0, 255, 0): (145, 54, 34),
    (0, 0, 255): (41, 240, 110),
    (255, 255, 0): (210, 16, 146),
    (0, 255, 255): (170, 166, 16),
    (255, 0, 255): (106, 202, 222),
}


@pytest.mark.parametrize("rgb, ycbcr", CORNERS.items())
def test_corners_of_the_cube(rgb, ycbcr):
    np.testing.assert_array_equal(rgb2ycbcr(np.array([[rgb]], np.uint8))[0, 0], ycbcr)


def test_luma_alone_is_the_first_channel():
    colours = np.random.default_rng(1).integers(0, 256, (150, 130, 3), np.uint8)  # more than one strip
    for img in (colours, colours.astype(np.uint16) * 257, colours / np.float32(255), colours / 255):
        np.testing.assert_array_equal(luma(img), rgb2ycbcr(img)[..., 0])
        assert luma(img).dtype == img.dtype


def test_every_class_has_its_range():
    white = np.ones((1, 1, 3))
    for img, expected in (
        ((white * 255).astype(np.uint8), [235, 128, 128]),
        ((white * 65535).astype(np.uint16), [235 * 257, 128 * 257, 128 * 257]),
        (white.astype(np.float32), np.array([235, 128, 128]) / 255),
        (white, np.array([235, 128, 128]) / 255),
    ):
        out = rgb2ycbcr(img)
        assert out.dtype == img.dtype
        np.testing.assert_allclose(out[0, 0], expected, rtol=1e-6)
        np.testing.assert_allclose(ycbcr2rgb(out), img, rtol=1e-6)


def test_bytes_are_rounded_as_in_rational_arithmetic():
    rng = np.random.default_rng(0)
    img = rng.integers(0, 256, (1, 3000, 3), np.uint8)
    rows = [[65481, 128553, 24966], [-37797, -74203, 112000], [112000, -93786, -18214]]
    for channel, (row, offset) in enumerate(zip(rows, (16, 128, 128))):
        exact = [offset + Fraction(sum(w * int(v) for w, v in zip(row, pixel)), 255000) for pixel in img[0].tolist()]
        assert not any(value % 1 == Fraction(1, 2) for value in exact)
        expected = [int(value + Fraction(1, 2)) for value in exact]
        np.testing.assert_array_equal(rgb2ycbcr(img)[0, :, channel], expected)


def test_the_way_back_saturates():
    # extreme chroma lies outside the RGB cube; G = 255 (219 / 219 - 112 (0.00153632 + 0.00318811)) = 120.07
    out = ycbcr2rgb(np.array([[[235, 240, 240], [16, 16, 16]]], np.uint8))
    np.testing.assert_array_equal(out[0], [[255, 120, 255], [0, 135, 0]])
    wide = ycbcr2rgb(np.array([[[235, 240, 240], [16, 16, 16]]]) / 255)
    assert wide.min() == 0 and wide.max() == 1


def test_it_is_not_opencvs_conversion():
    img = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    other = cv2.cvtColor(img, cv2.COLOR_RGB2YCrCb)
    assert np.abs(rgb2ycbcr(img)[..., 0].astype(int) - other[..., 0]).max() > 5


def test_large_images_are_done_in_strips():
    img = np.random.default_rng(0).integers(0, 256, (300, 200, 3), np.uint8)
    whole = rgb2ycbcr(img)
    for row in (0, 81, 82, 299):
        np.testing.assert_array_equal(rgb2ycbcr(img[row : row + 1])[0], whole[row])
    np.testing.assert_array_equal(rgb2ycbcr(img[::2, ::-1]), whole[::2, ::-1])
