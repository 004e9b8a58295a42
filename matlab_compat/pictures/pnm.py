"""PBM, PGM and PPM, plain and raw, with any maximum: the maximum is white.

By hand: the pixels lie in the file as they are, and libraries take the maximum for 255 or 65535, or scale in Python.
Source: netpbm's pages pbm(5), pgm(5), ppm(5).
"""

import re
from dataclasses import dataclass
from functools import partial

import numpy as np

from .picture import Damaged, Header

_BLANK = re.compile(rb"(?:[ \t\n\v\f\r]|#[^\n\r]*)*")
_NUMBER = re.compile(rb"\d{1,10}")
_COMMENT = re.compile(rb"#[^\n\r]*")
_FIXED = 16 << 20


@dataclass
class _Layout:
    """What a header says: P1 to P6, the size, the maximum and where the pixels begin."""

    kind: int
    width: int
    height: int
    most: int
    start: int

    @property
    def channels(self):
        return 3 if self.kind in (3, 6) else 1

    @property
    def deep(self):
        return self.most > 255

    @property
    def plain(self):
        return self.kind < 4

    @property
    def raster(self):
        """Bytes of the pixels; of a plain file the fewest."""
        samples = self.width * self.height * self.channels
        if self.plain:
            return samples if self.kind == 1 else 2 * samples - 1
        return self.height * (-(-self.width // 8)) if self.kind == 4 else samples * (1 + self.deep)


def _layout(content, start=0):
    kind = content[start + 1] - ord("0")
    numbers, place = [], start + 2
    for _ in range(2 if kind in (1, 4) else 3):
        place = _BLANK.match(content, place).end()
        found = _NUMBER.match(content, place)
        if not found:
            raise Damaged("its header cannot be read")
        numbers.append(int(found.group()))
        place = found.end()
    width, height, most = (*numbers, 1)[:3]
    if not (0 < width < 1 << 31 and 0 < height < 1 << 31 and 0 < most < 1 << 16):
        raise Damaged("its header cannot be read")
    layout = _Layout(kind, width, height, most, place + 1)  # one blank ends the header
    if layout.start + layout.raster > len(content):
        raise Damaged("it ends too early")
    return layout


def opened(content):
    """Header of a netpbm file's bytes, and what decodes it to pixels and None; both raise Damaged."""
    layout = _layout(content)
    return _header(layout, content), partial(_decoded, layout, content)


def _header(layout, content):
    samples = layout.width * layout.height * layout.channels
    each = (8 if layout.plain else 1) + 1 + layout.deep  # numbers as text become 64-bit ones
    return Header(
        "PNM",
        layout.height,
        layout.width,
        layout.channels,
        deep=layout.deep,
        pages=1 if layout.plain else _pages(layout, content),
        decode_bytes=samples * each + (5 * len(content) if layout.plain else 0) + _FIXED,
    )


def _pages(layout, content):
    """Pictures that follow one another in a raw file."""
    pages, place = 1, layout.start + layout.raster
    while re.match(rb"P[4-6]\s", content[place : place + 3]):
        try:
            layout = _layout(content, place)
        except Damaged:
            break
        pages, place = pages + 1, layout.start + layout.raster
    return pages


def _decoded(layout, content):
    shape = (layout.height, layout.width) + ((3,) if layout.channels == 3 else ())
    samples = _plain(layout, content) if layout.plain else _raw(layout, content)
    return _scaled(samples.reshape(shape), layout), None


def _raw(layout, content):
    if layout.kind == 4:
        packed = np.frombuffer(content, np.uint8, layout.raster, layout.start).reshape(layout.height, -1)
        return 1 - np.unpackbits(packed, axis=1, count=layout.width)
    kind = np.dtype(">u2" if layout.deep else np.uint8)
    return np.frombuffer(content, kind, layout.raster // kind.itemsize, layout.start)


def _plain(layout, content):
    count = layout.width * layout.height * layout.channels
    text = _COMMENT.sub(b"", content[layout.start - 1 :])
    if layout.kind == 1:  # blanks between the digits are optional
        digits = np.frombuffer(b"".join(text.split())[:count], np.uint8)
        if len(digits) < count or ((digits != 48) & (digits != 49)).any():
            raise Damaged("it ends too early")
        return 49 - digits
    samples = np.fromstring(text, np.int64, sep=" ")[:count]  # up to where something else follows
    if len(samples) < count:
        raise Damaged("it ends too early")
    if (samples < 0).any():
        raise Damaged("a value below 0")
    return samples


def _scaled(samples, layout):
    """Samples of 0..maximum as uint8 of 0..255 or uint16 of 0..65535, rounded half up."""
    if samples.max() > layout.most:
        raise Damaged(f"a value above its maximum {layout.most}")
    kind = np.uint16 if layout.deep else np.uint8
    white = np.iinfo(kind).max
    if layout.most == white:
        return samples.astype(kind)
    out = np.empty(samples.shape, kind)
    step = max(1, (1 << 20) // (layout.width * layout.channels))
    for start in range(0, layout.height, step):
        rows = samples[start : start + step].astype(np.uint64)
        out[start : start + step] = (2 * rows * white + layout.most) // (2 * layout.most)
    return out
