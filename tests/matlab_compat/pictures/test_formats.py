"""Pixels, alpha, depth and header of every kind of file; the expected values are what the files were made of."""

import io
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from matlab_compat.pictures import PictureError, header, read

from .conftest import HEIGHT, WIDTH, X, Y, bits_tif, bmp, chunk, pil, png, profile, tif

PALETTE = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [128, 128, 128]], np.uint8)
PLACES = (X // 10 % 4).astype(np.uint8)
BITS = ((X + Y) % 3 == 0).astype(np.uint8)


def check(content, pixels, alpha=None, tolerance=0, **about):
    """The file gives these pixels and alpha, and its header, not decoded, tells the same."""
    found, said = read(content, "a"), header(content, "a")
    assert found.pixels.dtype == pixels.dtype and found.pixels.shape == pixels.shape
    assert np.abs(found.pixels.astype(int) - pixels).max() <= tolerance
    assert (found.alpha is None) == (alpha is None)
    if alpha is not None:
        assert found.alpha.dtype == pixels.dtype and np.abs(found.alpha.astype(int) - alpha).max() <= tolerance
    channels = 1 if pixels.ndim == 2 else 3
    expected = (*pixels.shape[:2], channels, alpha is not None, pixels.dtype == np.uint16)
    assert (said.height, said.width, said.channels, said.alpha, said.deep) == expected
    assert found.header == said
    for name, value in about.items():
        assert getattr(said, name) == value, name
    return found


# PNG -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("interlace", [0, 1])
def test_png_of_every_colour_type(known, interlace):
    gray_alpha = np.dstack([known.gray16, known.alpha16])
    check(png(known.rgb, 2, 8, interlace=interlace), known.rgb, format="PNG", pages=1, orientation=1)
    check(png(known.gray, 0, 8, interlace=interlace), known.gray)
    check(png(np.dstack([known.rgb, known.alpha]), 6, 8, interlace=interlace), known.rgb, known.alpha)
    check(png(np.dstack([known.gray, known.alpha]), 4, 8, interlace=interlace), known.gray, known.alpha)
    check(png(known.rgb16, 2, 16, interlace=interlace), known.rgb16)
    check(png(known.gray16, 0, 16, interlace=interlace), known.gray16)
    check(png(gray_alpha, 4, 16, interlace=interlace), known.gray16, known.alpha16)
    check(png(np.dstack([known.rgb16, known.alpha16]), 6, 16, interlace=interlace), known.rgb16, known.alpha16)


def test_png_with_all_filters(known):
    """OpenCV's writer chooses filters; ours above has none."""
    for img in (known.rgb16, np.dstack([known.rgb16, known.alpha16])):
        order = [2, 1, 0, 3][: img.shape[2]]
        content = cv2.imencode(".png", img[..., order])[1].tobytes()
        check(content, known.rgb16, known.alpha16 if img.shape[2] == 4 else None)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_png_of_few_bits(depth):
    samples = ((X + Y) % (1 << depth)).astype(np.uint8)
    white = 255 // ((1 << depth) - 1)
    check(png(samples, 0, depth), samples * np.uint8(white))
    key = chunk(b"tRNS", struct.pack(">H", 1))
    check(png(samples, 0, depth, key), samples * np.uint8(white), np.where(samples == 1, 0, 255).astype(np.uint8))


def test_png_palette_with_and_without_alpha():
    colours = chunk(b"PLTE", PALETTE.tobytes())
    check(png(PLACES, 3, 8, colours), PALETTE[PLACES])
    check(png(PLACES, 3, 2, colours), PALETTE[PLACES])
    clear = np.array([255, 128, 0, 255], np.uint8)  # the last is left out: opaque
    check(png(PLACES, 3, 8, colours, chunk(b"tRNS", clear[:3].tobytes())), PALETTE[PLACES], clear[PLACES])


def test_png_with_a_transparent_colour(known):
    for img, colour, depth in ((known.rgb, 2, 8), (known.gray, 0, 8), (known.rgb16, 2, 16), (known.gray16, 0, 16)):
        key = np.atleast_1d(img[5, 5])
        hit = (img == key).all(-1) if img.ndim == 3 else img == key
        alpha = np.where(hit, 0, np.iinfo(img.dtype).max).astype(img.dtype)
        check(png(img, colour, depth, chunk(b"tRNS", struct.pack(f">{len(key)}H", *key))), img, alpha)


def test_png_orientation_frames_and_profile(known):
    exif = Image.Exif()
    exif[0x0112] = 6
    extra = [chunk(b"eXIf", exif.tobytes()[6:]), chunk(b"acTL", struct.pack(">II", 3, 0))]
    check(png(known.rgb, 2, 8, *extra), known.rgb, orientation=6, pages=3)
    rgb, cmyk = profile(b"RGB "), profile(b"CMYK")
    assert header(pil(known.rgb, "PNG", icc_profile=rgb), "a").profile == rgb
    assert header(pil(known.rgb, "PNG", icc_profile=cmyk), "a").profile is None
    assert header(pil(known.gray, "PNG", icc_profile=rgb), "a").profile is None
    assert header(pil(known.rgb, "PNG", icc_profile=rgb[:-9]), "a").profile is None


# TIFF ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("tile", [None, (16, 16), (32, 48)])
@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiff_layouts(known, order, tile, planes, compression):
    rows = {} if tile else {"rowsperstrip": 7}
    for img in (known.rgb, known.rgb16):
        for predictor in (False, True) if compression else (False,):
            samples = img if planes == "contig" else np.ascontiguousarray(img.transpose(2, 0, 1))
            content = tif(
                samples, photometric="rgb", planarconfig=planes, tile=tile, byteorder=order, compression=compression,
                predictor=predictor, **rows,
            )  # fmt: skip
            check(content, img, format="TIFF", pages=1, orientation=1)


@pytest.mark.parametrize("compression", [1, 5, 8, 32773])  # none, LZW, Deflate, PackBits
def test_tiff_as_opencv_writes_it(known, compression):
    """Among them alpha without a word about it, and LZW of 16 bits with its predictor."""
    for pixels, alpha in ((known.rgb, known.alpha), (known.rgb16, known.alpha16)):
        for clear in (None, alpha):
            img = pixels[..., ::-1] if clear is None else np.dstack([pixels[..., ::-1], clear])
            options = [cv2.IMWRITE_TIFF_COMPRESSION, compression]
            check(cv2.imencode(".tif", np.ascontiguousarray(img), options)[1].tobytes(), pixels, clear)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 10, 12, 14])
