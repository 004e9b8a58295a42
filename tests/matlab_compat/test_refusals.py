"""Bad input: an exception that says what was got, what was expected and what to do; one test for each text."""

import numpy as np
import pytest

import matlab_compat as mc

GRAY = np.zeros((80, 90), np.uint8)
COLOR = np.zeros((6, 7, 3), np.uint8)
ONE_IMAGE = {
    "flip": mc.flip,
    "im2double": mc.im2double,
    "im2single": mc.im2single,
    "im2uint8": mc.im2uint8,
    "im2uint16": mc.im2uint16,
    "imresize": lambda img: mc.imresize(img, 0.5),
    "imrotate": lambda img: mc.imrotate(img, 90),
    "modcrop": lambda img: mc.modcrop(img, 2),
    "shave": lambda img: mc.shave(img, 1),
    "rgb2ycbcr": mc.rgb2ycbcr,
    "ycbcr2rgb": mc.ycbcr2rgb,
}
TWO_IMAGES = {"psnr": mc.psnr, "ssim": mc.ssim, "ifc": mc.ifc, "rmse": mc.rmse}


def _calls():
    yield from ONE_IMAGE.items()
    for name, metric in TWO_IMAGES.items():
        yield name, lambda img, metric=metric: metric(img, img)


ALL = pytest.mark.parametrize("name, call", list(_calls()), ids=[name for name, _ in _calls()])


@ALL
def test_complex(name, call):
    with pytest.raises(TypeError, match=rf"^{name}: \w+ is of class complex128; expected .*take img.real or abs"):
        call(np.zeros((4, 4, 3), complex))


@ALL
def test_objects(name, call):
    with pytest.raises(TypeError, match=rf"^{name}: \w+ is of class object; expected .*the rows may differ in length"):
        call(np.array([[1, None], [2, "x"]], object))


@ALL
def test_whole_numbers_of_another_width(name, call):
    with pytest.raises(TypeError, match=rf"^{name}: \w+ is of class int64; expected .*astype\(numpy.uint8\)"):
        call(np.zeros((4, 4, 3), np.int64))


@ALL
def test_half_precision(name, call):
    with pytest.raises(TypeError, match=rf"^{name}: \w+ is of class float16; expected .*astype\(numpy.float64\)"):
        call(np.zeros((4, 4, 3), np.float16))


@ALL
@pytest.mark.parametrize("shape", [(0, 4, 3), (4, 0, 3), (4, 4, 0)])
def test_empty(name, call, shape):
    with pytest.raises(ValueError, match=rf"^{name}: \w+ is empty, shape \(\d, \d, \d\); expected at least one pixel"):
        call(np.zeros(shape, np.uint8))


@ALL
def test_vectors(name, call):
    with pytest.raises(ValueError, match=rf"^{name}: \w+ has shape \(5,\); expected \(H, W\) or .*img\[None, :\]"):
        call(np.zeros(5, np.uint8))


@ALL
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_and_inf(name, call, value, dtype):
    img = np.zeros((4, 5, 3), dtype)
    img[1, 2, 0] = value
    with pytest.raises(
        ValueError, match=rf"^{name}: \w+ holds NaN or Inf in 1 of 60 values; expected finite values; .*nan_to_num"
    ):
        call(img)


@pytest.mark.parametrize("name", ["rgb2ycbcr", "ycbcr2rgb"])
@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 5, 4), (4, 5, 3, 1)])
def test_channels_other_than_three(name, shape):
    with pytest.raises(ValueError, match=rf"^{name}: img has shape .*; expected three channels, \(H, W, 3\); stack"):
        ONE_IMAGE[name](np.zeros(shape, np.uint8))


@pytest.mark.parametrize("name", ["rgb2ycbcr", "ycbcr2rgb"])
@pytest.mark.parametrize("dtype, got", [(np.int16, "int16"), (bool, "logical")])
def test_classes_without_a_colour_space(name, dtype, got):
    with pytest.raises(TypeError, match=f"^{name}: img is of class {got}; expected uint8, uint16, single or double; "):
        ONE_IMAGE[name](np.zeros((4, 5, 3), dtype))


# imresize


@pytest.mark.parametrize("scale", [0, -1, 0.0, np.nan, np.inf, -np.inf, (1, 0), (np.nan, 1), [2, -2]])
def test_scale_out_of_range(scale):
    with pytest.raises(ValueError, match=r"^imresize: scale is .*; expected positive and finite; use 0.5 to halve"):
        mc.imresize(GRAY, scale)


