"""Reading and writing photographs: depth, alpha, EXIF orientation, the PNG writer against Pillow and OpenCV."""

import hashlib
import os

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from data_prep.errors import DataError
from tools.photos import photo

RANDOM = np.random.default_rng(4)
RGB = RANDOM.integers(0, 256, (7, 5, 3), np.uint8)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_exif_orientation_is_followed(tmp_path, orientation, suffix):
    """The file as Pillow turns it, which follows the EXIF standard; lossless pixels are compared exactly."""
    image = Image.fromarray(np.kron(RGB, np.ones((8, 8, 1), np.uint8)))
    exif = image.getexif()
    exif[photo.ORIENTATION] = orientation
    path = tmp_path / f"a{suffix}"
    image.save(path, exif=exif, **({"lossless": True} if suffix == ".webp" else {}))
    with Image.open(path) as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored))
    found = photo.read(path).pixels
    assert found.shape == expected.shape
    # two decoders of JPEG may differ by rounding of the colour conversion
    assert np.abs(found.astype(int) - expected).max() <= (4 if suffix == ".jpg" else 0)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_depth_and_channels_are_kept(tmp_path, kind, channels, suffix):
    img = RANDOM.integers(0, np.iinfo(kind).max, (6, 7, channels), kind, endpoint=True)
    path = tmp_path / f"a{suffix}"
    assert cv2.imwrite(str(path), img)
    found = photo.read(path)
    assert found.pixels.dtype == kind and found.channels == channels
    colours = found.pixels if channels == 1 else found.pixels[..., ::-1]
    assert np.array_equal(colours.reshape(6, 7, -1), img[..., :3])
    if channels == 4:
        assert np.array_equal(found.alpha, img[..., 3])


def test_gray_with_alpha_and_palettes(tmp_path):
    gray = np.dstack([RGB[..., 0], RGB[..., 1]])
    Image.frombytes("LA", (5, 7), gray.tobytes()).save(tmp_path / "la.png")
    found = photo.read(tmp_path / "la.png")
    assert np.array_equal(found.pixels, gray[..., 0]) and np.array_equal(found.alpha, gray[..., 1])
    assert found.channels == 2
    Image.fromarray(RGB).quantize(16).save(tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as palette:
        assert np.array_equal(photo.read(tmp_path / "p.png").pixels, np.asarray(palette.convert("RGB")))


def test_luma_is_the_protocols_for_gray_and_unrounded_for_colour():
    gray = photo.Photo(None, RGB[..., 0])
    assert np.array_equal(gray.luma(2, 5), RGB[2:5, :, 0] / np.float32(255))
    # MATLAB: rgb2ycbcr([1 1 1]) and ([1 0 0]) in double: 235/255; (65.481 + 16) / 255
    colours = photo.Photo(None, np.array([[[255, 255, 255], [255, 0, 0]]], np.uint8))
    np.testing.assert_allclose(colours.luma(0, 1), [[235 / 255, 81.481 / 255]], rtol=1e-6)


def test_what_is_no_picture_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("no picture")
    with pytest.raises(DataError, match="a.txt: not a picture"):
        photo.read(tmp_path / "a.txt")
    Image.fromarray(np.kron(RGB, np.ones((20, 20, 1), np.uint8))).save(tmp_path / "b.jpg")
    content = (tmp_path / "b.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="b.jpg: truncated or damaged image"):
        photo.read(tmp_path / "b.jpg")
    with pytest.raises(DataError, match="none.png: cannot be read"):
        photo.read(tmp_path / "none.png")


def test_a_pipe_is_read_once(tmp_path):
    """Its orientation, hash and pixels come from the same bytes; a second reading would get none."""
    exif = Image.Exif()
    exif[photo.ORIENTATION] = 6
    Image.fromarray(RGB).save(tmp_path / "a.png", exif=exif)
    content = (tmp_path / "a.png").read_bytes()
    receiver, sender = os.pipe()
    os.write(sender, content)
    os.close(sender)
    try:
        source = photo.Source(f"/dev/fd/{receiver}")
        assert source.header.orientation == 6
        found = source.read()
    finally:
        os.close(receiver)
    assert np.array_equal(found.pixels, photo.turned(RGB, 6))
    assert found.sha256 == source.sha256 == hashlib.sha256(content).hexdigest()


def test_header_pages_and_format(tmp_path):
    image = Image.fromarray(RGB)
    image.save(tmp_path / "a.webp", save_all=True, append_images=[Image.fromarray(255 - RGB)], lossless=True)
    about, found = photo.Source(tmp_path / "a.webp").header, photo.read(tmp_path / "a.webp")
    assert (about.format, about.pages, about.height, about.width) == ("WebP", 2, 7, 5)
    assert (found.format, found.pages) == ("WebP", 2) and np.array_equal(found.pixels, RGB)


def test_a_limit_of_memory_holds_for_reading(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    needed = photo.Source(tmp_path / "a.png").header.decode_bytes
    assert np.array_equal(photo.read(tmp_path / "a.png", needed).pixels, RGB)
    with pytest.raises(DataError, match="of memory to read"):
        photo.read(tmp_path / "a.png", needed - 1)