def test_tiff_of_any_depth_black_or_white_as_zero(order, bits):
    samples = (7 * X + 3 * Y) % (1 << bits)
    white, kind = (255, np.uint8) if bits <= 8 else (65535, np.uint16)
    gray = np.floor(samples * white / ((1 << bits) - 1) + 0.5).astype(kind)
    for fill in (1, 2):
        check(bits_tif(samples, bits, 1, order, fill), gray)
        check(bits_tif(samples, bits, 0, order, fill), white - gray)


def test_tiff_alpha(known):
    gray = {"photometric": "minisblack", "extrasamples": ["unassalpha"]}
    check(tif(np.dstack([known.gray, known.alpha]), **gray), known.gray, known.alpha)
    check(tif(np.dstack([known.gray16, known.alpha16]), **gray), known.gray16, known.alpha16)
    rgba = np.dstack([known.rgb, known.alpha])
    check(tif(rgba, photometric="rgb", extrasamples=["unassalpha"]), known.rgb, known.alpha)
    check(tif(rgba, photometric="rgb", extrasamples=["unspecified"]), known.rgb)  # TIFF 6.0: not alpha
    both = np.dstack([known.rgb, known.gray, known.alpha])
    check(tif(both, photometric="rgb", extrasamples=["unspecified", "unassalpha"]), known.rgb, known.alpha)


