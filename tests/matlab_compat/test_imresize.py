"""imresize: MATLAB's vectors, its rules for size and order, and the two ways to compute a pass."""

from fractions import Fraction

import numpy as np
import pytest

from matlab_compat import imresize
from matlab_compat._resample import Axis, axis_plan, resample, resample_bytes, resample_exact
from matlab_compat.contributions import contributions
from matlab_compat.kernels import KERNELS, cubic


@pytest.fixture
def rng():
    """Random numbers that do not depend on which tests ran before."""
    return np.random.default_rng(0)


@pytest.mark.parametrize(
    "edge, row",
    [
        # MATLAB: A = [3 1 2 6; 1 5 2 7; 1 3 6 2; 4 1 9 2]; B = imresize(A, 2); B(1, :), printed with four digits
        ("replicate", [3.3109, 2.6187, 1.1206, 0.7166, 1.4067, 2.8883, 5.1615, 6.2060]),
        ("symmetric", [3.4277, 2.6348, 1.0488, 0.6326, 1.3860, 2.8901, 5.1450, 6.2725]),
    ],
)
def test_both_generations_of_the_border(edge, row):
    a = np.array([[3, 1, 2, 6], [1, 5, 2, 7], [1, 3, 6, 2], [4, 1, 9, 2]], float)
    np.testing.assert_allclose(imresize(a, 2, edge=edge)[0], row, atol=5.1e-5)


@pytest.mark.parametrize(
    "image, options, expected",
    [
        # what users of MATLAB printed, with the title of their question on Stack Overflow and its year
        (  # "Why does imresize produce values greater than maximal?", 2013
            [[0, 0, 1, 1, 0]],
            {"output_shape": (1, 10)},
            [[0, -0.0234, -0.0703, 0.2031, 0.7969, 1.0938, 1.0938, 0.7969, 0.2031, -0.0703]],
        ),
        (
            [[0, 0, 1, 1, 0]],
            {"output_shape": (1, 10), "method": "bilinear"},
            [[0, 0, 0, 0.25, 0.75, 1, 1, 0.75, 0.25, 0]],
        ),
        # "How does nearest-neighbor interpolation work in MATLAB?", 2013; [6 6] at the end, not [3 6]
        ([[1, 4, 7, 4, 3, 6]], {"output_shape": (1, 9), "method": "nearest"}, [[1, 4, 4, 7, 4, 4, 3, 6, 6]]),
        # "why OpenCV cv2.resize gives different answer than MATLAB imresize?", 2014
        (
            [[1, 1.25, 1.75, 2], [1.5, 1.75, 2.25, 2.5], [2.5, 2.75, 3.25, 3.5], [3, 3.25, 3.75, 4]],
            {"output_shape": (2, 2), "method": "bilinear"},
            [[1.5625, 2.1875], [2.8125, 3.4375]],
        ),
        # "MATLAB vs C++ vs OpenCV - imresize", 2014
        (np.arange(16).reshape(4, 4), {"scale": 0.5, "method": "bilinear"}, [[3.125, 4.875], [10.125, 11.875]]),
        (np.arange(16).reshape(4, 4), {"scale": 0.5, "antialiasing": False}, [[2.1875, 4.3125], [10.6875, 12.8125]]),
        # "How to use Matlab's imresize in python", 2015: the border is still repeated
        (np.arange(1, 10).reshape(3, 3), {"output_shape": (2, 2)}, [[2.1296, 3.5648], [6.4352, 7.8704]]),
        # Octave's image package 2.14 quotes MATLAB in its tests: the border is mirrored
        ([[10, 6]], {"output_shape": (1, 3), "edge": "symmetric"}, [[10.27777777777777, 8, 5.72222222222222]]),
    ],
)
def test_values_that_matlab_printed(image, options, expected):
    np.testing.assert_allclose(imresize(np.array(image, float), **options), expected, atol=5.1e-5)


