"""Writing pictures: every format holds what it can, with its profile; the PNG writer against Pillow and OpenCV."""

import io
import struct
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from tools.common.errors import UserError
from tools.photos import notes, output, photo, png
from tools.photos.photo import Extent
from tools.photos.png import PngWriter

RANDOM = np.random.default_rng(4)
RGB = RANDOM.integers(0, 256, (7, 5, 3), np.uint8)


def profile(space):
    """An ICC profile whose header says that it is for `space`: enough to be told apart."""
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    made[16:20] = space
    return bytes(made)


def written(img, **options):
    stream = io.BytesIO()
    writer = PngWriter(stream, img.shape, img.dtype, **options)
    for start in range(0, len(img), 3):
        writer.write(img[start : start + 3])
    writer.close()
    return stream.getvalue()


@given(
    st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 2, 3, 4]), st.sampled_from([np.uint8, np.uint16]),
    st.booleans(),
)  # fmt: skip
def test_png_is_read_back_by_opencv(height, width, channels, kind, smooth):
    random = np.random.default_rng(height + 10 * width)
    img = random.integers(0, np.iinfo(kind).max, (height, width, channels), kind, endpoint=True)
    img = np.sort(img, axis=0) if smooth else img  # all filters get their turn
    back = cv2.imdecode(np.frombuffer(written(img), np.uint8), cv2.IMREAD_UNCHANGED)
    back = back.reshape(height, width, -1)
    if channels == 2:  # OpenCV spreads gray with alpha over four
        assert np.array_equal(back[..., [0, 3]], img)
    else:
        order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]
        assert np.array_equal(back[..., order], img)


def test_png_notes_profile_and_many_chunks():
    img = RANDOM.integers(0, 256, (300, 1500, 3), np.uint8)
    content = written(img, texts={"Model": "IDN", "Scale": "3"}, profile=b"a profile")
    assert content.count(b"IDAT") > 1
    with Image.open(io.BytesIO(content)) as image:
        image.load()  # checks every CRC
        assert np.array_equal(np.asarray(image), img)
        assert image.text == {"Model": "IDN", "Scale": "3"} and image.info["icc_profile"] == b"a profile"


def test_png_refuses_other_rows():
    writer = PngWriter(io.BytesIO(), (4, 5, 3), np.uint8)
    with pytest.raises(ValueError, match=r"rows of shape \(1, 6, 3\), expected up to 4 of 5 pixels"):
        writer.write(np.zeros((1, 6, 3), np.uint8))
    writer.write(RGB[:3])
    with pytest.raises(ValueError, match="1 rows are missing"):
        writer.close()


@given(st.text(max_size=40).map(lambda text: text.replace("\0", "")), st.sampled_from(["Model", "caf\xe9"]))
def test_notes_are_read_back(text, key):
    content = written(RGB, texts={key: text, "Scale": "3"})
    assert png.read_texts(io.BytesIO(content)) == {key: text, "Scale": "3"}
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        assert image.text[key] == text and image.text["Scale"] == "3"


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def with_chunks(*chunks):
    """A PNG with more chunks before its pixels."""
    content = written(RGB, texts={"Model": "IDN"})
    where = content.index(b"IDAT") - 4
    return content[:where] + b"".join(chunks) + content[where:]


def test_notes_of_hostile_files_take_no_memory(tmp_path):
    bomb = zlib.compress(bytes(50 << 20))
    long_text = chunk(b"tEXt", b"Long\0" + b"x" * (20 << 20))
    path = tmp_path / "a.png"
    bombs = chunk(b"zTXt", b"Z\0\0" + bomb), chunk(b"iTXt", b"I\0\1\0\0\0" + bomb)
    path.write_bytes(with_chunks(*bombs, long_text))
    tracemalloc.start()
    found = notes.read(path)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found["Model"] == "IDN" and taken < 1 << 20
    path.write_bytes(with_chunks(*[chunk(b"tEXt", b"n%d\0" % number) for number in range(5000)]))
    assert len(notes.read(path)) <= png.TEXT_CHUNKS


