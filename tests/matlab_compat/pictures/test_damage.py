"""Whatever the bytes are: pixels, or one line; never another exception, never a library's noise."""

import os
import random
import stat
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from matlab_compat.pictures import NAMES, PictureError, TooLarge, header, memory, read

from .conftest import bits_tif, bmp, chunk, pil, png, tif


@pytest.fixture(scope="module")
def files(known):
    """One file of each kind of decoder: {name: bytes}."""
    rgba = np.dstack([known.rgb, known.alpha])
    deep = np.ascontiguousarray(known.rgb16[..., ::-1])
    frames = {"save_all": True, "append_images": [Image.fromarray(255 - known.rgb)]}
    palette = Image.fromarray(known.rgb).quantize(16)
    return {
        "rgb.png": png(known.rgb, 2, 8),
        "rgb16.png": png(known.rgb16, 2, 16, interlace=1),
        "rgba.png": pil(rgba, "PNG"),
        "q.jpg": pil(known.rgb, "JPEG"),
        "cmyk.jpg": pil(known.rgb, "JPEG", "CMYK", progressive=True),
        "rgb.bmp": pil(known.rgb, "BMP"),
        "x.bmp": bmp(known.gray.astype(np.uint32), 32),
        "anim.gif": pil(known.rgb, "GIF", **frames),
        "p.gif": pil(palette, "GIF", transparency=3),
        "l.webp": pil(rgba, "WEBP", lossless=True),
        "anim.webp": pil(known.rgb, "WEBP", **frames),
        "q.jp2": pil(known.rgb, "JPEG2000"),
        "q.avif": pil(rgba, "AVIF"),
        "p.ppm": b"P6 40 24 1023 " + (known.rgb16 >> 6).astype(">u2").tobytes(),
        "p.pbm": b"P1 40 24 " + b"01" * 480,
        "lzw.tif": cv2.imencode(".tif", deep, [cv2.IMWRITE_TIFF_COMPRESSION, 5])[1].tobytes(),
        "zip.tif": tif(known.rgb16, photometric="rgb", compression="zlib", predictor=True, rowsperstrip=5),
        "tiles.tif": tif(known.rgb, photometric="rgb", compression="zlib", tile=(16, 16), bigtiff=True),
        "fax.tif": pil(known.gray > 100, "TIFF", compression="group4"),
        "jpeg.tif": pil(known.rgb, "TIFF", compression="jpeg"),
        "ycc.tif": pil(known.rgb, "TIFF", "YCbCr"),
        "12.tif": bits_tif(known.gray.astype(int) * 16, 12, 0),
        "pages.tif": tif(np.stack([known.rgb, known.rgb]), photometric="rgb"),
    }


def outcome(content):
    """Picture, or None after a proper refusal."""
    try:
        found = read(content, "file", limit=256 << 20)
    except PictureError as error:
        text = str(error)
        assert text.startswith("file: ") and "\n" not in text and len(text) < 300 and "object at 0x" not in text
        return None
    assert found.pixels.dtype in (np.uint8, np.uint16) and found.pixels.ndim in (2, 3)
    assert found.alpha is None or found.alpha.shape == found.pixels.shape[:2]
    return found


def test_damaged_files_give_pixels_or_one_line(files, capfd):
    """3,000 files with flipped bits, bytes of 0 and 255 in the header, and bytes left out or put in."""
    chance = random.Random(1)
    for content in files.values():
        for _ in range(3000 // len(files)):
            damaged = bytearray(content)
            for _ in range(chance.choice((1, 1, 2, 8))):
                place = chance.randrange(min(len(damaged), chance.choice((64, 300, 1 << 30))))
                kind = chance.randrange(4)
                if kind < 2:
                    damaged[place] = damaged[place] ^ 1 << chance.randrange(8) if kind else chance.choice((0, 127, 255))
                elif kind == 2 and len(damaged) > 50:
                    del damaged[place : place + chance.randrange(1, 40)]
                else:
                    damaged[place:place] = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 20)))
            outcome(bytes(damaged))
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_truncated_files_give_the_same_pixels_or_none(files, capfd):
    chance = random.Random(2)
    for name, content in files.items():
        whole = outcome(content)
        assert whole is not None, name
        for _ in range(25):
            found = outcome(content[: chance.randrange(len(content))])
            assert found is None or np.array_equal(found.pixels, whole.pixels), name
    assert capfd.readouterr() == ("", "")