def test_tiff_colours_multiplied_by_alpha(known):
    """Divided again; what 8 bits cannot hold differs by up to white / alpha / 2."""
    for pixels, alpha, most in ((known.rgb, known.alpha, 255), (known.rgb16, known.alpha16, 65535)):
        multiplied = np.round(pixels * (alpha[..., None] / most)).astype(pixels.dtype)
        content = tif(np.dstack([multiplied, alpha]), photometric="rgb", extrasamples=["assocalpha"])
        found = check(content, pixels, alpha, tolerance=most)
        allowed = np.ceil(most / np.maximum(alpha, 1) / 2)
        assert (np.abs(found.pixels.astype(int) - pixels).max(-1) <= allowed)[alpha > 0].all()
        clear = np.dstack([multiplied, np.zeros_like(alpha)])
        assert not read(tif(clear, photometric="rgb", extrasamples=["assocalpha"]), "a").pixels.any()


def test_tiff_colour_kinds(known):
    table = np.zeros((3, 256), np.uint16)
    table[:, :4] = PALETTE.T.astype(np.uint16) * 257
    check(tif(PLACES, photometric="palette", colormap=table), PALETTE[PLACES])
    check(tif(255 - known.gray, photometric="miniswhite"), known.gray)
    check(pil(known.rgb, "TIFF", "YCbCr"), known.rgb, tolerance=6)
    check(pil(known.rgb, "TIFF", "CMYK"), known.rgb, tolerance=4)
    check(pil(known.rgb, "TIFF", "CMYK", compression="tiff_lzw"), known.rgb, tolerance=4)
    ink = 65535 - np.dstack([known.rgb16, np.full_like(known.gray16, 65535)])
    check(tif(ink, photometric="separated"), known.rgb16)
    check(pil(known.rgb, "TIFF", compression="jpeg", quality=98), known.rgb, tolerance=24)  # chroma halved
    check(pil(known.rgb, "TIFF", "CMYK", compression="jpeg", quality=98), known.rgb, tolerance=12)
    for fax in ("group3", "group4", "tiff_ccitt"):
        check(pil(BITS * np.uint8(255), "TIFF", "1", compression=fax), BITS * np.uint8(255))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_tiff_orientation_is_told_and_not_followed(known, orientation):
    tag = [(274, "H", 1, orientation, True)]
    check(tif(known.rgb, photometric="rgb", extratags=tag), known.rgb, orientation=orientation)
    content = pil(known.rgb, "TIFF", compression="jpeg", quality=98, tiffinfo={274: orientation})
    check(content, known.rgb, tolerance=24, orientation=orientation)


def test_tiff_pages_are_counted_but_not_reduced_copies(known):
    check(tif(np.stack([known.rgb, 255 - known.rgb]), photometric="rgb"), known.rgb, pages=2)
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream, bigtiff=True) as file:
        file.write(known.rgb, photometric="rgb")
        file.write(known.rgb[::2, ::2], photometric="rgb", subfiletype=1)
    check(stream.getvalue(), known.rgb, pages=1)


@pytest.mark.parametrize(
    "samples, got",
    [(np.float32, "float32"), (np.int16, "int16"), (np.uint32, "uint32"), (np.float64, "float64"), (np.int8, "int8")],
)
def test_tiff_of_other_numbers_is_refused(known, samples, got):
    content = tif(known.gray.astype(samples), photometric="minisblack")
    with pytest.raises(PictureError, match=f"^a: pixels are {got}, expected 8 or 16 bits; save it as 8-bit PNG$"):
        read(content, "a")
    with pytest.raises(PictureError, match=got):
        header(content, "a")


def test_tiff_in_lab_is_refused(known):
    with pytest.raises(PictureError, match="its colours are Lab, expected gray, RGB, YCbCr or CMYK; save it as RGB"):
        read(pil(known.rgb, "TIFF", "LAB"), "a")


# the others ------------------------------------------------------------------------------------------