@pytest.mark.parametrize("scale", ["2", 1j, True, (1, 2, 3), (1,), ("a", 1), [None, 2], {}])
def test_scale_of_another_kind(scale):
    with pytest.raises(TypeError, match=r"^imresize: scale is .*; expected a real number or a pair .*e.g. 1/3"):
        mc.imresize(GRAY, scale)


def test_neither_scale_nor_shape():
    with pytest.raises(ValueError, match=r"^imresize: neither scale nor output_shape given; expected one, e.g."):
        mc.imresize(GRAY)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (-1, 5), (None, 0), (np.inf, 4), (4, -np.inf)])
def test_output_size_below_one(shape):
    with pytest.raises(ValueError, match=r"^imresize: output_shape is .*; expected sizes of at least 1; check the"):
        mc.imresize(GRAY, output_shape=shape)


@pytest.mark.parametrize("shape", [(None, None), (np.nan, None)])
def test_output_shape_all_open(shape):
    with pytest.raises(ValueError, match=r"^imresize: output_shape leaves rows and columns open; expected at least"):
        mc.imresize(GRAY, output_shape=shape)


@pytest.mark.parametrize("shape", [5, (5,), (5, 5, 3), "5x5", ("5", 5), (5, 2j), (True, 5)])
def test_output_shape_of_another_kind(shape):
    with pytest.raises(TypeError, match=r"^imresize: output_shape is .*; expected a pair \(rows, columns\) of"):
        mc.imresize(GRAY, output_shape=shape)


@pytest.mark.parametrize("method", ["Bicubic", "area", None, 3])
def test_unknown_method(method):
    with pytest.raises(ValueError, match=r"^imresize: method is .*; expected one of nearest, box, .* lanczos3$"):
        mc.imresize(GRAY, 2, method=method)


@pytest.mark.parametrize("edge", ["reflect", None, 0])
def test_unknown_edge(edge):
    with pytest.raises(ValueError, match=r"^imresize: edge is .*; expected 'replicate' .* or 'symmetric' "):
        mc.imresize(GRAY, 2, edge=edge)


@pytest.mark.parametrize("value", [1, "on", 0.0])
def test_antialiasing_of_another_kind(value):
    with pytest.raises(TypeError, match=r"^imresize: antialiasing is .*; expected True, False or None"):
        mc.imresize(GRAY, 2, antialiasing=value)


# geometry


@pytest.mark.parametrize("m", [0, -3])
def test_modcrop_by_less_than_one(m):
    with pytest.raises(ValueError, match=rf"^modcrop: m is {m}; expected an integer of at least 1$"):
        mc.modcrop(GRAY, m)


@pytest.mark.parametrize("m", [2.0, "3", True, None])
def test_modcrop_by_no_integer(m):
    with pytest.raises(TypeError, match=r"^modcrop: m is .*; expected an integer of at least 1; pass int\(m\)$"):
        mc.modcrop(GRAY, m)


def test_modcrop_of_a_smaller_image():
    with pytest.raises(ValueError, match=r"^modcrop: img has shape \(2, 9\), m is 3; expected at least 3 pixels"):
        mc.modcrop(np.zeros((2, 9), np.uint8), 3)


@pytest.mark.parametrize("border", [3, (3, 0), (0, 4), 100])
def test_shave_that_leaves_nothing(border):
    with pytest.raises(ValueError, match=r"^shave: img has shape \(6, 7, 3\), border is .*; expected a border below"):
        mc.shave(COLOR, border)


def test_shave_by_less_than_nothing():
    with pytest.raises(ValueError, match=r"^shave: border is -1; expected an integer of at least 0$"):
        mc.shave(COLOR, -1)


def test_shave_by_no_integer():
    with pytest.raises(TypeError, match=r"^shave: border is 1.5; expected an integer of at least 0; pass int"):
        mc.shave(COLOR, 1.5)
    with pytest.raises(TypeError, match=r"^shave: border is \(1, 2, 3\); expected an integer or a pair"):
        mc.shave(COLOR, (1, 2, 3))


@pytest.mark.parametrize("angle", [45, 1e-9, np.nan, np.inf])
def test_imrotate_by_other_angles(angle):
    with pytest.raises(ValueError, match=r"^imrotate: angle is .*; expected a multiple of 90; other angles need"):
        mc.imrotate(GRAY, angle)


