"""Finding, checking and reading images; the refusals of damaged ones."""

import contextlib
import hashlib

import cv2
import numpy as np
import pytest
from PIL import Image

from data_prep import images
from data_prep.errors import DataError
from matlab_compat import pictures

RGB = np.random.RandomState(7).randint(0, 256, (20, 30, 3), dtype=np.uint8)  # noqa: NPY002


def save(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


def test_lists_images_only_and_by_name(tmp_path):
    for name in ("b.bmp", "a.JPG", "c.png", ".hidden.png", "Thumbs.db", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "sub.png").mkdir()
    assert [path.name for path in images.list_images(tmp_path)] == ["a.JPG", "b.bmp", "c.png"]
    assert [path.name for path in images.split_folder(tmp_path)[1]] == ["Thumbs.db", "notes.txt"]


def test_folder_that_is_missing_empty_or_a_file(tmp_path):
    with pytest.raises(DataError, match="nowhere: no such folder of images; run `make fetch`"):
        images.list_images(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"no images, expected .bmp, .jpg, .png or alike, found nothing"):
        images.list_images(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DataError, match="found 1 other files"):
        images.list_images(tmp_path)
    with pytest.raises(DataError, match="notes.txt: is a file, not a folder"):
        images.list_images(tmp_path / "notes.txt")


@pytest.mark.parametrize("ending", ["bmp", "png", "tif"])
def test_reads_rgb_as_stored(tmp_path, ending):
    path = save(tmp_path / f"a.{ending}", RGB)
    assert np.array_equal(images.read_image(path), RGB)
    info = images.inspect(path)
    assert (info.height, info.width, info.gray, info.alpha, info.deep) == (20, 30, False, False, False)
    assert info.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert np.array_equal(images.read_pixels(info), RGB)


def test_gray_is_what_the_file_stores(tmp_path):
    equal = np.repeat(RGB[:, :, :1], 3, axis=2)
    assert not images.inspect(save(tmp_path / "equal.jpg", equal)).gray
    gray = save(tmp_path / "gray.jpg", RGB[:, :, 0])
    assert images.inspect(gray).gray
    assert images.read_image(gray).shape == (20, 30)


def test_gray_with_alpha_is_gray(tmp_path):
    path = save(tmp_path / "la.png", RGB[:, :, :2])
    assert (images.inspect(path).gray, images.inspect(path).alpha) == (True, True)
    assert np.array_equal(images.read_image(path), RGB[:, :, 0])


def test_alpha_is_dropped(tmp_path):
    path = save(tmp_path / "a.png", np.dstack([RGB, RGB[:, :, 0]]))
    assert images.inspect(path).alpha
    assert np.array_equal(images.read_image(path), RGB)


def test_16_bits_are_rounded_as_im2uint8_does(tmp_path):
    # MATLAB: im2uint8(uint16([0 128 129 385 386 32768 65406 65407 65535])), that is round(x / 257)
    deep = np.array([[0, 128, 129, 385, 386, 32768, 65406, 65407, 65535]], np.uint16)
    cv2.imwrite(str(tmp_path / "deep.png"), np.dstack([deep] * 3))
    info = images.inspect(tmp_path / "deep.png")
    assert (info.deep, info.gray) == (True, False)
    expected = [0, 0, 1, 1, 2, 128, 254, 255, 255]
    assert images.read_image(info.path)[0, :, 1].tolist() == expected
    assert images.read_pixels(info)[0, :, 1].tolist() == expected


@pytest.mark.parametrize("ending", ["bmp", "jpg", "png"])
@pytest.mark.parametrize("left", [0, 1, 30, 0.5, -3])
def test_truncated_image_is_refused(tmp_path, ending, left):
    path = save(tmp_path / f"cut.{ending}", np.tile(RGB, (5, 5, 1)))
    content = path.read_bytes()
    path.write_bytes(content[: int(left * len(content)) if 0 < left < 1 else left])
    for read in (images.inspect, images.read_image):
        with pytest.raises(DataError, match=rf"cut\.{ending}: (truncated|not a picture).*fetch or copy it again"):
            read(path)


def test_text_with_an_image_name_is_refused(tmp_path):
    (tmp_path / "page.jpg").write_text("<html>404: Not Found</html>")
    with pytest.raises(DataError, match=r"page.jpg: not a picture, expected PNG.* \(27 bytes\)"):
        images.read_image(tmp_path / "page.jpg")


def test_floating_point_image_is_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "float.tif"), RGB.astype(np.float32))
    with pytest.raises(DataError, match="pixels are float32, expected 8 or 16 bits"):
        images.read_image(tmp_path / "float.tif")