def test_jpeg(known):
    check(pil(known.rgb, "JPEG", quality=98, subsampling=0), known.rgb, tolerance=6, format="JPEG")
    check(pil(known.gray, "JPEG", quality=98), known.gray, tolerance=6)
    check(pil(known.rgb, "JPEG", "CMYK", quality=98, subsampling=0), known.rgb, tolerance=8)
    check(pil(known.rgb, "JPEG", quality=98, subsampling=0, progressive=True), known.rgb, tolerance=6)


def test_jpeg_gives_the_same_bits_by_opencv(known):
    """Training data and results were made with OpenCV's decoder; both bring libjpeg-turbo."""
    noise = np.random.default_rng(1).integers(0, 256, (61, 83, 3), np.uint8)
    for subsampling in (0, 1, 2):
        for quality in (20, 75, 95):
            content = pil(noise, "JPEG", quality=quality, subsampling=subsampling)
            other = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)[..., ::-1]
            assert np.array_equal(read(content, "a").pixels, other)


def test_profiles_that_fit_stay(known):
    rgb, gray, cmyk = profile(b"RGB "), profile(b"GRAY"), profile(b"CMYK")
    for format in ("JPEG", "TIFF"):
        assert header(pil(known.rgb, format, icc_profile=rgb), "a").profile == rgb
        assert header(pil(known.gray, format, icc_profile=gray), "a").profile == gray
        assert header(pil(known.gray, format, icc_profile=rgb), "a").profile is None
        # one without tables cannot be used: ink on white, and no profile goes along
        check(pil(known.rgb, format, "CMYK", icc_profile=cmyk), known.rgb, tolerance=24, profile=None)
    assert header(pil(known.rgb, "WEBP", icc_profile=rgb), "a").profile == rgb
    assert header(pil(known.rgb, "AVIF", icc_profile=rgb), "a").profile == rgb


