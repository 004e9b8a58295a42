"""Write a picture to a file as its rows come: PNG and TIFF strip by strip, JPEG, WebP and BMP as a whole."""

import errno
import io
import zlib
from contextlib import contextmanager

import numpy as np

from data_prep import files
from tools.common.errors import UserError
from tools.photos import notes, png

FORMATS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")
PLAIN = (".jpg", ".jpeg", ".webp", ".bmp")  # no 16 bits
OPAQUE = (".jpg", ".jpeg", ".bmp")  # no alpha
# the longest side, in pixels, of the formats that have less than PNG
LONGEST = {".jpg": 65500, ".jpeg": 65500, ".webp": 16383, ".bmp": 1 << 24}
# how Pillow writes; WebP without loss, the colours of hidden pixels included
ENCODERS = {
    ".jpg": ("JPEG", {"quality": 95}), ".jpeg": ("JPEG", {"quality": 95}), ".bmp": ("BMP", {}),
    ".webp": ("WEBP", {"lossless": True, "exact": True}),
}  # fmt: skip
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
# bytes a pixel that the encoders take, the whole picture included (measured on noise, which is the worst)
ENCODING = {"JPEG": 10, "BMP": 12, "WEBP": 48}
TIFF_STRIP = 1 << 18  # bytes of a strip, at least a row
LARGEST_TIFF = (1 << 32) - (1 << 26)  # bytes of the pixels; larger ones become BigTIFF
SPACES = {b"GRAY": (1, 2), b"RGB ": (3, 4)}  # of ICC profiles, and the channels that each is for
PROFILE_BYTES = 16 << 20  # JPEG has 255 segments of 64 KB for it


def check_format(path, extent, shape):
    """Refuse a format that cannot hold a result.

    Parameters
    ----------
    path : Path
        Its name says which format.
    extent : tools.photos.photo.Extent
        Of the picture.
    shape : (int, int)
        Rows and columns of the result.

    Raises
    ------
    UserError
        Another format than FORMATS; one without 16 bits or alpha, where the picture has them; a result too large.
    """
    suffix = path.suffix.lower()
    check_name(path)
    if suffix in PLAIN and extent.deep:
        raise UserError(f"{path}: {suffix} holds 8 bits a channel, {extent.name} has 16; use .png or .tif")
    if suffix in OPAQUE and extent.alpha:
        raise UserError(f"{path}: {suffix} holds no alpha channel, {extent.name} has one; use .png or .tif")
    longest = LONGEST.get(suffix, png.LONGEST)
    if max(shape) > longest:
        raise UserError(
            f"{path}: {suffix} holds up to {longest:,} pixels a side, the result of {extent.name} has "
            f"{shape[1]}x{shape[0]}; use .png or .tif"
        )


def check_name(path):
    """Raise UserError unless `path` ends in one of FORMATS."""
    if path.suffix.lower() not in FORMATS:
        raise UserError(
            f"{path}: expected a name that ends in {', '.join(FORMATS)} (.png holds everything), or a folder, which "
            "ends in / if it does not exist yet"
        )


def whole_bytes(path, shape):
    """Bytes (int) that writing takes besides a few rows: those of formats that are assembled in memory.

    Parameters
    ----------
    path : Path
    shape : (int, int)
        Rows and columns of the result.
    """
    encoder = ENCODERS.get(path.suffix.lower())
    return ENCODING[encoder[0]] * shape[0] * shape[1] if encoder else 0


def fitting_profile(path, photo):
    """The ICC profile that the result gets.

    Parameters
    ----------
    path : Path
    photo : tools.photos.photo.Photo

    Returns
    -------
    profile : bytes or None
    why_not : str or None
        Why the picture's profile cannot be written, in one line.
    """
    profile, suffix = photo.profile, path.suffix.lower()
    if not profile:
        return None, None
    space = profile[16:20]
    if photo.channels not in SPACES.get(space, ()):
        what = space.decode("latin-1").strip()
        return None, f"{photo.path.name}: its colour profile is for {what!r}, not for these pixels; it is left out"
    if suffix == ".bmp":
        return None, f"{path}: .bmp holds no colour profile, that of {photo.path.name} is left out; use .png or .tif"
    if suffix == ".webp" and space == b"GRAY":
        return None, f"{path}: .webp holds no gray, the profile of {photo.path.name} is left out; use .png or .tif"
    if suffix in (".jpg", ".jpeg") and len(profile) > PROFILE_BYTES:
        return None, f"{path}: the colour profile of {photo.path.name} is too large for .jpg, it is left out; use .png"
    return profile, None


