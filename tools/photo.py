"""Photographs as files: read at their depth and the right way up, with their profile; write the result."""

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import cv2
import numpy as np
from PIL import Image

import matlab_compat as matlab
from data_prep import files, sources
from data_prep.errors import DataError
from tools.cli import UserError
from tools.png import PngWriter

ORIENTATION = 0x0112  # EXIF's tag
FORMATS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")
PLAIN = (".jpg", ".jpeg", ".webp", ".bmp")  # no 16 bits
OPAQUE = (".jpg", ".jpeg", ".bmp")  # no alpha


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
        return matlab.rgb2ycbcr(matlab.im2double(rows))[..., 0].astype(np.float32)

    def chroma(self, start, stop):
        """Cb and Cr of rows start..stop of a colour picture: ndarray, (stop - start, W, 2), float64."""
        return matlab.rgb2ycbcr(matlab.im2double(self.pixels[start:stop]))[..., 1:]


class Source:
    """A file whose bytes are read once, when they are first needed: a pipe gives them only once.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    DataError
        By all but the constructor: the file cannot be read, or is no picture that is read.
    """

    def __init__(self, path):
        self.path = Path(path)
        self._content = None

    @property
    def content(self):
        """All of the file (bytes)."""
        if self._content is None:
            self._content = sources.load(self.path)
        return self._content

    @property
    def sha256(self):
        """Hex SHA-256 (str) of the file."""
        return hashlib.sha256(self.content).hexdigest()

    def header(self):
        """What the file says of its picture, not decoded: matlab_compat.pictures.Header."""
        return sources.header_of(self.content, self.path)

    def read(self, limit=None):
        """The picture for viewing: Photo; see `read`."""
        found = sources.picture_of(self.content, self.path, limit)
        pixels = turned(found.pixels, found.header.orientation)
        alpha = None if found.alpha is None else turned(found.alpha, found.header.orientation)
        about = found.header
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


def header(path):
    """What a file says of its picture, not decoded: matlab_compat.pictures.Header; raises DataError."""
    return Source(path).header()


def sha256(path):
    """Hex SHA-256 (str) of a file; raises DataError when it cannot be read."""
    try:
        return sources.file_sha256(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


def turned(img, orientation):
    """An image (H, W, ...) as EXIF orientation 1 to 8 wants it shown; other values change nothing."""
    if orientation in (5, 6, 7, 8):
        img = img.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        img = img[::-1]
    if orientation in (2, 3, 6, 7):
        img = img[:, ::-1]
    return np.ascontiguousarray(img)


def check_format(path, photo):
    """Raise UserError when the format that `path` names cannot hold what `photo` has."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise UserError(f"{path}: expected a name that ends in {', '.join(FORMATS)}; .png holds everything")
    if suffix in PLAIN and photo.pixels.dtype == np.uint16:
        raise UserError(f"{path}: {suffix} holds 8 bits a channel, {photo.path.name} has 16; take .png or .tif")
    if suffix in OPAQUE and photo.alpha is not None:
        raise UserError(f"{path}: {suffix} holds no alpha channel, {photo.path.name} has one; take .png or .tif")


@contextmanager
def writer(path, shape, photo, texts):
    """A PngWriter for `path` under a temporary name, which is renamed when the block ends without an error.

    Parameters
    ----------
    path : Path
    shape : (int, int, int)
        Rows, columns and channels.
    photo : Photo
        Whose class and colour profile the picture gets.
    texts : dict of str to str

    Raises
    ------
    UserError
        The file cannot be written: no space, no permission.
    """
    try:
        with files.atomic_path(path) as temporary, temporary.open("wb") as stream:
            made = PngWriter(stream, shape, photo.pixels.dtype, texts, photo.profile)
            yield made
            made.close()
    except OSError as error:
        raise _no_room(path, error) from None


def write(path, strips, shape, photo, texts):
    """Write a picture; a PNG as its rows come and with the notes, other formats from the whole of it.

    Parameters
    ----------
    path : Path
        One of FORMATS.
    strips : iterable of ndarray, (n, W, C)
        The rows from top to bottom.
    shape, photo, texts
        As of `writer`, which also says what is raised.
    """
    if path.suffix.lower() == ".png":
        with writer(path, shape, photo, texts) as made:
            for rows in strips:
                made.write(rows)
        return
    content = _encoded(np.concatenate(list(strips)), path.suffix)
    try:
        with files.atomic_path(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise _no_room(path, error) from None


def _no_room(path, error):
    return UserError(
        f"{path}: cannot be written ({error.strerror or error}); make room there, or name another place with -o"
    )


def _encoded(img, suffix):
    order = {1: slice(None), 3: [2, 1, 0], 4: [2, 1, 0, 3]}
    if img.shape[2] == 2:  # OpenCV has no gray with alpha
        img = img[..., [0, 0, 0, 1]]
    quality = [cv2.IMWRITE_JPEG_QUALITY, 95] if suffix.lower() in (".jpg", ".jpeg") else []
    return cv2.imencode(suffix, np.ascontiguousarray(img[..., order[img.shape[2]]]), quality)[1].tobytes()


def notes(path):
    """The tEXt notes (dict of str) of a PNG that exists; empty for anything else."""
    try:
        with Image.open(path) as image:
            return {key: value for key, value in image.info.items() if isinstance(value, str)}
    except (OSError, SyntaxError, ValueError):
        return {}