def test_a_flipped_bit_in_a_png_is_always_told(files):
    content = files["rgb.png"]
    whole = outcome(content).pixels
    for place in range(len(content)):
        for bit in (0, 7):
            damaged = bytearray(content)
            damaged[place] ^= 1 << bit
            found = outcome(bytes(damaged))
            assert found is None or np.array_equal(found.pixels, whole)


def test_a_damaged_fax_is_told(files, capfd):
    """Pillow takes what libtiff makes of it."""
    content = files["fax.tif"]
    start = struct.unpack_from("<I", content, 4)[0]
    strip = 8 if start > 60 else len(content) - 60
    refused = sum(outcome(content[: strip + k] + b"\x5a" + content[strip + k + 1 :]) is None for k in range(20))
    assert refused >= 10 and capfd.readouterr() == ("", "")


def test_the_shared_damaged_files(shared, capfd):
    folder = shared / "cases/damaged"
    if not folder.is_dir():
        pytest.skip("no shared/cases")
    for path in folder.iterdir():
        with pytest.raises(PictureError, match=rf"^{path.name}: truncated or damaged image \(.*\); fetch or copy"):
            read(path.read_bytes(), path.name)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"P",
        b"no picture",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"%PDF-1.7\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\x0a\x05\x01\x08" + bytes(200),  # PCX
        b"8BPS\0\1" + bytes(60),  # Photoshop
        b"v/1\x01" + bytes(60),  # OpenEXR
        b"#?RADIANCE\n\n-Y 1 +X 1\n",
        b"\0\0\1\0\1\0" + bytes(60),  # icon
        b"Pf\n1 1\n-1.0\n" + bytes(4),  # floating-point map
        b"\0\0\0\x18ftypheic" + bytes(60),
        b"RIFF\x24\0\0\0WAVEfmt " + bytes(40),
    ],
)
def test_nothing_but_the_formats_named_is_opened(content, capfd):
    for ask in (header, read):
        with pytest.raises(PictureError) as caught:
            ask(content, "photo.png")
        assert str(caught.value).startswith(f"photo.png: not a picture, expected PNG, JPEG, {NAMES[2]}")
    assert capfd.readouterr() == ("", "")


def test_no_program_is_started_for_postscript(tmp_path, monkeypatch):
    """Pillow gives such a file to Ghostscript, whatever its name."""
    stand_in = tmp_path / "gs"
    stand_in.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    stand_in.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n")
    command = [sys.executable, "-m", "matlab_compat", "imresize", photo, tmp_path / "out.png", "--scale", "2"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "photo.png: not a picture" in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "ran").exists() and not (tmp_path / "out.png").exists()


# memory --------------------------------------------------------------------------------------------


def stored(kind, width, height):
    """A small file that claims so many pixels."""
    lie = {"PNG": png(np.zeros((1, 1), np.uint8), 0, 8, size=(height, width))}
    lie["PNM"] = b"P6 %d %d 255 " % (width, height) + bytes(100)
    content = bytearray(pil(np.zeros((8, 8, 3), np.uint8), "BMP"))
    content[18:26] = struct.pack("<ii", width, height)
    lie["BMP"] = bytes(content)
    return lie[kind]


@pytest.mark.parametrize("kind", ["PNG", "PNM", "BMP"])
def test_more_pixels_than_the_file_can_hold(kind):
    with pytest.raises(PictureError, match="truncated or damaged"):
        header(stored(kind, 60000, 60000), "a")


def claims(format, **options):
    """A picture whose coded pixels may stand for any number, with 60,000 or so a side in its header."""
    content = bytearray(pil(np.zeros((64, 64, 3), np.uint8), format, **options))
    if format == "JPEG":
        place = content.index(b"\xff\xc0") + 5
        content[place : place + 4] = struct.pack(">HH", 60000, 60000)
    elif format == "GIF":
        content[6:10] = struct.pack("<HH", 60000, 60000)
    elif format == "JPEG2000":
        place = content.index(b"\xff\x4f\xff\x51") + 8
        content[place : place + 8] = struct.pack(">II", 60000, 60000)
    elif format == "AVIF":
        place = content.index(b"ispe") + 8
        content[place : place + 8] = struct.pack(">II", 16000, 16000)
    elif format == "WEBP":
        content[21:25] = struct.pack("<I", 16382 | 16382 << 14)
    else:
        directory = struct.unpack_from("<I", content, 4)[0]
        for entry in range(directory + 2, directory + 2 + 12 * struct.unpack_from("<H", content, directory)[0], 12):
            if struct.unpack_from("<H", content, entry)[0] in (256, 257, 278):
                struct.pack_into("<HII", content, entry + 2, 4, 1, 60000)
    return bytes(content)