@pytest.mark.parametrize("bad", [b"no key", b"", b"key\0\0\0", b"key\0\0\0\0\0\xff"])
def test_damaged_notes_are_none(tmp_path, bad):
    (tmp_path / "a.png").write_bytes(with_chunks(chunk(b"iTXt", bad)))
    assert notes.read(tmp_path / "a.png") == {}
    content = with_chunks(chunk(b"tEXt", b"key\0text"))
    (tmp_path / "b.png").write_bytes(content.replace(b"key\0text", b"key\0tex!"))  # the CRC is another's now
    assert notes.read(tmp_path / "b.png") == {}
    for end in range(0, 60, 7):
        (tmp_path / "c.png").write_bytes(content[:end])
        assert notes.read(tmp_path / "c.png") == {}


def test_notes_of_what_is_there(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text("Model", "IDN")
    Image.fromarray(RGB).save(tmp_path / "a.png", pnginfo=info)
    assert notes.read(tmp_path / "a.png") == {"Model": "IDN"}
    (tmp_path / "b.png").write_bytes(b"no png")
    assert notes.read(tmp_path / "b.png") == notes.read(tmp_path / "c.png") == notes.read(tmp_path) == {}


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".TIFF", ".webp", ".bmp", ".jpg"])
def test_each_format_gives_back_what_it_was_given(tmp_path, kind, channels, suffix):
    """Read by our own reader, TIFF by OpenCV as well; JPEG nearly. In strips of any height."""
    img = np.sort(RANDOM.integers(0, np.iinfo(kind).max, (61, 37, channels), kind, endpoint=True), axis=0)
    path = tmp_path / f"a{suffix}"
    extent = Extent("in.png", 61, 37, channels, kind == np.uint16, channels in (2, 4))
    picture = photo.Photo(tmp_path / "in.png", img[..., 0] if channels < 3 else img[..., :3],
                          img[..., -1] if extent.alpha else None)  # fmt: skip
    lower = suffix.lower()
    if (extent.deep and lower in output.PLAIN) or (extent.alpha and lower in output.OPAQUE):
        with pytest.raises(UserError, match=r"holds (8 bits|no alpha)"):
            output.check_format(path, extent, (61, 37))
        return
    output.check_format(path, extent, (61, 37))
    cuts = [0, 4, 5, 30, 61]
    output.write(path, (img[a:b] for a, b in zip(cuts, cuts[1:])), img.shape, picture, {})
    found = photo.read(path)
    colours = img[..., :1] if channels < 3 else img[..., :3]
    if lower == ".webp":
        colours = np.broadcast_to(colours, (61, 37, 3))
    pixels = found.pixels.reshape(61, 37, -1)
    assert pixels.dtype == kind and pixels.shape == colours.shape
    if lower == ".jpg":
        assert np.abs(pixels.astype(int) - colours).mean() < 12
    else:
        assert np.array_equal(pixels, colours)
        assert found.alpha is None or np.array_equal(found.alpha, img[..., -1])
    assert (found.alpha is not None) == extent.alpha
    if lower == ".tif" and channels in (1, 3):
        again = cv2.imread(str(path), cv2.IMREAD_UNCHANGED).reshape(img.shape)
        assert np.array_equal(again, img[..., ::-1])


def test_a_large_tiff_takes_a_few_rows(tmp_path):
    rows = np.tile(RANDOM.integers(0, 256, (20, 3000, 3), np.uint8), (1, 1, 1))
    picture = photo.Photo(tmp_path / "in.png", rows)
    output.write(tmp_path / "a.tif", [rows], rows.shape, picture, {})  # imports what it needs
    tracemalloc.start()
    output.write(tmp_path / "a.tif", (rows for _ in range(100)), (2000, 3000, 3), picture, {})
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert taken < 4 << 20  # the picture has 18 MB
    assert photo.read(tmp_path / "a.tif").pixels.shape == (2000, 3000, 3)