def test_missing_image(tmp_path):
    with pytest.raises(DataError, match="gone.png: cannot be read"):
        images.read_image(tmp_path / "gone.png")


def test_image_that_changes_meanwhile(tmp_path):
    info = images.inspect(save(tmp_path / "a.png", RGB))
    save(tmp_path / "a.png", RGB[::-1].copy())
    with pytest.raises(DataError, match=r"a\.png: changed while it was being used"):
        images.read_pixels(info)


def test_orientation_tag_is_not_followed(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    path = save(tmp_path / "a.jpg", RGB, exif=exif)
    assert images.read_image(path).shape == RGB.shape


def test_set_hash(tmp_path):
    one, two = save(tmp_path / "1.png", RGB), save(tmp_path / "2.png", RGB[::-1].copy())
    (tmp_path / "elsewhere").mkdir()
    copies = [tmp_path / "elsewhere" / path.name for path in (one, two)]
    for path, copy in zip((one, two), copies):
        copy.write_bytes(path.read_bytes())
    digest = images.image_set_hash([one, two])
    # by hand, from the definition in its docstring
    lines = "".join(f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n" for path in (one, two))
    assert digest == hashlib.sha256(lines.encode()).hexdigest()
    assert images.image_set_hash(copies[::-1]) == digest
    assert images.image_set_hash([one]) != digest
    two.write_bytes(one.read_bytes())
    assert images.image_set_hash([one, two]) != digest


def test_all_training_images_are_sound(shared):
    infos = [images.inspect(path) for path in images.list_images(shared / "data/291")]
    assert len(infos) == 291
    assert not any(info.gray or info.alpha or info.deep for info in infos)
    # paper, section 4.2: the smallest picture is 78 x 78
    assert min(min(info.height, info.width) for info in infos) == 78


@pytest.mark.parametrize("ending", ["bmp", "tif", "jp2", "avif", "gif", "webp", "ppm"])
def test_any_damage_is_a_data_error(tmp_path, capfd, ending):
    """Decoders raise OverflowError, RuntimeError, MemoryError and others; libtiff and OpenCV print."""
    options = {"compression": "tiff_lzw"} if ending == "tif" else {}
    path = save(tmp_path / f"a.{ending}", np.tile(RGB, (4, 4, 1)), **options)
    content = path.read_bytes()
    for place in range(0, min(len(content), 120)):
        path.write_bytes(content[:place] + b"\xff\xff\xff\xff" + content[place + 4 :])
        for read in (images.inspect, images.read_image):
            with contextlib.suppress(DataError):
                read(path)
    assert capfd.readouterr() == ("", "")


def test_netpbm_maximum_is_white_in_training_data_too(tmp_path):
    (tmp_path / "a.pgm").write_bytes(b"P5 2 1 1023 " + np.array([511, 1023], ">u2").tobytes())
    assert images.read_image(tmp_path / "a.pgm").tolist() == [[127, 255]]  # 511 / 1023 of 65535 is 32735, / 257


def test_pages_are_counted_and_said(tmp_path):
    frames = [Image.fromarray(RGB[::-1].copy()), Image.fromarray(255 - RGB)]
    path = save(tmp_path / "a.tif", RGB, save_all=True, append_images=frames)
    assert images.inspect(path).pages == 3
    assert np.array_equal(images.read_image(path), RGB)
    said = images.several_pages([(path, 3), ("b.png", 1), ("c.gif", 7)])
    assert said == "2 files with several pages or frames, the first is used: a.tif (3), c.gif (7)"
    assert images.several_pages([("b.png", 1)]) is None


def test_too_large_for_memory_is_a_data_error(tmp_path, monkeypatch):
    path = save(tmp_path / "a.png", RGB)
    monkeypatch.setattr(pictures.memory, "available", lambda: 1000)
    with pytest.raises(DataError, match=r"a\.png: 30x20 pixels take about 25 MB of memory to read, expected") as caught:
        images.read_image(path)
    assert isinstance(caught.value.__cause__, pictures.TooLarge)


def test_no_other_format_is_opened(tmp_path):
    """EPS, which Pillow gives to Ghostscript; PCX and icons, which it would decode."""
    path = tmp_path / "photo.png"
    for format in ("EPS", "PCX", "ICO"):
        Image.fromarray(RGB).save(path, format=format)
        with pytest.raises(DataError, match=r"photo\.png: not a picture, expected PNG, JPEG"):
            images.inspect(path)