@pytest.mark.parametrize("orientation", [1, 3, 5, 6, 8])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_orientation_is_told_and_not_followed(known, format, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = header(pil(known.rgb, format, exif=exif), "a")
    assert (found.orientation, found.height, found.width) == (orientation, HEIGHT, WIDTH)


def test_bmp(known):
    check(pil(known.rgb, "BMP"), known.rgb, format="BMP")
    check(pil(known.gray, "BMP"), known.gray)
    check(pil(BITS * np.uint8(255), "BMP", "1"), BITS * np.uint8(255))
    channels = [known.rgb[..., k].astype(np.uint32) for k in range(3)]
    packed = channels[0] << 16 | channels[1] << 8 | channels[2]
    check(bmp(packed, 32), known.rgb)  # the fourth byte, 0, is not alpha
    with_alpha = packed | known.alpha.astype(np.uint32) << 24
    check(bmp(with_alpha, 32, (0xFF0000, 0xFF00, 0xFF, 0xFF000000), 108), known.rgb, known.alpha)
    r, g, b = channels
    check(bmp(r >> 3 << 11 | g >> 2 << 5 | b >> 3, 16, (0xF800, 0x7E0, 0x1F)), known.rgb, tolerance=8)
    check(bmp(r >> 3 << 10 | g >> 3 << 5 | b >> 3, 16), known.rgb, tolerance=8)


def test_gif():
    image = Image.fromarray(PLACES)
    image.putpalette(PALETTE.tobytes())
    check(pil(image, "GIF"), PALETTE[PLACES], format="GIF", pages=1)
    check(pil(image, "GIF", interlace=1), PALETTE[PLACES])
    alpha = np.where(PLACES == 1, 0, 255).astype(np.uint8)
    check(pil(image, "GIF", transparency=1), PALETTE[PLACES], alpha)
    other = Image.fromarray((PLACES + 1) % 4)
    other.putpalette(PALETTE.tobytes())
    check(pil(image, "GIF", save_all=True, append_images=[other, image]), PALETTE[PLACES], pages=3)
    # a transparent colour that no pixel has
    found = read(pil(image, "GIF", transparency=77), "a")
    assert found.alpha is None and not found.header.alpha


def test_gif_whose_first_frame_leaves_canvas_uncovered():
    image = Image.fromarray(PLACES)
    image.putpalette(PALETTE.tobytes())
    content = bytearray(pil(image, "GIF"))
    content[6:10] = struct.pack("<HH", WIDTH + 3, HEIGHT + 2)
    found = read(bytes(content), "a")
    assert np.array_equal(found.pixels[:HEIGHT, :WIDTH], PALETTE[PLACES])
    assert found.alpha[:HEIGHT, :WIDTH].all() and not found.alpha[HEIGHT:].any() and not found.alpha[:, WIDTH:].any()


def test_gif_in_gray(known):
    check(pil(known.gray, "GIF"), known.gray)


def test_webp(known):
    check(pil(known.rgb, "WEBP", lossless=True), known.rgb, format="WebP")
    rgba = np.dstack([known.rgb, known.alpha])
    check(pil(rgba, "WEBP", lossless=True, exact=True), known.rgb, known.alpha)
    frames = [Image.fromarray(255 - known.rgb), Image.fromarray(known.rgb)]
    check(pil(known.rgb, "WEBP", lossless=True, save_all=True, append_images=frames), known.rgb, pages=3)


@pytest.mark.parametrize("most", [1, 15, 100, 255, 256, 1023, 4095, 65535])
def test_netpbm_maximum_is_white(known, most):
    kind, white = (np.uint8, 255) if most < 256 else (np.uint16, 65535)
    for img, number in ((known.gray, 5), (known.rgb, 6)):
        stored = img.astype(np.int64) * most // 255
        expected = np.floor(stored * white / most + 0.5).astype(kind)
        head = b"P%d # a comment\n%d %d\n%d\n" % (number, WIDTH, HEIGHT, most)
        check(head + stored.astype(">u2" if most > 255 else np.uint8).tobytes(), expected, format="PNM")
        plain = b" ".join(b"%d" % value for value in stored.ravel())
        check(head.replace(b"P%d" % number, b"P%d" % (number - 3)) + plain, expected)


def test_netpbm_bitmaps_and_pages():
    packed = np.packbits(1 - BITS, axis=1).tobytes()
    raw = b"P4\n%d %d\n" % (WIDTH, HEIGHT) + packed
    check(raw, BITS * np.uint8(255), pages=1)
    check(raw + raw, BITS * np.uint8(255), pages=2)
    digits = b"".join(b"%d" % (1 - value) for value in BITS.ravel())
    check(b"P1 %d %d " % (WIDTH, HEIGHT) + digits, BITS * np.uint8(255))


def test_netpbm_above_its_maximum_is_refused():
    with pytest.raises(PictureError, match="a value above its maximum 100"):
        read(b"P5 2 1 100 " + bytes([100, 101]), "a")


def test_jpeg2000(known):
    check(pil(known.rgb, "JPEG2000", irreversible=False), known.rgb, format="JPEG 2000")
    check(pil(known.gray, "JPEG2000", irreversible=False), known.gray)
    rgba = np.dstack([known.rgb, known.alpha])
    check(pil(rgba, "JPEG2000", irreversible=False), known.rgb, known.alpha)
    check(pil(known.rgb, "JPEG2000", irreversible=False, no_jp2=True), known.rgb)
    check(pil(known.rgb, "JPEG2000", "CMYK", irreversible=False), known.rgb, tolerance=4)
    deep, alpha = (np.tile(img, (6, 4, 1)[: img.ndim]) for img in (known.rgb16, known.alpha16))
    for img, pixels, clear in (
        (deep[..., ::-1], deep, None),
        (deep[..., 0], deep[..., 0], None),
        (np.dstack([deep[..., ::-1], alpha]), deep, alpha),
    ):
        options = [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000]
        check(cv2.imencode(".jp2", np.ascontiguousarray(img), options)[1].tobytes(), pixels, clear)


def test_avif(known):
    check(pil(known.rgb, "AVIF", quality=100, subsampling="4:4:4"), known.rgb, tolerance=6, format="AVIF")
    gray = cv2.imencode(".avif", known.gray, [cv2.IMWRITE_AVIF_QUALITY, 100])[1].tobytes()  # older Pillow writes colour
    check(gray, known.gray, tolerance=6)
    rgba = np.dstack([known.rgb, known.alpha])
    check(pil(rgba, "AVIF", quality=100, subsampling="4:4:4"), known.rgb, known.alpha, tolerance=6)
    frames = [Image.fromarray(255 - known.rgb)]
    assert header(pil(known.rgb, "AVIF", save_all=True, append_images=frames), "a").pages == 2


@pytest.mark.parametrize("bits", [10, 12])
def test_deep_avif(known, bits):
    samples = (known.rgb16 >> (16 - bits))[..., ::-1]
    options = [cv2.IMWRITE_AVIF_DEPTH, bits, cv2.IMWRITE_AVIF_QUALITY, 100]
    check(cv2.imencode(".avif", np.ascontiguousarray(samples), options)[1].tobytes(), known.rgb16, tolerance=1500)


def test_rows_of_more_than_a_million_pixels():
    wide = np.zeros((2, 1_100_000, 3), np.uint8)
    wide[..., 0] = np.arange(1_100_000) % 251
    for content in (pil(wide, "PNG", compress_level=1), pil(wide, "BMP"), pil(wide, "TIFF", compression="tiff_lzw")):
        assert np.array_equal(read(content, "a").pixels, wide)
    deep = wide.astype(np.uint16) * 257 + 1
    assert np.array_equal(read(tif(deep, photometric="rgb", compression="zlib"), "a").pixels, deep)
    line = np.concatenate([np.zeros((2, 1), np.uint8), deep.astype(">u2").view(np.uint8).reshape(2, -1)], axis=1)
    assert np.array_equal(read(png_of_lines(line, 1_100_000), "a").pixels, deep)


def png_of_lines(lines, width):
    body = chunk(b"IHDR", struct.pack(">IIBBBBB", width, len(lines), 16, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IDAT", zlib.compress(lines.tobytes(), 1)) + chunk(b"IEND", b"")


def test_the_shared_cases(shared, tmp_path):
    """About 130 files whose pixels another program wrote down; Lab and numbers of other kinds are refused."""
    maker = shared / "cases/make_images.py"
    if not maker.is_file():
        pytest.skip("no shared/cases")
    subprocess.run([sys.executable, "-W", "ignore", maker, tmp_path], check=True, capture_output=True)
    expected, refused, wrong = np.load(tmp_path / "expected.npz"), [], []
    for path in sorted(tmp_path.iterdir()):
        if path.suffix == ".npz":
            continue
        try:
            found = read(path.read_bytes(), path.name)
        except PictureError:
            refused.append(path.name)
            continue
        if f"{path.name}|pixels" in expected and not _as_expected(found, expected, path.name):
            wrong.append(path.name)
    assert wrong == []
    assert refused == ["float.tif", "int16.tif", "lab.tif", "uint32.tif"]


def _as_expected(found, expected, name):
    tolerance = int(expected[f"{name}|tolerance"])
    for key, got in (("pixels", found.pixels), ("alpha", found.alpha)):
        value = expected.get(f"{name}|{key}")
        if (value is None) != (got is None):
            return False
        if value is not None:
            got = _turned(got, found.header.orientation)
            same = got.shape == value.shape and got.dtype == value.dtype
            if not same or np.abs(got.astype(int) - value).max() > tolerance:
                return False
    return True


def _turned(img, orientation):
    """As EXIF defines it: 2 mirrors, 3 turns by 180 degrees, 4 flips, 5 transposes, 6 to 8 transpose as well."""
    img = img.swapaxes(0, 1) if orientation >= 5 else img
    img = img[::-1] if orientation in (3, 4, 7, 8) else img
    return img[:, ::-1] if orientation in (2, 3, 6, 7) else img
