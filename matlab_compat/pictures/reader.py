"""Which module reads a picture; what all have in common: limits, and one kind of error."""

import importlib
import logging
import re
import warnings
from contextlib import contextmanager
from dataclasses import replace

from . import memory
from .picture import Damaged, Picture, PictureError, TooLarge, Unsupported

# name, module, first bytes: nothing else is opened, by no library; a module and its library are loaded when first used
_FORMATS = (
    ("PNG", "png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("JPEG", "jpeg", re.compile(rb"\xff\xd8\xff")),
    ("BMP", "bmp", re.compile(rb"BM")),
    ("TIFF", "tiff", re.compile(rb"II[*+]\0|MM\0[*+]")),
    ("WebP", "webp", re.compile(rb"RIFF.{4}WEBPVP8", re.S)),
    ("GIF", "gif", re.compile(rb"GIF8[79]a")),
    ("PNM", "pnm", re.compile(rb"P[1-6][\s#]")),
    ("JPEG 2000", "jp2", re.compile(rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51")),
    ("AVIF", "avif", re.compile(rb"\0\0..ftyp(?:avi[fs]|.{4}(?:.{4}){1,15}avi[fs])", re.S)),
)
NAMES = tuple(name for name, _, _ in _FORMATS)
_LONGEST = 128  # bytes that tell a format


class File:
    """A picture's file, looked at once: what it is, and, when asked for, its pixels.

    Parameters
    ----------
    content : bytes
        All of the file.
    name : str or Path
        For messages.

    Attributes
    ----------
    name : str or Path
    header : Header

    Raises
    ------
    PictureError
        No picture, of a kind that is not read, or damaged as far as the header tells.
    """

    def __init__(self, content, name):
        self.name = name
        module = _module(content, name)
        with _one_error(name):
            self.header, self._decode = module.opened(content)

    def read(self, limit=None):
        """Decode the picture; once, since what decoded it is given up.

        Parameters
        ----------
        limit : int, optional
            Bytes that reading may take, the file's not counted; None: what the machine has left.

        Returns
        -------
        Picture
            As MATLAB's imread gives it: not turned; but with a palette's colours, and CMYK as sRGB.

        Raises
        ------
        PictureError
            Truncated or damaged. TooLarge: more memory than `limit`.
        """
        found = self.header
        _check_memory(found, self.name, limit)
        decode, self._decode = self._decode, None
        with _one_error(self.name):
            pixels, alpha = decode()
            if pixels.shape[:2] != (found.height, found.width):
                raise Damaged(f"it holds {pixels.shape[1]}x{pixels.shape[0]} pixels")
            channels = 1 if pixels.ndim == 2 else 3
            return Picture(pixels, alpha, replace(found, channels=channels, alpha=alpha is not None))


def header(content, name):
    """Header of a picture's file (bytes), as `File` gives it; `name` (str or Path) is for messages."""
    return File(content, name).header


def read(content, name, limit=None):
    """Picture of a file (bytes), as `File.read` gives it; `name` (str or Path) is for messages."""
    return File(content, name).read(limit)


def _module(content, name):
    module = next((module for _, module, first in _FORMATS if first.match(content[:_LONGEST])), None)
    if module is None:
        raise PictureError(
            f"{name}: not a picture, expected {', '.join(NAMES[:-1])} or {NAMES[-1]} ({len(content):,} bytes); "
            "fetch or copy it again, or convert it to PNG"
        )
    return importlib.import_module(f".{module}", __package__)


def _check_memory(found, name, limit):
    allowed = memory.available() if limit is None else limit
    if allowed is None or found.decode_bytes <= allowed:
        return
    where = "this machine has left" if limit is None else "allowed"
    raise TooLarge(
        f"{name}: {found.width}x{found.height} pixels take about {_size(found.decode_bytes)} of memory to read, "
        f"expected at most the {_size(allowed)} {where}; cut it into pieces, or allow more",
        found.decode_bytes,
        allowed,
    )


def _size(count):
    """Bytes in words, such as 13 GB; units of 2^20."""
    megabytes = -(-count >> 20) if count >= 0 else 0
    return f"{megabytes / 1024:,.1f} GB" if megabytes > 9999 else f"{megabytes:,} MB"


@contextmanager
def _one_error(name):
    """Whatever a library raises for a file becomes PictureError, and what it would print is not printed."""
    logger = logging.getLogger("PIL")  # its level is its children's
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except PictureError:
        raise
    except Unsupported as error:
        raise PictureError(f"{name}: {error}") from None
    except MemoryError as error:
        raise PictureError(
            f"{name}: damaged, or too large for the memory that is left; fetch or copy it again, or cut it into pieces"
        ) from error
    except Exception as error:  # decoders meet damage with any exception that Python has
        raise PictureError(
            f"{name}: truncated or damaged image ({_reason(error)}); fetch or copy it again"
        ) from error
    finally:
        logger.setLevel(before)


def _reason(error):
    """The first words of an exception, without addresses and remainders in brackets."""
    text = " ".join(str(error).split("\n")[0].split(" (")[0].split()).rstrip(".:")
    return text[:100] or type(error).__name__