@pytest.mark.parametrize("suffix", [".jpg", ".bmp", ".webp"])
def test_what_is_assembled_takes_what_is_counted(tmp_path, suffix):
    import subprocess
    import sys

    code = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from tools.common import memory; from tools.photos import output, photo\n"
        "img = np.random.default_rng(0).integers(0, 256, (1200, 1000, 3), np.uint8)\n"
        "picture = photo.Photo(Path('in'), img); path = Path(sys.argv[1])\n"
        "output.write(path, [img[:9, :9]], (9, 9, 3), picture, {}); memory.reset_peak(); before = memory.peak_mb()\n"
        "output.write(path, [img], img.shape, picture, {})\n"
        "print(memory.peak_mb() - before, output.whole_bytes(path, img.shape[:2]) >> 20)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / f"a{suffix}"], capture_output=True, text=True)
    taken, counted = map(int, done.stdout.split())
    assert counted / 8 < taken < counted + 8, done.stderr


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".bmp"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("space", [b"RGB ", b"GRAY", b"CMYK"])
def test_a_profile_stays_where_it_fits(tmp_path, suffix, channels, space):
    img = RGB[..., :channels]
    picture = photo.Photo(tmp_path / "in.jpg", img[..., 0] if channels == 1 else img, profile=profile(space))
    path = tmp_path / f"a{suffix}"
    output.write(path, [img], img.shape, picture, {})
    kept, why_not = output.fitting_profile(path, picture)
    with Image.open(path) as image:
        image.load()
        assert image.info.get("icc_profile") == kept
    right = space == (b"GRAY" if channels == 1 else b"RGB ")
    lost = suffix == ".bmp" or (suffix == ".webp" and channels == 1)
    assert (kept == picture.profile) == (right and not lost)
    assert (why_not is None) == (kept is not None)
    if right and lost:
        assert f"a{suffix}: {suffix} holds no" in why_not and "in.jpg" in why_not and "left out" in why_not
    if not right:
        assert "in.jpg: its colour profile is for" in why_not and space.decode().strip() in why_not


def test_formats_that_cannot_hold_the_picture_are_refused(tmp_path):
    deep, clear = Extent("in.png", 7, 5, 3, deep=True), Extent("in.png", 7, 5, 4, alpha=True)
    with pytest.raises(UserError, match="out.jpg: .jpg holds 8 bits a channel, in.png has 16; use .png or .tif"):
        output.check_format(tmp_path / "out.jpg", deep, (7, 5))
    with pytest.raises(UserError, match="out.bmp: .bmp holds no alpha channel, in.png has one"):
        output.check_format(tmp_path / "out.bmp", clear, (7, 5))
    with pytest.raises(UserError, match="out.gif: expected a name that ends in .png, .jpg"):
        output.check_format(tmp_path / "out.gif", clear, (7, 5))
    plain = Extent("in.png", 7, 30_000)
    with pytest.raises(UserError, match=r"out.jpg: .jpg holds up to 65,500 pixels a side, .* 90000x21"):
        output.check_format(tmp_path / "out.jpg", plain, (21, 90_000))
    with pytest.raises(UserError, match=r"out.webp: .webp holds up to 16,383 pixels"):
        output.check_format(tmp_path / "out.webp", plain, (21, 90_000))
    for suffix, most in (("jpg", 65_500), ("webp", 16_383)):
        row = np.zeros((1, most, 3), np.uint8)
        path = tmp_path / f"long.{suffix}"
        output.check_format(path, plain, row.shape[:2])
        output.write(path, [row], row.shape, photo.Photo(tmp_path / "in.png", row), {})
        assert photo.read(path).pixels.shape == row.shape
