"""im2double, im2single, im2uint8, im2uint16 and the rounding behind them."""

import numpy as np
import pytest

from matlab_compat import im2double, im2single, im2uint8, im2uint16, matlab_round


def _row(values, dtype):
    return np.array([values], dtype)


@pytest.mark.parametrize(
    "values, expected",
    [
        ([0.5, 1.5, 2.5], [1, 2, 3]),
        ([-0.5, -1.5, -2.5], [-1, -2, -3]),
        ([0.49999999999999994, -0.49999999999999994], [0, 0]),
        ([4503599627370497.0, 2.0**60], [4503599627370497.0, 2.0**60]),
    ],
)
def test_matlab_round(values, expected):
    # MATLAB: round([0.5 1.5 2.5]) is [1 2 3]; the number below one half rounds to 0
    np.testing.assert_array_equal(matlab_round(np.array(values)), expected)


def test_matlab_round_keeps_single():
    out = matlab_round(np.array([0.5, -7.5], np.float32))
    assert out.dtype == np.float32 and out.tolist() == [1, -8]


@pytest.mark.parametrize("convert, dtype", [(im2double, np.float64), (im2single, np.float32)])
def test_to_floats(convert, dtype):
    byte = np.arange(256, dtype=np.uint8)[None]
    np.testing.assert_array_equal(convert(byte), (np.arange(256, dtype=dtype) / dtype(255))[None])
    for img, expected in (
        (_row([0, 65535, 257], np.uint16), [0, 1, 257 / 65535]),
        (_row([-32768, 32767, 5], np.int16), [0, 1, 32773 / 65535]),
        (_row([-1.5, 0.25], np.float64), [-1.5, 0.25]),
        (_row([-1.5, 0.25], np.float32), [-1.5, 0.25]),
        (_row([True, False], bool), [1, 0]),
    ):
        out = convert(img)
        assert out.dtype == dtype
        np.testing.assert_array_equal(out[0], np.array(expected, dtype))


def test_single_is_divided_in_single():
    # the quotient in double, then cast, can differ in the last bit; MATLAB divides in single
    byte = np.arange(65536, dtype=np.uint16)[None]
    assert np.array_equal(im2single(byte)[0], np.arange(65536, dtype=np.float32) / np.float32(65535))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_to_uint8(dtype):
    img = _row([0, 1, 0.5, 1.5, -0.2, 0.1, 2.5 / 255], dtype)
    np.testing.assert_array_equal(im2uint8(img)[0], [0, 255, 128, 255, 0, 26, 3])
    # halves go up: MATLAB gives im2uint8(0.5) = 128, and im2uint8(0.1) = round(25.5) = 26
    np.testing.assert_array_equal(im2uint16(_row([0, 1, 0.5, 1.5, -0.2], dtype))[0], [0, 65535, 32768, 65535, 0])


def test_between_integers():
    np.testing.assert_array_equal(im2uint8(_row([0, 128, 129, 65535], np.uint16))[0], [0, 0, 1, 255])
    np.testing.assert_array_equal(im2uint8(_row([-32768, -32640, -32639, 32767], np.int16))[0], [0, 0, 1, 255])
    np.testing.assert_array_equal(im2uint16(_row([0, 3, 255], np.uint8))[0], [0, 771, 65535])
    np.testing.assert_array_equal(im2uint16(_row([-32768, 0, 32767], np.int16))[0], [0, 32768, 65535])
    np.testing.assert_array_equal(im2uint8(_row([True, False], bool))[0], [255, 0])
    np.testing.assert_array_equal(im2uint16(_row([True, False], bool))[0], [65535, 0])


def test_all_16_bit_values_to_uint8_equal_rounding():
    img = np.arange(65536, dtype=np.uint16)[None]
    np.testing.assert_array_equal(im2uint8(img)[0], np.floor(np.arange(65536) / 257 + 0.5))


@pytest.mark.parametrize(
    "convert, dtype", [(im2uint8, np.uint8), (im2uint16, np.uint16), (im2double, float), (im2single, np.float32)]
)
def test_the_same_class_is_copied(convert, dtype):
    img = np.zeros((2, 2), dtype)
    out = convert(img)
    out[0, 0] = 1
    assert img[0, 0] == 0 and out.dtype == dtype