def _exact_cubic(x):
    a = abs(x)
    if a <= 1:
        return Fraction(3, 2) * a**3 - Fraction(5, 2) * a**2 + 1
    return -Fraction(1, 2) * a**3 + Fraction(5, 2) * a**2 - 4 * a + 2 if a <= 2 else Fraction(0)


def _exact_row(values, scale, length):
    """Bicubic in rational arithmetic, replicate edge: the definition without any rounding."""
    stretch = min(scale, Fraction(1))
    out = []
    for x in range(1, length + 1):
        u = x / scale + (1 - 1 / scale) / 2
        taps = range(int(u - 2 / stretch) - 2, int(u + 2 / stretch) + 3)
        weights = [_exact_cubic(stretch * (u - k)) for k in taps]
        pixels = [values[min(max(k, 1), len(values)) - 1] for k in taps]
        out.append(sum(w * p for w, p in zip(weights, pixels)) / sum(weights))
    return out


@pytest.mark.parametrize("scale", [Fraction(1, 4), Fraction(1, 3), Fraction(3, 5), Fraction(9, 10), Fraction(7, 2)])
def test_bicubic_equals_rational_arithmetic(rng, scale):
    values = [int(v) for v in rng.integers(0, 256, 40)]
    length = -(-40 * scale.numerator // scale.denominator)
    expected = _exact_row(values, scale, length)
    img = np.array([values] * 2, float)
    result = imresize(img, (1, float(scale)))[0]
    # the double nearest to 3/5 is a little less, and so are the places of the pixels
    np.testing.assert_allclose(result, [float(v) for v in expected], rtol=0, atol=1e-11)
    rounded = [min(max(int(v + Fraction(1, 2)), 0), 255) for v in expected]
    decided = [v % 1 != Fraction(1, 2) for v in expected]  # rounding errors decide on half-way sums
    assert sum(decided) > 0.9 * length
    out = imresize(img.astype(np.uint8), (1, float(scale)))[0]
    np.testing.assert_array_equal(out[decided], np.array(rounded)[decided])


@pytest.mark.parametrize("scale", [0.05, 0.23, 1 / 3, 0.5, 0.9, 1.1, 2, 3.7])
@pytest.mark.parametrize("method", ["bicubic", "lanczos3", "bilinear", "box"])
@pytest.mark.parametrize("edge", ["replicate", "symmetric"])
def test_the_fast_way_equals_the_definition(rng, scale, method, edge):
    img = rng.integers(0, 256, (67, 83, 3), np.uint8)
    for axis in (0, 1):
        length = int(np.ceil(img.shape[axis] * scale))
        plan = axis_plan(img.shape[axis], length, scale, method, True, edge)
        expected = resample_exact(img, plan, axis)
        np.testing.assert_array_equal(resample_bytes(img, plan, axis), expected)
        assert expected.std() > 0


def test_half_way_sums_are_computed_again_by_the_definition(rng):
    # at 0.9 many sums of these two values lie half-way between bytes up to rounding errors
    img = rng.choice(np.array([0, 5], np.uint8), (300, 301, 1))
    plan = axis_plan(300, 270, 0.9, "bilinear", False, "replicate")
    sums = plan.matrix @ img[:, :, 0].astype(float)
    assert (np.abs(sums % 1 - 0.5) < 1e-9).mean() > 0.01
    np.testing.assert_array_equal(resample_bytes(img, plan, 0), resample_exact(img, plan, 0))


def test_which_scales_need_no_second_look():
    short = {s: Axis(48, int(48 * s), s, "bicubic", True, "replicate").exact_in_single for s in (0.25, 0.5, 2.0, 4.0)}
    assert all(short.values())
    assert not Axis(48, 16, 1 / 3, "bicubic", True, "replicate").exact_in_single


def test_the_bound_of_single_precision_holds():
    # worst inputs for the sum: 255 under the positive weights, 0 under the negative ones
    plan = axis_plan(400, 123, 0.3071, "lanczos3", True, "replicate")
    img = (255 * (plan.matrix.toarray() > 0)).astype(np.uint8).T  # (400, 123)
    exact = plan.matrix @ img.astype(float)
    for start, stop, low, high, dense in plan.blocks:
        single = dense @ img[low:high].astype(np.float32)
        assert np.abs(single - exact[start:stop]).max() < plan.margin < 0.01


def test_the_smaller_scale_goes_first_and_each_pass_rounds(rng):
    img = rng.integers(0, 256, (30, 40), np.uint8)
    rows_first = imresize(imresize(img, (0.4, 1)), (1, 0.7))
    columns_first = imresize(imresize(img, (1, 0.7)), (0.4, 1))
    assert not np.array_equal(rows_first, columns_first)
    np.testing.assert_array_equal(imresize(img, (0.4, 0.7)), rows_first)
    np.testing.assert_array_equal(imresize(img, (0.7, 0.4)), imresize(imresize(img, (1, 0.4)), (0.7, 1)))
    np.testing.assert_array_equal(imresize(img, 0.6), imresize(imresize(img, (0.6, 1)), (1, 0.6)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, np.float64, bool])
def test_class_in_is_class_out(rng, dtype):
    img = (rng.random((9, 8, 3)) * (1 if dtype is bool else 100) > 0.5).astype(dtype)
    out = imresize(img, 1.5)
    assert out.dtype == dtype and out.shape == (14, 12, 3)


def test_single_is_computed_in_double_and_stored_after_each_pass(rng):
    img = rng.random((20, 30)).astype(np.float32)
    first = imresize(img.astype(float), (0.4, 1)).astype(np.float32)
    second = imresize(first.astype(float), (1, 0.7)).astype(np.float32)
    np.testing.assert_array_equal(imresize(img, (0.4, 0.7)), second)


def test_logical_goes_through_bytes(rng):
    img = rng.random((20, 30)) > 0.5
    np.testing.assert_array_equal(imresize(img, 0.6), imresize(img.astype(np.uint8) * np.uint8(255), 0.6) > 128)


def test_values_saturate():
    step = np.repeat(np.array([[0, 255]], np.uint8), 8, axis=1)  # overshoots on both sides of the step
    out = imresize(np.repeat(step, 4, axis=0), 2)
    wide = imresize(np.repeat(step, 4, axis=0).astype(float), 2)
    assert wide.min() < -5 and wide.max() > 260
    assert out.min() == 0 and out.max() == 255 and (np.diff(out[0].astype(int)) >= 0).all()
    deep = (step.astype(np.int32) * 257 - 32768).astype(np.int16)
    assert imresize(np.repeat(deep, 4, axis=0), 2).min() == -32768


def test_output_shape_and_scale_agree(rng):
    img = rng.integers(0, 256, (24, 36, 3), np.uint8)
    np.testing.assert_array_equal(imresize(img, output_shape=(8, 12)), imresize(img, 1 / 3))
    np.testing.assert_array_equal(imresize(img, output_shape=(8, None)), imresize(img, 1 / 3))
    np.testing.assert_array_equal(imresize(img, output_shape=(float("nan"), 12)), imresize(img, 1 / 3))
    np.testing.assert_array_equal(imresize(img, output_shape=np.array([12, 12])), imresize(img, (1 / 2, 1 / 3)))


def test_an_open_size_is_rounded_up_and_takes_the_scale_of_the_other(rng):
    # MATLAB: imresize(A, [8 NaN]) of a 24 x 37 image has ceil(8 * 37 / 24) = 13 columns, both scales 8 / 24
    img = rng.random((24, 37))
    out = imresize(img, output_shape=(8, None))
    assert out.shape == (8, 13)
    np.testing.assert_array_equal(out, imresize(img, 8 / 24, output_shape=(8, 13)))
    assert not np.array_equal(out, imresize(img, output_shape=(8, 13)))


def test_scale_with_output_shape_crops_or_extends_the_grid(rng):
    img = rng.random((20, 20))
    np.testing.assert_array_equal(imresize(img, 0.5, output_shape=(6, 7)), imresize(img, 0.5)[:6, :7])
    assert imresize(img, 0.5, output_shape=(12, 12)).shape == (12, 12)


def test_size_is_the_ceiling_of_the_double_product():
    # as in MATLAB: 0.07 * 100 is 7.000000000000001 in double, so 8 pixels
    assert imresize(np.zeros((100, 100)), 0.07).shape == (8, 8)
    assert imresize(np.zeros((101, 102)), 1 / 3).shape == (34, 34)


def test_antialiasing_defaults_to_off_for_nearest_only(rng):
    img = rng.integers(0, 256, (31, 33), np.uint8)
    for method in KERNELS:
        default = imresize(img, 0.4, method=method)
        np.testing.assert_array_equal(default, imresize(img, 0.4, method=method, antialiasing=method != "nearest"))
    assert not np.array_equal(imresize(img, 0.4), imresize(img, 0.4, antialiasing=False))
    assert set(np.unique(imresize(img, 0.4, method="nearest"))) <= set(np.unique(img))


def test_names_for_one_kernel(rng):
    img = rng.random((12, 13))
    for one, other in (("bicubic", "cubic"), ("bilinear", "triangle")):
        np.testing.assert_array_equal(imresize(img, 0.7, method=one), imresize(img, 0.7, method=other))
    np.testing.assert_array_equal(
        imresize(img, 0.7, method="nearest", antialiasing=True), imresize(img, 0.7, method="box")
    )


def test_trailing_axes_are_resized_one_by_one(rng):
    img = rng.integers(0, 256, (14, 15, 2, 3), np.uint8)
    out = imresize(img, 0.6)
    assert out.shape == (9, 9, 2, 3)
    for i in range(2):
        for j in range(3):
            np.testing.assert_array_equal(out[:, :, i, j], imresize(img[:, :, i, j], 0.6))


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 7])
def test_channels_do_not_mix(rng, channels):
    img = rng.integers(0, 256, (25, 26, channels), np.uint8)
    for scale in (0.4, 1.3):
        out = imresize(img, scale)
        for k in range(channels):
            np.testing.assert_array_equal(out[..., k], imresize(img[..., k], scale))


