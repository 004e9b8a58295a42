"""WebP, by libwebp through Pillow: the first frame.

The header is read here, since libwebp takes memory for the whole canvas as soon as it is opened.
Source: WebP container specification; RFC 9649.
"""

import struct
from functools import partial

from . import exif, icc, pillow
from .picture import Damaged, Header


def opened(content):
    """Header of a WebP's bytes, and what decodes it to pixels and alpha (or None); both raise Damaged."""
    return _header(content), partial(_decoded, content)


def _header(content):
    chunks = list(_chunks(content))
    first, body = chunks[0]
    width, height, alpha = _size(first, body)
    # of two of a name the first counts
    notes = {name: bytes(body) for name, body in reversed(chunks) if name in (b"EXIF", b"ICCP")}
    frames = sum(name == b"ANMF" for name, _ in chunks)
    extended = first == b"VP8X"
    # an animation's canvas is kept twice, besides the frame that is being drawn
    size = pillow.decode_bytes(height, width, "RGBA", (3 + alpha) + 12)
    return Header(
        "WebP",
        height,
        width,
        3,
        alpha,
        pages=max(1, frames),
        orientation=exif.orientation(notes.get(b"EXIF")) if extended else 1,
        profile=icc.fitting(notes.get(b"ICCP"), 3) if extended else None,
        decode_bytes=size + len(content),
    )


def _chunks(content):
    """Yield the chunks of the RIFF file: name and a view of the bytes."""
    view = memoryview(content)
    place, end = 12, min(len(content), 8 + int.from_bytes(content[4:8], "little"))
    if end < 30 or 8 + int.from_bytes(content[4:8], "little") > len(content) + 1:
        raise Damaged("it ends too early")
    while place + 8 <= end:
        name, length = struct.unpack_from("<4sI", content, place)
        yield name, view[place + 8 : place + 8 + length]
        place += 8 + length + length % 2


def _size(name, body):
    """Width, height and whether there is alpha."""
    if name == b"VP8X" and len(body) >= 10:
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little"), bool(body[0] & 0x10)
    if name == b"VP8 " and body[3:6] == b"\x9d\x01\x2a" and len(body) >= 10:
        width, height = struct.unpack_from("<HH", body, 6)
        return width & 0x3FFF, height & 0x3FFF, False
    if name == b"VP8L" and body[:1] == b"\x2f" and len(body) >= 5:
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF), bool(bits >> 28 & 1)
    raise Damaged("its header cannot be read")


def _decoded(content):
    with pillow.opened(content, "WEBP") as image:
        return pillow.arrays(image)
