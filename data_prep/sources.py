"""Find, check, hash and read the images of a folder, as MATLAB's `dir` and `imread` would give them."""

import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from data_prep.errors import DataError

SUFFIXES = frozenset(
    (".bmp", ".dib", ".jpg", ".jpeg", ".jpe", ".jp2", ".png", ".webp")
    + (".pbm", ".pgm", ".ppm", ".pnm", ".tif", ".tiff")
)
# Pillow's names for a file that stores one channel; LA is gray with alpha, which OpenCV spreads over four
_GRAY_MODES = frozenset(("1", "L", "LA", "La", "I", "F"))
Image.MAX_IMAGE_PIXELS = None  # a panorama is no attack: size alone is no reason to refuse


@dataclass(frozen=True)
class ImageInfo:
    """What is known of an image file before any work is done on it.

    Attributes
    ----------
    path : Path
        Where it lies.
    height, width : int
        Size in pixels as stored (an orientation tag is not followed, as in MATLAB's imread).
    gray : bool
        The file stores one channel (not: its three channels happen to be equal).
    alpha : bool
        The file has an alpha channel.
    deep : bool
        The file stores 16 bits a channel.
    sha256 : str
        Hex digest of the file's bytes.
    """

    path: Path
    height: int
    width: int
    gray: bool
    alpha: bool
    deep: bool
    sha256: str


def split_folder(folder):
    """Split the files of `folder` into images and others, by the ending of their names.

    Parameters
    ----------
    folder : str or Path
        A folder; its sub-folders are not entered and hidden files do not count.

    Returns
    -------
    tuple of list of Path
        (images, others), each sorted by name.

    Raises
    ------
    DataError
        The folder is missing or is a file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        problem = "is a file, not a folder of images" if folder.exists() else "no such folder of images"
        raise DataError(f"{folder}: {problem}; run `make fetch`, or name the folder that holds it")
    files = sorted((p for p in folder.iterdir() if p.is_file() and p.name[0] != "."), key=lambda p: p.name)
    images = [path for path in files if path.suffix.lower() in SUFFIXES]
    return images, [path for path in files if path.suffix.lower() not in SUFFIXES]


def list_images(folder):
    """List the image files of `folder`, sorted by name.

    Parameters
    ----------
    folder : str or Path
        Folder of images; files whose ending is no image format's are left out.

    Returns
    -------
    list of Path
        At least one.

    Raises
    ------
    DataError
        The folder is missing or holds no image.
    """
    images, others = split_folder(folder)
    if not images:
        held = f"{len(others)} other files" if others else "nothing"
        raise DataError(
            f"{folder}: no images, expected .bmp, .jpg, .png or alike, found {held}; run `make fetch`"
        )
    return images


def file_sha256(path):
    """Hex SHA-256 (str) of a file's bytes."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def set_sha256(entries):
    """Combine (name, hex digest) pairs of a set's files into one hex digest, whatever their order."""
    lines = sorted(f"{name}\0{digest}\n" for name, digest in entries)
    # surrogateescape: the very bytes of names that are not UTF-8
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def image_set_hash(paths):
    """Hash a set of images: the same names with the same bytes give the same value in any folder.

    Parameters
    ----------
    paths : iterable of (str or Path)
        The files.

    Returns
    -------
    str
        64 hex digits: SHA-256 over the sorted lines NAME NUL SHA256(bytes) LF.

    Raises
    ------
    OSError
        A file cannot be read.
    """
    return set_sha256((Path(path).name, file_sha256(path)) for path in paths)


def inspect(path):
    """Read an image file once from end to end and tell what it is.

    OpenCV returns a picture for a truncated JPEG or BMP (the missing part gray or black); Pillow refuses.
    So Pillow vouches for the file and OpenCV gives the pixels.

    Parameters
    ----------
    path : str or Path
        An image file.

    Returns
    -------
    ImageInfo

    Raises
    ------
    DataError
        The file is missing, empty, truncated, or no image.
    """
    path = Path(path)
    content = _bytes(path)
    mode = _vouch(path, content)
    pixels = _decode(path, content)
    return ImageInfo(
        path=path,
        height=pixels.shape[0],
        width=pixels.shape[1],
        gray=pixels.ndim == 2 or mode in _GRAY_MODES or mode.startswith("I;16"),
        alpha=pixels.ndim == 3 and pixels.shape[2] == 4,
        deep=pixels.dtype == np.uint16,
        sha256=hashlib.sha256(content).hexdigest(),
    )


