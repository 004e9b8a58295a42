"""Pictures as files: what a file is, without decoding it, and its pixels, or one line that says why not.

    >>> from matlab_compat.pictures import header, read
    >>> content = Path("photo.png").read_bytes()
    >>> header(content, "photo.png").width
    >>> read(content, "photo.png").pixels

Read are PNG, JPEG, BMP, TIFF, WebP, GIF, PNM (PBM, PGM, PPM), JPEG 2000 and AVIF, told by their first bytes, whatever
the name says; nothing else is ever opened. One module holds one format; Pillow decodes, but for what it would read
wrongly or not at all: netpbm's maxima, most of TIFF's meanings, deep JPEG 2000 and AVIF.
"""

from .picture import Header, Picture, PictureError, TooLarge
from .reader import NAMES, File, header, read
from .written import check_format, encoded

__all__ = [
    "NAMES", "File", "Header", "Picture", "PictureError", "TooLarge", "check_format", "encoded", "header", "read",
]  # fmt: skip
