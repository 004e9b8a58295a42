"""A PNG written strip by strip, so that an image of any size needs the memory of a few rows; and its notes read back.

Pillow and OpenCV want the whole image at once, and Pillow has no 16-bit colour. The format is simple enough: a
signature, then chunks of length, name, content and CRC (PNG specification, second edition, clauses 5, 9 and 11).
The notes are read here as well, because the file may be anybody's: nothing is decompressed and little is read.
"""

import struct
import zlib

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by channels: gray, gray and alpha, RGB, RGBA
LEVEL = 6  # of zlib
CHUNK = 1 << 20  # bytes of an IDAT chunk, at least
LONGEST = (1 << 31) - 1  # rows and columns that the format has room for
TEXT_BYTES, TEXT_CHUNKS = 1 << 14, 64  # of notes that are read back, and chunks that are looked at for them


class PngWriter:
    """Write one PNG from top to bottom.

    Parameters
    ----------
    stream : binary file
        Opened for writing; stays open.
    shape : (int, int, int)
        Rows, columns and channels (1 gray, 2 gray and alpha, 3 RGB, 4 RGBA).
    dtype : numpy dtype
        uint8 or uint16.
    texts : dict of str to str
        Notes: tEXt chunks for what Latin-1 has, iTXt (UTF-8) for others; keys of 1 to 79 characters of Latin-1.
    profile : bytes, optional
        ICC profile of the colours.
    """

    def __init__(self, stream, shape, dtype, texts=None, profile=None):
        self.stream, self.shape, self.dtype = stream, tuple(shape), np.dtype(dtype)
        height, width, channels = self.shape
        self._step = channels * self.dtype.itemsize
        self._above = np.zeros(width * self._step, np.uint8)
        self._pending, self._left = [], height
        self._zlib = zlib.compressobj(LEVEL)
        stream.write(SIGNATURE)
        header = (width, height, 8 * self.dtype.itemsize, COLOUR_TYPES[channels], 0, 0, 0)
        self._chunk(b"IHDR", struct.pack(">IIBBBBB", *header))
        if profile:
            self._chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(profile))
        for key, text in (texts or {}).items():
            self._chunk(*_text_chunk(key, text))

    def write(self, rows):
        """Append rows: ndarray (n, W, C), or (n, W) for one channel, of the writer's dtype."""
        height, width, channels = self.shape
        rows = np.ascontiguousarray(rows, self.dtype.newbyteorder(">"))
        if rows.shape[1:] not in ((width, channels), (width,) if channels == 1 else ()) or len(rows) > self._left:
            raise ValueError(f"got rows of shape {rows.shape}, expected up to {self._left} of {width} pixels")
        lines = rows.reshape(len(rows), -1).view(np.uint8)
        self._left -= len(lines)
        self._pending.append(self._zlib.compress(self._filtered(lines)))
        if sum(map(len, self._pending)) >= CHUNK:
            self._flush()

    def close(self):
        """Write what is left; raises ValueError when rows are missing."""
        if self._left:
            raise ValueError(f"PngWriter: {self._left} rows are missing")
        self._pending.append(self._zlib.flush())
        self._flush()
        self._chunk(b"IEND", b"")

    def _filtered(self, lines):
        """The lines, each with the filter (Sub, Up or Paeth) whose differences are smallest; bytes."""
        above = np.vstack([self._above[None], lines[:-1]])
        self._above = lines[-1].copy()
        left, corner = _shifted(lines, self._step), _shifted(above, self._step)
        candidates = [lines - left, lines - above, lines - _paeth(left, above, corner)]
        costs = [np.abs(one.view(np.int8).astype(np.int16)).sum(axis=1, dtype=np.int64) for one in candidates]
        best = np.argmin(costs, axis=0)
        out = np.empty((len(lines), lines.shape[1] + 1), np.uint8)
        out[:, 0] = np.array([1, 2, 4], np.uint8)[best]
        for number, one in enumerate(candidates):
            out[best == number, 1:] = one[best == number]
        return out.tobytes()

    def _flush(self):
        self._chunk(b"IDAT", b"".join(self._pending))
        self._pending = []

    def _chunk(self, name, content):
        self.stream.write(struct.pack(">I", len(content)) + name + content)
        self.stream.write(struct.pack(">I", zlib.crc32(name + content)))


def _text_chunk(key, text):
    """Name and content (bytes) of the chunk for one note."""
    key = key.encode("latin-1") + b"\0"
    try:
        return b"tEXt", key + text.encode("latin-1")
    except UnicodeEncodeError:
        return b"iTXt", key + b"\0\0\0\0" + text.encode("utf-8")  # not compressed, no language, no translated key


def read_texts(stream):
    """The notes of a PNG as `PngWriter` writes them.

    Parameters
    ----------
    stream : binary file that can be sought in

    Returns
    -------
    dict of str to str
        Of notes before the image data, but for compressed and long ones; empty when the file is no PNG or damaged.
    """
    texts = {}
    try:
        if stream.read(len(SIGNATURE)) != SIGNATURE:
            return {}
        for _ in range(TEXT_CHUNKS):
            size, name = struct.unpack(">I4s", stream.read(8))
            if name in (b"IDAT", b"IEND"):
                break
            if name not in (b"tEXt", b"iTXt") or size > TEXT_BYTES:
                stream.seek(size + 4, 1)
                continue
            content, crc = stream.read(size), stream.read(4)
            if crc != struct.pack(">I", zlib.crc32(name + content)):
                return {}
            key, text = _text(name, content)
            texts.setdefault(key, text)
    except (struct.error, ValueError, IndexError):  # the file ends, or a chunk has no key or no UTF-8
        return {}
    return texts


def _text(name, content):
    """Key and text (str) of a chunk, "" for a compressed one; raises ValueError for a damaged one."""
    key, text = content.split(b"\0", 1)
    if name == b"tEXt":
        return key.decode("latin-1"), text.decode("latin-1")
    if text[:1] != b"\0":
        return key.decode("latin-1"), ""
    return key.decode("latin-1"), text[2:].split(b"\0", 2)[2].decode("utf-8")


def _shifted(lines, step):
    """Each byte's neighbour `step` bytes to the left, 0 at the border."""
    out = np.zeros_like(lines)
    out[:, step:] = lines[:, :-step]
    return out


def _paeth(left, above, corner):
    """Of the three neighbours the one nearest to left + above - corner; ties in this order."""
    a, b, c = (one.astype(np.int16) for one in (left, above, corner))
    by_left, by_above = np.abs(b - c), np.abs(a - c)
    by_corner = np.abs(a + b - 2 * c)
    second = np.where(by_above <= by_corner, above, corner)
    return np.where((by_left <= by_above) & (by_left <= by_corner), left, second)
