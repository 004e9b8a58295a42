"""PNG: chunks by hand, because each is checked and only those that make pixels go to Pillow; Pillow undoes filters.

Pillow reads 16-bit colour as 8 bits, the high bytes; asked for little-endian samples it gives the low ones. Gray with
alpha of 16 bits has the bytes of 8-bit RGBA, and the same filters.
Source: PNG specification, third edition, sections 5, 11 and 13.
"""

import struct
import zlib
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from . import exif, icc, pillow
from .picture import Damaged, Header

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GRAY, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6
_SAMPLES = {GRAY: 1, RGB: 3, PALETTE: 1, GRAY_ALPHA: 2, RGBA: 4}
_DEPTHS = {GRAY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GRAY_ALPHA: (8, 16), RGBA: (8, 16)}
_PROFILE_BYTES = 32 << 20
_DEFLATE = 1032  # times smaller, at most, is what zlib writes


@dataclass
class _Chunks:
    """Where the chunks that matter lie: IHDR's values, and the others' bytes."""

    width: int = 0
    height: int = 0
    depth: int = 0
    colour: int = 0
    interlace: int = 0
    palette: bytes = b""
    clear: bytes = None
    profile: bytes = None
    exif: bytes = None
    frames: int = 1
    data: list = field(default_factory=list)  # views of whole IDAT chunks
    compressed: int = 0


def opened(content):
    """Header of a PNG's bytes, and what decodes it to pixels and alpha (or None); both raise Damaged."""
    found = _chunks(content)
    return _header(found), partial(_decoded, found)


def _header(found):
    alpha = found.colour in (GRAY_ALPHA, RGBA) or found.clear is not None
    channels = 1 if found.colour in (GRAY, GRAY_ALPHA) else 3
    deep = found.depth == 16
    result = (channels + alpha) * (1 + deep)
    size = pillow.decode_bytes(found.height, found.width, _mode(found), result)
    return Header(
        "PNG",
        found.height,
        found.width,
        channels,
        alpha,
        deep,
        found.frames,
        exif.orientation(found.exif),
        icc.fitting(_inflated(found.profile), channels),
        size + 2 * found.compressed,
    )


def _decoded(found):
    if found.depth == 16 and found.colour in (RGB, RGBA):
        pixels, alpha = _deep_colours(found)
    elif found.depth == 16 and found.colour == GRAY_ALPHA:
        pixels, alpha = _deep_gray_alpha(found)
    elif found.colour == PALETTE:
        pixels, alpha = _palette(found)
    else:
        with pillow.opened(_rebuilt(found), "PNG") as image:
            pixels, alpha = pillow.arrays(image)
    if alpha is None and found.clear is not None:
        alpha = _keyed(found, pixels)
    return pixels, alpha


def _mode(found):
    if found.colour == PALETTE:
        return "P"
    if found.colour == GRAY:
        return "I;16" if found.depth == 16 else "L"
    return "RGBA"


def _chunks(content):
    """Walk over all chunks and check them (_Chunks); raises Damaged."""
    found, place, view = _Chunks(), len(SIGNATURE), memoryview(content)
    name = None
    while name != b"IEND":
        if place + 12 > len(content):
            raise Damaged("it ends too early")
        length, name = struct.unpack_from(">I4s", content, place)
        end = place + 12 + length
        if end > len(content):
            raise Damaged("it ends too early")
        critical = not name[0] & 0x20
        whole = zlib.crc32(view[place + 4 : end - 4]) == int.from_bytes(view[end - 4 : end], "big")
        if not whole and (critical or name == b"tRNS"):
            raise Damaged(f"checksum of {name.decode('latin-1')!a}")
        if not found.width and name != b"IHDR":
            raise Damaged("it does not begin with IHDR")
        _take(found, name, view[place:end])
        place = end
    if not found.data:
        raise Damaged("it has no pixels")
    if found.colour == PALETTE and not found.palette:
        raise Damaged("it has no palette")
    _check_compression(found)
    return found


def _take(found, name, chunk):
    body = chunk[8:-4]
    if name == b"IHDR":
        _take_ihdr(found, body)
    elif name == b"PLTE":
        found.palette = bytes(body)
    elif name == b"tRNS":
        found.clear = _clear(found, bytes(body))
    elif name == b"IDAT":
        found.data.append(chunk)
        found.compressed += len(body)
    elif name == b"iCCP":
        found.profile = bytes(body)
    elif name == b"eXIf":
        found.exif = bytes(body)
    elif name == b"acTL" and len(body) == 8:
        found.frames = max(1, int.from_bytes(body[:4], "big"))