@contextmanager
def writer(path, shape, photo, texts):
    """A PngWriter for `path` under a temporary name, which is renamed when the block ends without an error.

    Parameters
    ----------
    path : Path
    shape : (int, int, int)
        Rows, columns and channels.
    photo : tools.photos.photo.Photo
        Whose class and colour profile the picture gets.
    texts : dict of str to str

    Raises
    ------
    UserError
        The file cannot be written: no space, no permission.
    """
    with _file(path) as stream:
        made = png.PngWriter(stream, shape, photo.pixels.dtype, texts, fitting_profile(path, photo)[0])
        yield made
        made.close()


def write(path, strips, shape, photo, texts):
    """Write a picture; a PNG with the notes.

    Parameters
    ----------
    path : Path
        One of FORMATS.
    strips : iterable of ndarray, (n, W, C)
        The rows from top to bottom.
    shape, photo, texts
        As of `writer`, which also says what is raised.
    """
    suffix = path.suffix.lower()
    if suffix == ".png":
        with writer(path, shape, photo, texts) as made:
            for rows in strips:
                made.write(rows)
        return
    profile = fitting_profile(path, photo)[0]
    if suffix in ENCODERS:
        content = _encoded(path, strips, shape, photo.pixels.dtype, profile)
        with _file(path) as stream:
            stream.write(content)
        return
    with _file(path) as stream:
        _write_tiff(stream, strips, shape, photo.pixels.dtype, profile)


@contextmanager
def _file(path):
    """A binary file that becomes `path` when the block ends without an error; UserError where that cannot be."""
    try:
        with files.atomic_path(path) as temporary, temporary.open("wb") as stream:
            yield stream
    except OSError as error:
        raise _not_written(path, error) from None


# errors in writing that are one picture's alone
OWN_FAULT = frozenset((errno.ENAMETOOLONG, errno.EFBIG, errno.EILSEQ, errno.EINVAL, errno.EISDIR))


def check_path(path):
    """Raise NotWritten when the file system does not accept such a name."""
    try:
        path.lstat()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _not_written(path, error) from None


class NotWritten(UserError):
    """The result cannot be written.

    Attributes
    ----------
    errno : int
    """

    def __init__(self, message, number):
        super().__init__(message)
        self.errno = number


def _not_written(path, error):
    where = "name another place with -o"
    what = {
        errno.ENOSPC: f"make room there, or {where}", errno.EDQUOT: f"make room there, or {where}",
        errno.EFBIG: f"the file system cannot hold a file of this size; {where}",
        errno.ENAMETOOLONG: "use a shorter name", errno.EISDIR: f"a folder has this name; {where}",
        errno.ENOTDIR: f"a file is where a folder should be; {where}",
    }.get(error.errno, where)  # fmt: skip
    return NotWritten(f"{path}: cannot be written ({error.strerror or error}); {what}", error.errno)


def _encoded(path, strips, shape, dtype, profile):
    """The file's bytes of a picture that Pillow encodes as a whole."""
    from PIL import Image  # here: --help must not wait for it

    name, options = ENCODERS[path.suffix.lower()]
    img, done = np.empty(shape, dtype), 0
    for rows in strips:
        img[done : done + len(rows)] = rows
        done += len(rows)
    stream = io.BytesIO()
    image = Image.frombuffer(MODES[shape[2]], (shape[1], shape[0]), img, "raw", MODES[shape[2]], 0, 1)
    if profile:
        options = {**options, "icc_profile": profile}
    image.save(stream, name, **options)
    return stream.getbuffer()


def _write_tiff(stream, strips, shape, dtype, profile):
    """A TIFF of Deflate with differences, strip by strip."""
    import tifffile  # here: --help must not wait for it

    height, width, channels = shape
    row = width * channels * np.dtype(dtype).itemsize
    step = max(1, TIFF_STRIP // row)
    with tifffile.TiffWriter(stream, bigtiff=height * row > LARGEST_TIFF, byteorder="<") as made:
        made.write(
            _deflated(strips, step), shape=shape if channels > 1 else shape[:2], dtype=dtype, rowsperstrip=step,
            photometric="rgb" if channels > 2 else "minisblack", planarconfig="contig" if channels > 1 else None,
            extrasamples=["unassalpha"] if channels in (2, 4) else None, compression="zlib", predictor=2,
            iccprofile=profile, software=notes.NAME, metadata=None,
        )  # fmt: skip


def _deflated(strips, step):
    """Strips of `step` rows, compressed (bytes), from rows (n, W, C) as they come."""
    held = None
    for rows in strips:
        held = rows if held is None else np.concatenate([held, rows])
        whole = len(held) - len(held) % step
        for start in range(0, whole, step):
            yield _deflate(held[start : start + step])
        held = held[whole:]
    if len(held):
        yield _deflate(held)


def _deflate(rows):
    rows = np.ascontiguousarray(rows, rows.dtype.newbyteorder("<"))
    differences = rows.copy()
    differences[:, 1:] -= rows[:, :-1]
    return zlib.compress(differences.tobytes(), png.LEVEL)