@pytest.mark.parametrize(
    "format, options",
    [("JPEG", {}), ("GIF", {}), ("JPEG2000", {}), ("AVIF", {}), ("WEBP", {"lossless": True}),
     ("TIFF", {"compression": "jpeg"})],
)  # fmt: skip
def test_bombs_are_refused_before_any_memory_is_taken(format, options, monkeypatch):
    content = claims(format, **options)
    said = header(content, "a")
    assert said.decode_bytes > 2 << 30
    with pytest.raises(TooLarge, match=r"^a: \d+x\d+ pixels take about .* of memory to read, expected") as caught:
        read(content, "a", limit=2 << 30)
    assert (caught.value.needed, caught.value.limit) == (said.decode_bytes, 2 << 30)
    monkeypatch.setattr(memory, "available", lambda: 1 << 30)  # what there is, where no limit is given
    with pytest.raises(TooLarge, match="expected at most the 1,024 MB this machine has left"):
        read(content, "a")


def test_a_real_picture_beyond_the_limit_is_refused_with_the_figure(known):
    content = pil(known.rgb, "PNG")
    needed = header(content, "a").decode_bytes
    assert read(content, "a", limit=needed).pixels.shape == known.rgb.shape
    with pytest.raises(TooLarge):
        read(content, "a", limit=needed - 1)


PEAK = """
import sys
from pathlib import Path
from matlab_compat.pictures import header, read
def peak():  # of this program; getrusage also counts the one that started it
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))
for name in sys.argv[2:]:  # libraries are loaded by a small one
    read(Path(name).read_bytes(), name)
content = Path(sys.argv[1]).read_bytes()
before = peak()
found = read(content, "a", limit=1 << 40)
print(found.header.decode_bytes, peak() - before)
"""


@pytest.mark.parametrize("kind", ["png", "png16", "jpg", "webp", "jp2", "avif", "lzw", "assoc", "ppm", "gif"])
def test_the_estimate_of_memory_holds(tmp_path, known, kind):
    """The peak of a process that reads 5 megapixels is below the estimate, which is below three times the peak."""
    makers = {
        "png": lambda img: pil(img, "PNG", compress_level=1),
        "png16": lambda img: cv2.imencode(".png", img * np.uint16(257))[1].tobytes(),
        "jpg": lambda img: pil(img, "JPEG"),
        "webp": lambda img: pil(img, "WEBP", method=0),
        "jp2": lambda img: pil(img, "JPEG2000"),
        "avif": lambda img: pil(img, "AVIF", speed=10),
        "lzw": lambda img: pil(img, "TIFF", compression="tiff_lzw"),
        "assoc": lambda img: tif(
            np.dstack([img, img[..., :1]]) * np.uint16(257), photometric="rgb", extrasamples=["assocalpha"]
        ),
        "ppm": lambda img: b"P6 %d %d 1023 " % img.shape[1::-1] + (img.astype(int) * 4).astype(">u2").tobytes(),
        "gif": lambda img: pil(Image.fromarray(img[..., 0]), "GIF"),
    }
    large, small = tmp_path / "large", tmp_path / "small"
    large.write_bytes(makers[kind](cv2.resize(known.rgb, (2400, 2000), interpolation=cv2.INTER_CUBIC)))
    small.write_bytes(makers[kind](known.rgb))
    done = subprocess.run([sys.executable, "-c", PEAK, large, small], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    estimate, peak = map(int, done.stdout.split())
    assert peak <= estimate <= 3 * peak + (64 << 20), (peak >> 20, estimate >> 20)


def test_available_memory_knows_limits_of_the_process():
    code = "import resource; from matlab_compat.pictures import memory; before = memory.available()\n"
    code += "resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30)); print(before, memory.available())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert before > 0 and 0 < after < 3 << 30


def test_a_chunk_of_text_is_no_reason_to_refuse(known):
    """Pillow refuses text and profiles of more than a megabyte."""
    text = chunk(b"zTXt", b"Note\0\0" + zlib.compress(bytes(3 << 20)))
    assert np.array_equal(read(png(known.rgb, 2, 8, text), "a").pixels, known.rgb)