def test_views_and_foreign_byte_order_give_the_same(rng):
    img = rng.integers(0, 256, (40, 50, 3), np.uint8)
    for view in (img[::2, ::-1], np.asfortranarray(img), img[..., ::-1], img.transpose(1, 0, 2)):
        np.testing.assert_array_equal(imresize(view, 0.6), imresize(np.ascontiguousarray(view), 0.6))
    wide = rng.random((10, 10))
    np.testing.assert_array_equal(imresize(wide.astype(">f8"), 0.6), imresize(wide, 0.6))


def test_the_input_is_left_alone_and_not_returned(rng):
    img = rng.integers(0, 256, (10, 12), np.uint8)
    before = img.copy()
    out = imresize(img, 1)
    out[:] = 0
    np.testing.assert_array_equal(img, before)


def test_the_weights_cannot_be_spoiled():
    weights, indices = contributions(10, 5, 0.5, "bicubic", True, "replicate")
    for array in (weights, indices):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_cubic_rounds_the_third_power_once(rng):
    # MATLAB computes absx.^3 by pow; three factors would round twice
    x = rng.random(500) * 2
    for value, result in zip(x.tolist(), cubic(x).tolist()):
        a2, a3 = value * value, float(Fraction(value) ** 3)
        inner, outer = 1.5 * a3 - 2.5 * a2 + 1, -0.5 * a3 + 2.5 * a2 - 4 * value + 2
        assert result == (inner if value <= 1 else outer)


def test_a_very_small_scale_takes_the_other_way(rng):
    img = rng.integers(0, 256, (3000, 5), np.uint8)
    plan = axis_plan(3000, 3, 0.001, "lanczos3", True, "replicate")
    assert not plan.fits_blocks
    np.testing.assert_array_equal(resample(img[..., None], plan, 0), resample_exact(img[..., None], plan, 0))
    assert imresize(img, (0.001, 1)).shape == (3, 5)
