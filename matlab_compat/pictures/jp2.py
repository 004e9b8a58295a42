"""JPEG 2000, by OpenJPEG: through Pillow, and deep colour, of which Pillow keeps 8 bits, through OpenCV.

Source: ISO/IEC 15444-1, annexes A.5.1 (SIZ) and I.5 (boxes).
"""

import struct
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from PIL import Jpeg2KImagePlugin  # noqa: F401 (registers itself)

from . import icc, opencv, pillow
from .bmp import palette
from .picture import Damaged, Header, Unsupported
from .tiff_colours import divided

_CODESTREAM = b"\xff\x4f\xff\x51"
_CMYK, _SRGB, _GRAY, _SYCC = 12, 16, 17, 18


@dataclass
class _Layout:
    """What boxes and codestream say: components' bits and sampling, colours, palette, which channel is alpha."""

    width: int
    height: int
    bits: tuple
    signed: bool
    sampled: bool
    colours: int = None
    profile: bytes = None
    palette: bool = False
    kinds: dict = field(default_factory=dict)  # of channels: 0 colour, 1 alpha, 2 alpha that colours are multiplied by

    @property
    def alpha(self):
        """1 for alpha, 2 for colours that are multiplied by it, 0 for none."""
        return self.kinds.get(len(self.bits) - 1, 1) if len(self.bits) in (2, 4) and self.colours != _CMYK else 0

    @property
    def channels(self):
        return 1 if len(self.bits) < 3 and not self.palette else 3

    @property
    def deep(self):
        return max(self.bits) > 8 and not self.palette


def opened(content):
    """Header of a JPEG 2000 file's bytes, and what decodes it to pixels and alpha (or None); both raise Damaged."""
    layout = _layout(content)
    found = _header(layout, content)
    return found, partial(_decoded, layout, found, content)


def _header(layout, content):
    alpha = layout.alpha in (1, 2)
    result = (layout.channels + alpha) * (1 + layout.deep)
    # a tile, which may be all of the picture, is held as 32-bit integers, and its bytes besides
    each = result + (5 + layout.deep) * len(layout.bits)
    return Header(
        "JPEG 2000",
        layout.height,
        layout.width,
        layout.channels,
        alpha,
        layout.deep,
        profile=icc.fitting(layout.profile, layout.channels),
        decode_bytes=pillow.decode_bytes(layout.height, layout.width, "RGBA", each) + 2 * len(content),
    )


def _layout(content):
    boxes = [] if content.startswith(_CODESTREAM) else list(_boxes(content, 0, len(content)))
    start = next((start for name, start, _ in boxes if name == b"jp2c"), 0)
    if content[start : start + 4] != _CODESTREAM:
        raise Damaged("it holds no codestream")
    layout = _siz(content, start + 4)
    for name, start, end in boxes:
        if name == b"jp2h":
            for inner in _boxes(content, start, end):
                _take(layout, content, *inner)
    return layout


def _boxes(content, place, end):
    """Yield name, start and end of what each box holds."""
    while place + 8 <= end:
        length, name = struct.unpack_from(">I4s", content, place)
        start = place + 8
        if length == 1:
            length, start = struct.unpack_from(">Q", content, start)[0], start + 8
        stop = place + length if length else end
        if not start <= stop <= end:
            if name != b"jp2c":
                raise Damaged("it ends too early")
            stop = end
        yield name, start, stop
        place = stop


def _siz(content, place):
    _, _, right, bottom, left, top, _, _, _, _, count = struct.unpack_from(">HHIIIIIIIIH", content, place)
    parts = [content[place + 38 + 3 * i : place + 41 + 3 * i] for i in range(count)]
    if not 1 <= count <= 4:
        raise Unsupported(f"{count} components, expected 1 to 4; save it as PNG")
    if len(parts[-1]) < 3 or right <= left or bottom <= top or not all(part[1] and part[2] for part in parts):
        raise Damaged("its header cannot be read")
    bits = tuple((part[0] & 0x7F) + 1 for part in parts)
    if max(bits) > 16:
        raise Unsupported(f"pixels are {max(bits)} bits a channel, expected 8 or 16 bits; save it as 8-bit PNG")
    sampled = any(part[1] != 1 or part[2] != 1 for part in parts)
    return _Layout(right - left, bottom - top, bits, any(part[0] & 0x80 for part in parts), sampled)


def _take(layout, content, name, start, end):
    body = content[start:end]
    if name == b"colr" and layout.colours is None and len(body) >= 7:
        if body[0] == 1:
            layout.colours = int.from_bytes(body[3:7], "big")
        elif body[0] == 2:
            layout.profile, layout.colours = body[3:], 0
    elif name == b"pclr":
        layout.palette = True
    elif name == b"cdef" and len(body) >= 2:
        for number, kind, _ in struct.iter_unpack(">HHH", body[2 : 2 + 6 * ((len(body) - 2) // 6)]):
            layout.kinds[number] = kind


def _decoded(layout, found, content):
    with pillow.opened(content, "JPEG2000") as image:
        _check_kind(layout, image.mode)
        if layout.palette:
            colours = palette(image)
            return pillow.indexed(image, colours if colours.ndim == 2 else colours[:, None].repeat(3, 1))
        convert = icc.cmyk_to_rgb(layout.profile) if image.mode == "CMYK" else None
        pixels, alpha = pillow.arrays(image, convert)  # also where OpenCV is to decode: it takes cut files
    if layout.deep and found.channels + found.alpha > 1:
        pixels, alpha = opencv.read(content)
        if pixels.dtype != np.uint16 or (alpha is None) == found.alpha:
            raise Damaged("its channels are not what its header says")
        pixels, alpha = opencv.stretched(pixels, layout.bits[0]), opencv.stretched(alpha, layout.bits[-1])
    elif image.mode != "CMYK":
        pixels = _widened(pixels, layout.bits[0])
        alpha = None if alpha is None else _widened(alpha, layout.bits[-1])
    if not found.alpha:
        alpha = None
    elif layout.alpha == 2:
        pixels = divided(pixels, alpha)
    return pixels, alpha


def _check_kind(layout, mode):
    known = {_SRGB, _GRAY, _SYCC, _CMYK, 0, None, 15}
    if layout.colours not in known or mode not in ("L", "LA", "I;16", "RGB", "RGBA", "CMYK", "P"):
        raise Unsupported("its colours are not read, expected gray, RGB, YCbCr or CMYK; save it as PNG")
    colour_bits = layout.bits if len(layout.bits) in (1, 3) else layout.bits[:-1]
    odd = len(set(colour_bits)) > 1 or (layout.deep and (layout.sampled or layout.signed or len(layout.bits) == 2))
    if odd or (layout.deep and layout.colours in (_SYCC, _CMYK)):
        raise Unsupported("its components differ in depth or size, or are deep and not RGB; save it as PNG")


def _widened(samples, bits):
    """Samples that Pillow has shifted to the left from fewer bits, over the whole range."""
    full = 8 * samples.dtype.itemsize
    if bits in (8, 16):
        return samples
    most, white = (1 << bits) - 1, (1 << full) - 1
    rows = (samples >> (full - bits)).astype(np.uint64)
    return ((2 * rows * white + most) // (2 * most)).astype(samples.dtype)
