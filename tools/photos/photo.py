"""Photographs from files: at their depth and the right way up, with their profile."""

import hashlib
import os
import stat
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Optional

import numpy as np

import matlab_compat as matlab
from data_prep import images
from data_prep.errors import DataError

ORIENTATION = 0x0112  # EXIF's tag
SIDEWAYS = (5, 6, 7, 8)  # orientations that exchange rows and columns
BLOCK = 1 << 20  # bytes that are read at a time
CHUNK = 1 << 16  # pixels that are converted at a time


@dataclass(frozen=True)
class Extent:
    """How much a picture is, which its header tells as well as its pixels do.

    Attributes
    ----------
    name : str
        Of its file, for messages.
    height, width : int
        The right way up.
    channels : int
        Alpha included.
    deep, alpha : bool
        16 bits a channel; there is an alpha channel.
    """

    name: str
    height: int
    width: int
    channels: int = 3
    deep: bool = False
    alpha: bool = False

    @property
    def shape(self):
        """Rows and columns (int, int)."""
        return self.height, self.width

    @property
    def bytes(self):
        """Bytes (int) of the pixels."""
        return self.height * self.width * self.channels * (2 if self.deep else 1)


@dataclass(frozen=True)
class Photo:
    """A picture in memory.

    Attributes
    ----------
    path : Path
    pixels : ndarray, (H, W) gray or (H, W, 3) RGB, uint8 or uint16
    alpha : ndarray, (H, W), of the same class, or None
    sha256 : str
        Of the file.
    profile : bytes or None
        ICC profile that fits the pixels, gray or RGB.
    pages : int
        Pages or frames of the file, of which this is the first.
    format : str
        Of matlab_compat.pictures.NAMES, such as "PNG".
    """

    path: Path
    pixels: np.ndarray
    alpha: Optional[np.ndarray] = None
    sha256: str = ""
    profile: Optional[bytes] = None
    pages: int = 1
    format: str = ""

    @property
    def channels(self):
        """Channels (int) of the picture, alpha included."""
        return (1 if self.pixels.ndim == 2 else 3) + (self.alpha is not None)

    @property
    def extent(self):
        """How much it is: Extent."""
        name = "" if self.path is None else self.path.name
        deep, alpha = self.pixels.dtype == np.uint16, self.alpha is not None
        return Extent(name, *self.pixels.shape[:2], self.channels, deep, alpha)

    def luma(self, start, stop):
        """Y of rows start..stop.

        Returns
        -------
        ndarray, (stop - start, W), float32
            0..1 for a gray picture, which is its own Y; 16/255..235/255 for a colour one, by MATLAB's rgb2ycbcr in
            double: a photograph's Y is not rounded to 8 bits on the way into the net.
        """
        rows = self.pixels[start:stop]
        if rows.ndim == 2:
            return matlab.im2single(rows)
        return _converted(rows, slice(0, 1), np.float32)[..., 0]

    def chroma(self, start, stop):
        """Cb and Cr of rows start..stop of a colour picture: ndarray, (stop - start, W, 2), float64."""
        return _converted(self.pixels[start:stop], slice(1, 3), np.float64)


def _converted(rows, planes, dtype):
    """Some planes of YCbCr of RGB rows (n, W, 3), without the others of many pixels at a time."""
    pixels = rows.reshape(1, -1, 3)
    out = np.empty((pixels.shape[1], planes.stop - planes.start), dtype)
    for start in range(0, len(out), CHUNK):
        part = matlab.rgb2ycbcr(matlab.im2double(pixels[:, start : start + CHUNK]))
        out[start : start + CHUNK] = part[0, :, planes]
    return out.reshape(*rows.shape[:2], -1)


class Source:
    """A file whose bytes are read once, when they are first needed (a pipe gives them only once), and opened once.

    Parameters
    ----------
    path : str or Path
    most : int, optional
        Bytes that the file may have.

    Raises
    ------
    DataError
        By all but the constructor: the file cannot be read, is larger, or is no picture that is read.
    """

    def __init__(self, path, most=None):
        self.path, self.most = Path(path), most

    @cached_property
    def content(self):
        """All of the file (bytes)."""
        try:
            with self.path.open("rb") as stream:
                about = os.fstat(stream.fileno())
                if stat.S_ISREG(about.st_mode):
                    self._check(about.st_size)
                    return stream.read()
                parts = []  # a pipe may never end; what came of it is held twice for a moment
                for number, part in enumerate(iter(lambda: stream.read(BLOCK), b""), 1):
                    parts.append(part)
                    self._check(2 * number * BLOCK)
                return b"".join(parts)
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read ({error.strerror}); expected an image file") from error

    def _check(self, size):
        if self.most is not None and size > self.most:
            raise DataError(
                f"{self.path}: the file has more bytes than the {self.most >> 20} MB that are left for it; give a "
                "smaller one, or allow more memory"
            )

    @cached_property
    def sha256(self):
        """Hex SHA-256 (str) of the file."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def _file(self):
        return images.opened(self.content, self.path)

    @property
    def header(self):
        """What the file says of its picture, not decoded: matlab_compat.pictures.Header."""
        return self._file.header

    @property
    def extent(self):
        """How much the picture is, before it is decoded: Extent."""
        found = self.header
        height, width = found.height, found.width
        if found.orientation in SIDEWAYS:
            height, width = width, height
        return Extent(self.path.name, height, width, found.channels + found.alpha, found.deep, found.alpha)

    @property
    def reading_bytes(self):
        """About the most memory (int, bytes) that the file and its picture take until `read` is done."""
        turning = 2 * self.header.result_bytes if self.header.orientation > 1 else 0
        return len(self.content) + max(self.header.decode_bytes, turning)

    def read(self, limit=None):
        """The picture for viewing: Photo; see `read`. Once: what decodes it is given up."""
        found = images.decoded(self._file, limit)
        about = found.header
        pixels = turned(found.pixels, about.orientation)
        alpha = None if found.alpha is None else turned(found.alpha, about.orientation)
        return Photo(self.path, pixels, alpha, self.sha256, about.profile, about.pages, about.format)


def read(path, limit=None):
    """Read a picture for viewing: at its own depth, with alpha, turned as its orientation says.

    Parameters
    ----------
    path : str or Path
    limit : int, optional
        Bytes that reading may take, the file's own not counted; None: what the machine has left.

    Returns
    -------
    Photo

    Raises
    ------
    DataError
        The file is missing, truncated, no image, stores floating-point pixels, or is larger than `limit` allows.
    """
    return Source(path).read(limit)


def turned(img, orientation):
    """An image (H, W, ...) as EXIF orientation 1 to 8 wants it shown; other values change nothing."""
    if orientation in SIDEWAYS:
        img = img.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        img = img[::-1]
    if orientation in (2, 3, 6, 7):
        img = img[:, ::-1]
    return np.ascontiguousarray(img)