def read_image(path):
    """Read an image file into 8-bit pixels, refusing one that is not whole.

    Parameters
    ----------
    path : str or Path
        An image file in a format that OpenCV reads.

    Returns
    -------
    ndarray, (H, W, 3) RGB or (H, W) gray, uint8 [0, 255]
        Gray when the file stores one channel; a file with a palette gives its colours (imread would give the
        indices). 16 bits are rounded to 8 as im2uint8 does (x / 257, half
        away from zero), an alpha channel is dropped, an orientation tag is not followed.

    Raises
    ------
    DataError
        The file is missing, truncated, no image, or stores floating-point pixels.

    Notes
    -----
    JPEG decoders may differ by one level from each other and from MATLAB's: the standard leaves the rounding
    of the inverse DCT free. OpenCV and Pillow both bring libjpeg-turbo.

    Source: MATLAB imread, im2uint8.
    """
    path = Path(path)
    content = _bytes(path)
    mode = _vouch(path, content)
    return _to_8bit(_decode(path, content), gray=mode in _GRAY_MODES)


def read_stored(path):
    """Read an image file as it is stored, refusing one that is not whole.

    Parameters
    ----------
    path : str or Path
        An image file in a format that OpenCV reads.

    Returns
    -------
    pixels : ndarray, (H, W), (H, W, 3) BGR or (H, W, 4) BGRA, uint8 or uint16
    gray : bool
        The file stores one channel besides alpha, even where OpenCV spreads it over three.

    Raises
    ------
    DataError
        As `read_image`.
    """
    path = Path(path)
    content = _bytes(path)
    mode = _vouch(path, content)
    pixels = _decode(path, content)
    return pixels, pixels.ndim == 2 or mode in _GRAY_MODES


def read_pixels(info):
    """Read the pixels of an image that `inspect` has vouched for, without checking it again.

    Parameters
    ----------
    info : ImageInfo
        What `inspect` returned.

    Returns
    -------
    ndarray
        As `read_image`.

    Raises
    ------
    DataError
        The file has changed since.
    """
    content = _bytes(info.path)
    if hashlib.sha256(content).hexdigest() != info.sha256:
        raise DataError(f"{info.path}: changed while it was being used; start again")
    return _to_8bit(_decode(info.path, content), gray=info.gray)


def _bytes(path):
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); expected an image file") from error


def _vouch(path, content):
    """Decode all of `content` with Pillow; return its mode, or "" for a format that only OpenCV knows."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata is no reason to refuse
            with Image.open(io.BytesIO(content)) as image:
                image.load()
                return image.mode
    except UnidentifiedImageError:
        return ""
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        reason = str(error).split(" (")[0].rstrip(".") or type(error).__name__
        raise DataError(f"{path}: truncated or damaged image ({reason}); fetch or copy it again") from error


def _decode(path, content):
    pixels = None
    if content:
        try:
            pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error:
            raise DataError(
                f"{path}: more pixels than OpenCV takes (2^30); cut it, or set OPENCV_IO_MAX_IMAGE_PIXELS"
            ) from None
    if pixels is None:
        raise DataError(
            f"{path}: not an image that OpenCV reads ({len(content)} bytes); fetch or copy it again"
        )
    if pixels.dtype not in (np.uint8, np.uint16):
        raise DataError(f"{path}: pixels are {pixels.dtype}, expected 8 or 16 bits; save it as 8-bit PNG")
    return pixels


def _to_8bit(pixels, gray):
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if pixels.ndim == 2:
        return pixels
    return np.ascontiguousarray(pixels[:, :, 0] if gray else pixels[:, :, 2::-1])
