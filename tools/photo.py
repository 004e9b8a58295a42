"""Photographs as files: read what OpenCV reads, at its depth and the right way up; write the result.

OpenCV gives the pixels, Pillow what OpenCV does not tell: that the file is whole, the orientation that a camera noted
in EXIF, the colour profile.
"""

import hashlib
import io
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

import matlab_compat as matlab
from data_prep import files, sources
from data_prep.errors import DataError
from tools.cli import UserError
from tools.png import PngWriter

ORIENTATION = 0x0112  # EXIF's tag
# formats whose orientation OpenCV leaves to us
ORIENTED = frozenset(("JPEG", "MPO", "PNG", "WEBP"))
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
        ICC profile of a colour picture.
    """

    path: Path
    pixels: np.ndarray
    alpha: Optional[np.ndarray] = None
    sha256: str = ""
    profile: Optional[bytes] = None

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


def read(path):
    """Read a picture for viewing: at its own depth, with alpha, turned as its EXIF orientation says.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Photo

    Raises
    ------
    DataError
        The file is missing, truncated, no image, or stores floating-point pixels.
    """
    path = Path(path)
    stored, gray = sources.read_stored(path)
    content = path.read_bytes()
    orientation, profile = _notes(content)
    stored = turned(stored, orientation)
    alpha = np.ascontiguousarray(stored[..., 3]) if stored.ndim == 3 and stored.shape[2] == 4 else None
    if stored.ndim == 3:
        stored = np.ascontiguousarray(stored[..., 0] if gray else stored[..., 2::-1])
    return Photo(path, stored, alpha, hashlib.sha256(content).hexdigest(), profile if stored.ndim == 3 else None)


def sha256(path):
    """Hex SHA-256 (str) of a file; raises DataError when it cannot be read."""
    try:
        return sources.file_sha256(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


def _notes(content):
    """EXIF orientation (1 when there is none) and ICC profile (or None) of an image file's bytes."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            orientation = image.getexif().get(ORIENTATION, 1) if image.format in ORIENTED else 1
            return orientation, image.info.get("icc_profile")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return 1, None  # a format that only OpenCV knows, or EXIF that nobody can read


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
