"""modcrop, shave, flip and imrotate."""

import numpy as np
import pytest

from matlab_compat import flip, imrotate, modcrop, shave

B = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)


@pytest.mark.parametrize(
    "angle, expected",
    [
        # MATLAB: B = uint8([1 2 3; 4 5 6]); imrotate(B, 90) and so on; counterclockwise
        (0, [[1, 2, 3], [4, 5, 6]]),
        (90, [[3, 6], [2, 5], [1, 4]]),
        (180, [[6, 5, 4], [3, 2, 1]]),
        (270, [[4, 1], [5, 2], [6, 3]]),
        (-90, [[4, 1], [5, 2], [6, 3]]),
        (450.0, [[3, 6], [2, 5], [1, 4]]),
        (-720, [[1, 2, 3], [4, 5, 6]]),
    ],
)
def test_imrotate(angle, expected):
    np.testing.assert_array_equal(imrotate(B, angle), expected)


def test_imrotate_keeps_channels():
    img = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    out = imrotate(img, 90)
    assert out.shape == (4, 2, 3)
    np.testing.assert_array_equal(out[..., 1], imrotate(img[..., 1], 90))


def test_flip():
    # MATLAB: flip(B, 1) turns the rows over, flip(B, 2) the columns
    np.testing.assert_array_equal(flip(B, 1), [[4, 5, 6], [1, 2, 3]])
    np.testing.assert_array_equal(flip(B, 2), [[3, 2, 1], [6, 5, 4]])
    np.testing.assert_array_equal(flip(B), flip(B, 1))
    np.testing.assert_array_equal(flip(B[:1]), [[3, 2, 1]])  # the first dimension longer than 1
    np.testing.assert_array_equal(flip(B, 3), B)
    np.testing.assert_array_equal(flip(B[:1, :1]), [[1]])
    np.testing.assert_array_equal(flip(np.dstack([B, B + 6]), 3), np.dstack([B + 6, B]))


@pytest.mark.parametrize("m, shape", [(1, (11, 13)), (2, (10, 12)), (3, (9, 12)), (4, (8, 12)), (11, (11, 11))])
def test_modcrop(m, shape):
    img = np.arange(11 * 13, dtype=np.uint16).reshape(11, 13)
    np.testing.assert_array_equal(modcrop(img, m), img[: shape[0], : shape[1]])
    assert modcrop(np.dstack([img] * 3), m).shape == (*shape, 3)
    assert modcrop(img, np.int64(m)).shape == shape


def test_shave():
    img = np.arange(63, dtype=np.uint8).reshape(7, 9)
    np.testing.assert_array_equal(shave(img, 0), img)
    np.testing.assert_array_equal(shave(img, 3), img[3:4, 3:6])
    np.testing.assert_array_equal(shave(img, (1, 4)), img[1:6, 4:5])
    assert shave(np.dstack([img] * 3), 2).shape == (3, 5, 3)