@pytest.mark.parametrize("angle", ["90", None, True, 90j])
def test_imrotate_by_no_number(angle):
    with pytest.raises(TypeError, match=r"^imrotate: angle is .*; expected a number of degrees, a multiple of 90$"):
        mc.imrotate(GRAY, angle)


def test_flip_along_no_dimension():
    with pytest.raises(ValueError, match=r"^flip: dim is 0; expected an integer of at least 1$"):
        mc.flip(GRAY, 0)
    with pytest.raises(TypeError, match=r"^flip: dim is 'ud'; expected an integer of at least 1; pass int"):
        mc.flip(GRAY, "ud")


# metrics


@pytest.mark.parametrize("name", sorted(TWO_IMAGES))
@pytest.mark.parametrize("shape", [(80, 89), (90, 80), (80, 90, 1)])
def test_shapes_that_differ(name, shape):
    with pytest.raises(ValueError, match=rf"^{name}: shapes differ, \(80, 90\) vs \(.*\); expected equal .*modcrop"):
        TWO_IMAGES[name](GRAY, np.zeros(shape, np.uint8))


def test_which_of_the_two_is_bad():
    with pytest.raises(TypeError, match="^psnr: out is of class complex128"):
        mc.psnr(GRAY, GRAY + 0j)
    with pytest.raises(ValueError, match="^ifc: ref is empty"):
        mc.ifc(GRAY[:0], GRAY)


@pytest.mark.parametrize("name", ["ssim", "ifc"])
def test_metrics_of_one_channel(name):
    with pytest.raises(ValueError, match=rf"^{name}: images have shape \(6, 7, 3\); expected one channel.*rgb2ycbcr"):
        TWO_IMAGES[name](COLOR, COLOR)


@pytest.mark.parametrize("name", ["psnr", "ssim"])
@pytest.mark.parametrize("value", [0, -255, np.nan, np.inf])
def test_peak_out_of_range(name, value):
    with pytest.raises(ValueError, match=rf"^{name}: data_range is .*; expected a positive finite number; use 255"):
        TWO_IMAGES[name](GRAY, GRAY, data_range=value)


@pytest.mark.parametrize("name", ["psnr", "ssim"])
@pytest.mark.parametrize("value", [None, "255", True, (0, 255), 255j])
def test_peak_that_is_no_number(name, value):
    with pytest.raises(TypeError, match=rf"^{name}: data_range is .*; expected a number; use 255 for 8-bit"):
        TWO_IMAGES[name](GRAY, GRAY, data_range=value)


@pytest.mark.parametrize("shape", [(10, 90), (80, 10)])
def test_ssim_of_images_smaller_than_the_window(shape):
    img = np.zeros(shape, np.uint8)
    with pytest.raises(ValueError, match=r"^ssim: images have shape .*; expected at least \(11, 11\), the size of"):
        mc.ssim(img, img)
    assert mc.ssim(img, img, window=np.ones((8, 8))) == 1


@pytest.mark.parametrize("window", [-np.ones((3, 3)), np.zeros((3, 3)), np.ones((3, 3, 3))])
def test_ssim_window_that_is_none(window):
    with pytest.raises(ValueError, match=r"^ssim: window has shape .* and sum .*; expected \(h, w\), no negative"):
        mc.ssim(GRAY, GRAY, window=window)


def test_ssim_window_of_another_class():
    with pytest.raises(TypeError, match=r"^ssim: window is of class complex128; expected "):
        mc.ssim(GRAY, GRAY, window=np.ones((3, 3), complex))


@pytest.mark.parametrize("K", [0.01, (0.01,), (0.01, 0.03, 0.1), None, "ab"])
def test_ssim_constants_of_another_kind(K):
    with pytest.raises(TypeError, match=r"^ssim: K is .*; expected a pair of numbers, e.g. \(0.01, 0.03\)$"):
        mc.ssim(GRAY, GRAY, K=K)


@pytest.mark.parametrize("K", [(-0.01, 0.03), (0.01, np.nan), (np.inf, 0.03)])
def test_ssim_constants_out_of_range(K):
    with pytest.raises(ValueError, match=r"^ssim: K is .*; expected two finite numbers of 0 or more, e.g."):
        mc.ssim(GRAY, GRAY, K=K)


@pytest.mark.parametrize("shape", [(71, 90), (80, 71), (1, 1)])
def test_ifc_of_images_too_small_for_four_levels(shape):
    img = np.zeros(shape, np.uint8)
    with pytest.raises(ValueError, match=r"^ifc: images have shape .*; expected at least 72 pixels a side for"):
        mc.ifc(img, img)
