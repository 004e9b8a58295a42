"""What is known of a picture before and after decoding, and the errors of reading it."""

from dataclasses import dataclass
from typing import Optional

import numpy as np


class PictureError(ValueError):
    """One line that names the file, what is wrong with it and what to do."""


class TooLarge(PictureError):
    """Reading the picture would take more memory than there is.

    Attributes
    ----------
    needed, limit : int
        Bytes.
    """

    def __init__(self, message, needed, limit):
        super().__init__(message)
        self.needed, self.limit = needed, limit


class Damaged(Exception):
    """Why a file's bytes give no picture, without its name; `reader` makes a PictureError of it."""


class Unsupported(Damaged):
    """A whole picture, but of a kind that is not read; the text ends in what to do."""


@dataclass(frozen=True)
class Header:
    """What a picture's file says of it.

    Attributes
    ----------
    format : str
        Of reader.NAMES, such as "PNG".
    height, width : int
        Size in pixels as stored: `orientation` is not applied.
    channels : int
        1 (gray) or 3 (colour), as read: palettes and CMYK give 3; alpha does not count.
    alpha : bool
        There is an alpha channel, a transparent colour or a palette with transparent entries.
    deep : bool
        More than 8 bits a channel: the pixels come as uint16 over 0..65535.
    pages : int
        Pages or frames; the first is read.
    orientation : int
        1 to 8, how viewers turn the picture (EXIF, or TIFF's tag); 1 when not at all.
    profile : bytes or None
        ICC profile of the pixels as read.
    decode_bytes : int
        About the most memory that `read` takes at a time, its result included, the file's bytes not.
    """

    format: str
    height: int
    width: int
    channels: int = 3
    alpha: bool = False
    deep: bool = False
    pages: int = 1
    orientation: int = 1
    profile: Optional[bytes] = None
    decode_bytes: int = 0

    @property
    def result_bytes(self):
        """Bytes (int) of the pixels and alpha that `read` gives."""
        return self.height * self.width * (self.channels + self.alpha) * (2 if self.deep else 1)


@dataclass(frozen=True)
class Picture:
    """A picture in memory.

    Attributes
    ----------
    pixels : ndarray, (H, W) gray or (H, W, 3) RGB, uint8 or uint16
        As stored: not turned.
    alpha : ndarray, (H, W), of the same class, or None
        0 is transparent; the colours are not multiplied by it.
    header : Header
    """

    pixels: np.ndarray
    alpha: Optional[np.ndarray]
    header: Header
