"""What holds for every image, kernel, class and scale."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from matlab_compat import (
    flip,
    im2double,
    im2uint8,
    im2uint16,
    imresize,
    imrotate,
    modcrop,
    psnr,
    rgb2ycbcr,
    rmse,
    shave,
    ycbcr2rgb,
)
from matlab_compat._resample import axis_plan, resample_exact
from matlab_compat.contributions import EDGES, contributions
from matlab_compat.kernels import KERNELS

SIDES = st.integers(1, 40)
SCALES = st.floats(0.05, 8)
METHODS = st.sampled_from(sorted(KERNELS))
EDGE = st.sampled_from(EDGES)
SMOOTH = st.sampled_from([True, False, None])
CLASSES = st.sampled_from(["uint8", "uint16", "int16", "float32", "float64"])
BYTES = hnp.arrays(np.uint8, st.tuples(SIDES, SIDES))
COLORS = hnp.arrays(np.uint8, st.tuples(st.integers(1, 8), st.integers(1, 8), st.just(3)))
# sizes up to 40 and scales up to 8 are worth their time, but not both at their ends in every example
OPTIONS = st.fixed_dictionaries({"method": METHODS, "edge": EDGE, "antialiasing": SMOOTH})


def _size(shape, scales):
    return tuple(int(np.ceil(factor * length)) for factor, length in zip(scales, shape))


def _random(shape, seed):
    return np.random.default_rng(seed).normal(size=shape)


@given(SIDES, SIDES, SCALES, SCALES, OPTIONS, CLASSES, st.data())
def test_constant_images_stay_constant(height, width, rows, columns, options, name, data):
    if name.startswith("float"):
        value = data.draw(st.floats(-1000, 1000, width=32))
    else:
        limits = np.iinfo(name)
        value = data.draw(st.integers(limits.min, limits.max))
    out = imresize(np.full((height, width), value, name), (rows, columns), **options)
    assert out.shape == _size((height, width), (rows, columns)) and out.dtype == name
    if name.startswith("float"):
        # the weights of a pixel sum to 1 up to rounding
        np.testing.assert_allclose(out, value, rtol=4e-7 if name == "float32" else 2e-14)
    else:
        assert (out == value).all()


@given(SIDES, SIDES, SCALES, OPTIONS, st.booleans())
def test_constant_logical_images_stay_constant(height, width, scale, options, value):
    assert (imresize(np.full((height, width), value), scale, **options) == value).all()


@given(SIDES, SIDES, SCALES, SCALES, OPTIONS, st.integers(0, 99), st.floats(-3, 3))
def test_double_is_linear(height, width, rows, columns, options, seed, factor):
    one, other = _random((2, height, width), seed)
    together = imresize(one + factor * other, (rows, columns), **options)
    apart = imresize(one, (rows, columns), **options) + factor * imresize(other, (rows, columns), **options)
    np.testing.assert_allclose(together, apart, rtol=0, atol=1e-12)


@given(BYTES, OPTIONS)
def test_a_scale_of_one_is_the_identity(img, options):
    np.testing.assert_array_equal(imresize(img, 1, **options), img)
    np.testing.assert_array_equal(imresize(img, output_shape=img.shape, **options), img)
    wide = _random(img.shape, 1)
    # lanczos keeps sin(pi) / pi^2 of a pixel's neighbours
    np.testing.assert_allclose(imresize(wide, 1, **options), wide, rtol=0, atol=1e-14)


@given(SIDES, SIDES, SCALES, OPTIONS, st.integers(0, 99))
def test_transposition_commutes_for_equal_scales(height, width, scale, options, seed):
    wide = _random((height, width), seed)
    np.testing.assert_allclose(
        imresize(wide.T, scale, **options), imresize(wide, scale, **options).T, rtol=0, atol=1e-13
    )


@given(BYTES, SCALES, OPTIONS)
def test_transposition_moves_bytes_by_rounding_only(img, scale, options):
    img = img // 2 + np.uint8(64)  # far enough from 0 and 255 that no pass saturates
    # the passes swap, and each rounds: an error of a half, enlarged by the weights of the second pass
    turned, straight = imresize(img.T, scale, **options), imresize(img, scale, **options).T
    assert np.abs(turned.astype(int) - straight).max() <= 2


@given(BYTES, SCALES, OPTIONS)
def test_one_pass_rounds_and_saturates_and_never_wraps(img, scale, options):
    out = imresize(img, (scale, 1), **options)
    wide = imresize(img.astype(float), (scale, 1), **options)
    np.testing.assert_array_equal(out, np.clip(np.floor(wide + 0.5), 0, 255))


@given(BYTES, SCALES, SCALES, OPTIONS)
def test_both_ways_through_a_pass_agree(img, rows, columns, options):
    smooth = options["antialiasing"]
    smooth = options["method"] != "nearest" if smooth is None else smooth
    result = img[..., None]
    scales = (rows, columns)
    for axis in sorted((0, 1), key=lambda k: scales[k]):
        length = _size(result.shape[axis : axis + 1], scales[axis : axis + 1])[0]
        plan = axis_plan(result.shape[axis], length, scales[axis], options["method"], smooth, options["edge"])
        result = resample_exact(result, plan, axis)
    np.testing.assert_array_equal(imresize(img, scales, **options), result[..., 0])


@given(BYTES, st.integers(1, 60), st.integers(1, 60), OPTIONS)
def test_output_shape_and_scale_agree(img, rows, columns, options):
    scales = (rows / img.shape[0], columns / img.shape[1])
    shaped = imresize(img, output_shape=(rows, columns), **options)
    assert shaped.shape == (rows, columns)
    np.testing.assert_array_equal(shaped, imresize(img, scales, output_shape=(rows, columns), **options))


@given(st.integers(1, 40), SCALES, METHODS, st.booleans(), EDGE)
def test_weights_sum_to_one_and_taps_lie_inside(length, scale, method, smooth, edge):
    out_length = int(np.ceil(length * scale))
    weights, indices = contributions(length, out_length, scale, method, smooth, edge)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-14)
    assert weights.shape == indices.shape == (out_length, weights.shape[1])
    assert indices.min() >= 0 and indices.max() < length


@given(COLORS)
def test_ycbcr_ranges_and_round_trip(img):
    ycbcr = rgb2ycbcr(img)
    assert ycbcr.dtype == np.uint8 and ycbcr.min() >= 16
    assert ycbcr[..., 0].max() <= 235 and ycbcr[..., 1:].max() <= 240
    # 219 or 224 steps for 256: the way back is off by two at most
    assert np.abs(ycbcr2rgb(ycbcr).astype(int) - img).max() <= 2


@given(hnp.arrays(np.float64, (3, 4, 3), elements=st.floats(0, 1)))
def test_ycbcr_of_double_comes_back(img):
    np.testing.assert_allclose(ycbcr2rgb(rgb2ycbcr(img)), img, atol=1e-14)


@given(hnp.arrays(np.uint16, st.tuples(SIDES, SIDES)))
def test_class_conversions_come_back(img):
    np.testing.assert_array_equal(im2uint16(im2double(img)), img)
    small = im2uint8(img)
    np.testing.assert_array_equal(im2uint8(im2uint16(small)), small)
    np.testing.assert_array_equal(im2uint8(im2double(small)), small)


@given(BYTES, st.integers(-8, 8))
def test_quarter_turns_and_flips(img, turns):
    np.testing.assert_array_equal(imrotate(imrotate(img, 90 * turns), -90 * turns), img)
    np.testing.assert_array_equal(flip(flip(img, 1), 2), imrotate(img, 180))


@given(BYTES, st.integers(1, 9))
def test_modcrop_leaves_whole_multiples(img, m):
    if min(img.shape) < m:
        return
    out = modcrop(img, m)
    assert all(length % m == 0 for length in out.shape)
    assert all(0 <= before - after < m for before, after in zip(img.shape, out.shape))
    np.testing.assert_array_equal(shave(np.pad(out, m), m), out)


@given(BYTES, st.integers(0, 99))
def test_errors_do_not_depend_on_order(img, seed):
    other = np.random.default_rng(seed).integers(0, 256, img.shape, np.uint8)
    assert rmse(img, other) == rmse(other, img)
    assert rmse(img, img) == 0 and psnr(img, img) == np.inf
    assert psnr(img / 255, other / 255, data_range=1) == psnr(img, other) or np.isclose(
        psnr(img / 255, other / 255, data_range=1), psnr(img, other), rtol=1e-12
    )
