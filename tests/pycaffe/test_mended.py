"""What Caffe's Python files of 2018 ask of today's Python, NumPy and scikit-image: each mend, as installed."""

import struct

import numpy as np
import pytest
from PIL import Image

from prototxt.engine import caffe

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (12, 17, 3), np.uint8)
GRAY = RGB[..., 0]
ALPHA = RGB[..., 1]
PALETTE = Image.fromarray(RGB).quantize(16)
NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
layer { name: "sum" type: "Convolution" bottom: "data" top: "sum"
  convolution_param { num_output: 2 kernel_size: 8 weight_filler { type: "constant" value: 1 } } }
"""


@pytest.fixture
def model(tmp_path):
    """Paths of a small net and of weights for it."""
    (tmp_path / "net.prototxt").write_text(NET)
    net = caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST)
    net.save(tmp_path / "net.caffemodel")
    return tmp_path / "net.prototxt", tmp_path / "net.caffemodel"


# --- io.load_image -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "picture", "expected"),
    [
        ("rgb.png", Image.fromarray(RGB), RGB),
        ("rgba.png", Image.fromarray(np.dstack([RGB, ALPHA])), RGB),
        ("gray.png", Image.fromarray(GRAY), np.dstack([GRAY] * 3)),
        ("la.png", Image.fromarray(np.dstack([GRAY, ALPHA])), np.dstack([GRAY] * 3)),
        ("palette.png", PALETTE, np.asarray(PALETTE.convert("RGB"))),
        ("bit.png", Image.fromarray(GRAY > 99), np.dstack([np.where(GRAY > 99, 255, 0)] * 3)),
        ("rgb.tif", Image.fromarray(RGB), RGB),
        ("cmyk.tif", Image.fromarray(RGB).convert("CMYK"), RGB),
        ("animated.gif", Image.fromarray(GRAY), np.dstack([GRAY] * 3)),
    ],
)
def test_load_image_of_any_mode(tmp_path, name, picture, expected):
    """RGB in 0..1, alpha dropped, as scikit-image of 2018 made of every mode."""
    options = {"save_all": True, "append_images": [picture.rotate(180)]} if name == "animated.gif" else {}
    picture.save(tmp_path / name, **options)
    for path in (tmp_path / name, str(tmp_path / name)):
        loaded = caffe.io.load_image(path)
        assert loaded.dtype == np.float32 and loaded.shape == (12, 17, 3)
        np.testing.assert_allclose(loaded, expected / 255, atol=1.01 / 255 if "cmyk" in name else 1e-6)


def test_load_image_of_a_cmyk_jpeg_is_not_inverted(tmp_path):
    y, x = np.mgrid[:16, :24]
    smooth = np.dstack([40 + 8 * y, 60 + 6 * x, 250 - 5 * y - 3 * x]).astype(np.uint8)
    Image.fromarray(smooth).convert("CMYK").save(tmp_path / "a.jpg", quality=98, subsampling=0)
    assert np.abs(caffe.io.load_image(str(tmp_path / "a.jpg")) - smooth / 255).max() < 8 / 255


def test_load_image_of_16_bits_and_of_intensity(tmp_path):
    deep = RNG.integers(0, 1 << 16, (5, 6), np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    np.testing.assert_allclose(caffe.io.load_image(tmp_path / "deep.png", color=False)[..., 0], deep / 65535, atol=1e-6)
    Image.fromarray(RGB).save(tmp_path / "rgb.png")
    intensity = caffe.io.load_image(tmp_path / "rgb.png", color=False)
    assert intensity.shape == (12, 17, 1)
    # scikit-image's rgb2gray
    np.testing.assert_allclose(intensity[..., 0], RGB / 255 @ [0.2125, 0.7154, 0.0721], atol=1e-6)


# --- numbers and names as arguments ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.int32, np.int64, np.uint8, int])
def test_numpys_numbers_are_numbers(model, kind):
    net = caffe.Net(str(model[0]), kind(caffe.TEST))
    net.blobs["data"].reshape(*np.array([2, 3, 8, 9]).astype(kind))
    net.reshape()
    assert net.blobs["sum"].data.shape == (2, 2, 1, 2)
    caffe.set_random_seed(kind(3))


@pytest.mark.parametrize("name", ["weights of mine.caffemodel", "веса.caffemodel", "caf\udce9.caffemodel"])
def test_names_of_files_are_paths_or_text(model, name):
    net = caffe.Net(model[0], model[1], caffe.TEST)
    net.params["sum"][0].data[...] = 5
    path = model[1].with_name(name)
    net.save(path)
    other = caffe.Net(str(model[0]), caffe.TEST)
    other.copy_from(path)
    assert (other.params["sum"][0].data == 5).all()


def test_a_file_that_is_not_there_is_an_error_and_no_abort(model, tmp_path):
    net = caffe.Net(str(model[0]), caffe.TEST)
    with pytest.raises(OSError, match=r"none\.caffemodel"):
        net.copy_from(tmp_path / "none.caffemodel")
    with pytest.raises(OSError, match="no"):
        net.save(tmp_path / "no" / "such.caffemodel")


# --- Detector ----------------------------------------------------------------------------------------------------


def detector(model, **options):
    return caffe.Detector(str(model[0]), str(model[1]), **options)


def test_detector_with_context(model, tmp_path):
    """Windows are cut with context around them, and padded with the mean where they leave the image."""
    Image.fromarray(RGB).save(tmp_path / "a.png")
    mean = np.full((3, 8, 8), 10)  # integers, as many a mean file has them
    for context in (0, 2):
        found = detector(model, mean=mean, context_pad=context, channel_swap=(2, 1, 0), raw_scale=255)
        windows = iter([(0, 0, 6, 6), (3, 2, 12, 17)])
        made = found.detect_windows([(str(tmp_path / "a.png"), windows)])
        assert [list(map(int, one["window"])) for one in made] == [[0, 0, 6, 6], [3, 2, 12, 17]]
        assert all(np.isfinite(one["prediction"]).all() for one in made) and len(made) == 2


def test_crop_without_context_is_the_window(model):
    window = detector(model).crop(RGB / 255, np.array([2, 3, 9, 11]))
    np.testing.assert_array_equal(window, (RGB / 255)[2:9, 3:11])


# --- the rest ----------------------------------------------------------------------------------------------------


def test_datums_there_and_back():
    planes = RGB.transpose(2, 0, 1)
    datum = caffe.io.array_to_datum(planes, 7)
    assert datum.label == 7
    np.testing.assert_array_equal(caffe.io.datum_to_array(datum), planes)
    floats = caffe.io.array_to_datum(planes / 255)
    np.testing.assert_allclose(caffe.io.datum_to_array(floats), planes / 255, atol=1e-7)


def test_resize_image_of_a_mask_and_of_many_channels():
    mask = GRAY > 99
    assert caffe.io.resize_image(mask[..., None], (24, 34)).shape == (24, 34, 1)
    many = RNG.random((12, 17, 5)).astype(np.float32)
    assert caffe.io.resize_image(many, (6, 9)).shape == (6, 9, 5)


def test_forward_all_of_one_batch_and_a_rest(model):
    net = caffe.Net(str(model[0]), caffe.TEST)
    net.blobs["data"].reshape(2, 3, 8, 8)
    images = RNG.random((5, 3, 8, 8)).astype(np.float32)
    out = net.forward_all(data=images)["sum"]
    np.testing.assert_allclose(out[:, 0, 0, 0], images.sum((1, 2, 3)), rtol=1e-5)
    outs, diffs = net.forward_backward_all(data=images)
    np.testing.assert_array_equal(outs["sum"], out)
    assert isinstance(diffs, dict)


def test_blobproto_there_and_back():
    blob = caffe.proto.caffe_pb2.BlobProto()
    blob.shape.dim.extend([2, 3])
    blob.data.extend(range(6))
    np.testing.assert_array_equal(caffe.io.blobproto_to_array(blob), np.arange(6).reshape(2, 3))
    made = caffe.io.array_to_blobproto(np.arange(6.0).reshape(2, 3))
    assert list(made.data) == list(range(6)) and struct.calcsize("f") == 4
