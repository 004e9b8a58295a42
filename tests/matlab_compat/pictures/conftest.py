"""Small pictures whose pixels are known because this file makes them."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

HEIGHT, WIDTH = 24, 40
Y, X = np.mgrid[0:HEIGHT, 0:WIDTH]


class Known:
    """One picture in all classes: `rgb`, `gray`, `alpha` of 8 bits, `rgb16`, `gray16`, `alpha16`."""

    rgb = np.stack([20 + 5 * X, 30 + 8 * Y, 250 - 3 * X - 4 * Y], -1).clip(0, 255).astype(np.uint8)
    gray = (10 + 4 * X + 3 * Y).clip(0, 255).astype(np.uint8)
    alpha = (255 - 6 * X).clip(0, 255).astype(np.uint8)
    rgb16 = rgb * np.uint16(257) + np.array([3, 0, 0], np.uint16)
    gray16 = gray * np.uint16(257) + np.uint16(5)
    alpha16 = alpha * np.uint16(257)


@pytest.fixture(scope="session")
def known():
    return Known


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(samples, colour, depth, *extra, interlace=0, size=None):
    """A PNG (bytes) by the specification: samples (H, W[, C]), unpacked; `extra` are whole chunks before IDAT."""
    samples = samples[..., None] if samples.ndim == 2 else samples
    passes = [(0, 0, 1, 1)]
    if interlace:
        passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    lines = []
    for top, left, down, across in passes:
        for row in samples[top::down, left::across]:
            bits = (row.reshape(-1, 1).astype(np.int64) >> np.arange(depth - 1, -1, -1)) & 1
            lines.append(b"\0" + np.packbits(bits.astype(np.uint8)).tobytes())
    height, width = size or samples.shape[:2]
    ihdr = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    body = chunk(b"IHDR", ihdr) + b"".join(extra) + chunk(b"IDAT", zlib.compress(b"".join(lines)))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def tif(samples, **options):
    """A TIFF (bytes) as tifffile writes it."""
    stream = io.BytesIO()
    tifffile.imwrite(stream, samples, **options)
    return stream.getvalue()


def pil(samples, format, mode=None, **options):
    """What Pillow writes (bytes) of an array or an Image, converted to `mode` if given."""
    image = samples if isinstance(samples, Image.Image) else Image.fromarray(samples)
    stream = io.BytesIO()
    (image.convert(mode) if mode else image).save(stream, format, **options)
    return stream.getvalue()


def bits_tif(samples, bits, photometric, order="<", fill=1):
    """An uncompressed gray TIFF (bytes) of 1 to 16 bits by TIFF 6.0: rows begin at bytes."""
    raw = (samples[..., None].astype(np.int64) >> np.arange(bits - 1, -1, -1)) & 1
    raw = np.packbits(raw.reshape(len(samples), -1).astype(np.uint8), axis=1)
    if fill == 2:
        raw = np.packbits(np.unpackbits(raw.reshape(-1, 1), axis=1)[:, ::-1], axis=1)
    data = raw.tobytes() + b"\0" * (raw.size % 2)
    values = {256: samples.shape[1], 257: len(samples), 258: bits, 259: 1, 262: photometric, 266: fill, 273: 8, 277: 1}
    values.update({278: len(samples), 279: raw.size})
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in sorted(values.items()))
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8 + len(data))
    return head + data + struct.pack(f"{order}H", len(values)) + entries + b"\0" * 4


def bmp(pixels, depth, masks=None, version=40):
    """A BMP (bytes) of packed pixel values (H, W), unsigned; masks: BITFIELDS."""
    height, width = pixels.shape
    kind = {16: "<u2", 32: "<u4"}[depth]
    rows = pixels[::-1].astype(kind).tobytes()
    fields = struct.pack(f"<{len(masks)}I", *masks) if masks else b""
    rest = fields.ljust(version - 40, b"\0") if version > 40 else fields
    compression = 3 if masks else 0
    info = struct.pack("<IiiHHIIiiII", version, width, height, 1, depth, compression, len(rows), 0, 0, 0, 0) + rest
    return b"BM" + struct.pack("<IHHI", 14 + len(info) + len(rows), 0, 0, 14 + len(info)) + info + rows


def profile(space, size=588):
    """Bytes with the header of an ICC profile for "RGB ", "GRAY" or "CMYK"; no tables."""
    return struct.pack(">I", size) + b"\0" * 12 + space + b"XYZ " + b"\0" * 12 + b"acsp" + b"\0" * (size - 40)