def _take_ihdr(found, body):
    if len(body) != 13 or found.width:
        raise Damaged("its header cannot be read")
    found.width, found.height = struct.unpack_from(">II", body)
    found.depth, found.colour, method, filters, found.interlace = bytes(body[8:])
    known = found.depth in _DEPTHS.get(found.colour, ()) and method == filters == 0 and found.interlace in (0, 1)
    if not known or not 0 < found.width < 1 << 31 or not 0 < found.height < 1 << 31:
        raise Damaged("its header cannot be read")


def _clear(found, body):
    """tRNS where it is allowed and whole, else None: viewers ignore another one."""
    expected = {GRAY: 2, RGB: 6}.get(found.colour)
    if found.colour == PALETTE:
        return body[:256]
    return body if len(body) == expected else None


def _check_compression(found):
    """No stream is so short for so many pixels: a forged size is told without any memory for it."""
    bits = found.width * _SAMPLES[found.colour] * found.depth
    if found.height * (bits // 8) > _DEFLATE * (found.compressed + 16):
        raise Damaged("fewer pixels than its header claims")


def _rebuilt(found, depth=None, colour=None):
    """The bytes of a PNG of the pixels' chunks alone, with another depth and colour type in IHDR if given."""
    body = struct.pack(
        ">IIBBBBB", found.width, found.height, depth or found.depth, colour or found.colour, 0, 0, found.interlace
    )
    # PLTE of an RGB picture is a mere suggestion
    palette = [_chunk(b"PLTE", found.palette)] if found.colour == PALETTE else []
    return b"".join([SIGNATURE, _chunk(b"IHDR", body), *palette, *found.data, _chunk(b"IEND", b"")])


def _chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _deep_colours(found):
    content = _rebuilt(found)
    mode = "RGB" if found.colour == RGB else "RGBA"
    shape = (found.height, found.width)
    pixels = np.zeros((*shape, 3), np.uint16)
    alpha = np.zeros(shape, np.uint16) if mode == "RGBA" else None
    for raw, shift in ((f"{mode};16B", 8), (f"{mode};16L", 0)):
        with pillow.opened(content, "PNG") as image:
            image.tile = [tile._replace(args=raw) for tile in image.tile]
            for start, stop, rows in pillow.bands(image):
                rows = rows.astype(np.uint16) << shift
                pixels[start:stop] |= rows[..., :3]
                if alpha is not None:
                    alpha[start:stop] |= rows[..., 3]
    return pixels, alpha


def _deep_gray_alpha(found):
    pixels, alpha = (np.empty((found.height, found.width), np.uint16) for _ in range(2))
    with pillow.opened(_rebuilt(found, 8, RGBA), "PNG") as image:
        for start, stop, rows in pillow.bands(image):
            samples = np.ascontiguousarray(rows).view(">u2")
            pixels[start:stop], alpha[start:stop] = samples[..., 0], samples[..., 1]
    return pixels, alpha


def _palette(found):
    colours = np.zeros((256, 3), np.uint8)  # places that the palette has not are black
    given = np.frombuffer(found.palette[: 3 * 256], np.uint8)
    if len(given) % 3:
        raise Damaged("its palette is cut")
    colours[: len(given) // 3] = given.reshape(-1, 3)
    alpha = None
    if found.clear is not None:
        alpha = np.full(256, 255, np.uint8)
        alpha[: len(found.clear)] = np.frombuffer(found.clear, np.uint8)
    with pillow.opened(_rebuilt(found), "PNG") as image:
        return pillow.indexed(image, colours, alpha)


def _keyed(found, pixels):
    """Alpha of a picture with one transparent colour."""
    key = np.array(struct.unpack(f">{len(found.clear) // 2}H", found.clear))
    most = np.iinfo(pixels.dtype).max
    if found.depth < 16:
        key = (key & ((1 << found.depth) - 1)) * (most // ((1 << found.depth) - 1))
    clear = pixels == key[0]
    if pixels.ndim == 3:
        clear = clear[..., 0] & (pixels[..., 1] == key[1]) & (pixels[..., 2] == key[2])
    return np.where(clear, 0, most).astype(pixels.dtype)


def _inflated(body):
    """The profile in an iCCP chunk; None when it cannot be had."""
    if body is None:
        return None
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(body.partition(b"\0")[2][1:], _PROFILE_BYTES)
    except zlib.error:
        return None
    return profile if unpacker.eof else None
