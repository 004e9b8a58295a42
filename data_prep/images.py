"""Find, check, hash and read the images of a folder, as MATLAB's `dir` and `imread` would give them."""

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from data_prep.digests import file_sha256, set_sha256
from data_prep.errors import DataError
from matlab_compat import im2uint8, pictures

SUFFIXES = frozenset(
    (".bmp", ".dib", ".jpg", ".jpeg", ".jpe", ".jp2", ".png", ".webp", ".gif", ".avif")
    + (".pbm", ".pgm", ".ppm", ".pnm", ".tif", ".tiff")
)


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
        The file stores more than 8 bits a channel.
    pages : int
        Pages or frames, of which the first is used.
    sha256 : str
        Hex digest of the file's bytes.
    """

    path: Path
    height: int
    width: int
    gray: bool
    alpha: bool
    deep: bool
    pages: int
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


def load(path):
    """Bytes of an image file; raises DataError when it cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); expected an image file") from error


def opened(content, path):
    """A picture's bytes, looked at but not decoded: pictures.File; raises DataError. `path` is for messages."""
    with _data_errors():
        return pictures.File(content, path)


def decoded(opened_file, limit=None):
    """Decode what `opened` gave, once.

    Parameters
    ----------
    opened_file : pictures.File
    limit : int, optional
        Bytes that reading may take; None: what the machine has left.

    Returns
    -------
    pictures.Picture
        As stored, at its own depth, with its alpha.

    Raises
    ------
    DataError
        Truncated, damaged, or larger than the limit; its `__cause__` is then pictures.TooLarge.
    """
    with _data_errors():
        return opened_file.read(limit)


def picture_of(content, path, limit=None):
    """Decode a picture's bytes: `opened` and `decoded` in one."""
    return decoded(opened(content, path), limit)


@contextmanager
def _data_errors():
    try:
        yield
    except pictures.PictureError as error:
        raise DataError(str(error)) from error


def inspect(path):
    """Read an image file once from end to end and tell what it is.

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
    return _examined(path)[0]


def glance(path):
    """As `inspect`, but the picture is not decoded: what is damaged behind the file's beginning is not noticed."""
    path = Path(path)
    content = load(path)
    return _info(path, content, opened(content, path).header)


def examine(path):
    """`inspect` and `read_image` in one: an image file is read and decoded once.

    Returns
    -------
    ImageInfo
    ndarray, (H, W, 3) RGB or (H, W) gray, uint8 [0, 255]

    Raises
    ------
    DataError
        As `read_image`.
    """
    info, picture = _examined(path)
    return info, im2uint8(picture.pixels)


def _examined(path):
    """ImageInfo and pictures.Picture of a file."""
    path = Path(path)
    content = load(path)
    picture = picture_of(content, path)
    return _info(path, content, picture.header), picture


def _info(path, content, found):
    """ImageInfo of a file's bytes and its pictures.Header."""
    return ImageInfo(
        path=path,
        height=found.height,
        width=found.width,
        gray=found.channels == 1,
        alpha=found.alpha,
        deep=found.deep,
        pages=found.pages,
        sha256=hashlib.sha256(content).hexdigest(),
    )


def read_image(path):
    """Read an image file into 8-bit pixels, refusing one that is not whole.

    Parameters
    ----------
    path : str or Path
        An image file in a format of pictures.NAMES.

    Returns
    -------
    ndarray, (H, W, 3) RGB or (H, W) gray, uint8 [0, 255]
        Gray when the file stores one channel; a file with a palette gives its colours (imread would give the
        indices). 16 bits are rounded to 8 as im2uint8 does (x / 257, half
        away from zero), an alpha channel is dropped, an orientation tag is not followed.

    Raises
    ------
    DataError
        The file is missing, truncated, no image, stores floating-point pixels, or is larger than the memory left.

    Notes
    -----
    JPEG decoders may differ by one level from each other and from MATLAB's: the standard leaves the rounding
    of the inverse DCT free. Pillow brings libjpeg-turbo, as OpenCV does, and gives the same bits.

    Source: MATLAB imread, im2uint8.
    """
    return im2uint8(picture_of(load(path), path).pixels)


def read_pixels(info):
    """Read the pixels of an image that `inspect` has seen.

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
    content = load(info.path)
    if hashlib.sha256(content).hexdigest() != info.sha256:
        raise DataError(f"{info.path}: changed while it was being used; start again")
    return im2uint8(picture_of(content, info.path).pixels)


def several_pages(pages):
    """Say that of some files only the first page or frame is used.

    Parameters
    ----------
    pages : iterable of (str or Path, int)
        Files and their pages.

    Returns
    -------
    str or None
        A sentence that names them; None where all have one page.
    """
    found = [f"{Path(path).name} ({count})" for path, count in pages if count > 1]
    if not found:
        return None
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    plural = "s" * (len(found) > 1)
    return f"{len(found)} file{plural} with several pages or frames, the first is used: {', '.join(found[:3])}{more}"


def find_in_set(data_dir, dataset, stem):
    """The file (Path) of an image of a set by the beginning of its name, None when it is not there."""
    folder = Path(data_dir) / dataset
    images = split_folder(folder)[0] if folder.is_dir() else []
    return next((path for path in images if path.stem.split("_")[0] == stem), None)


def in_set(data_dir, dataset, stem):
    """As `find_in_set`; raises DataError when it is not there."""
    path = find_in_set(data_dir, dataset, stem)
    if path is None:
        raise DataError(
            f"{Path(data_dir) / dataset}: has no image {stem}; run `make fetch`, or tools/fetch.py {dataset}, or name "
            "an image of yours"
        )
    return path
