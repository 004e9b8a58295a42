"""TIFF for ``caffe.io.load_image``: by tifffile, which keeps 16 bits of several bands, with the colours as seen."""

import numpy as np

_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# values of the tag PhotometricInterpretation
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK = 0, 1, 2, 3, 5
_ORIENTATION = 274
_PREMULTIPLIED = 1  # of the tag ExtraSamples


def is_one(source):
    """Whether `source` (path or io.BytesIO) starts as a TIFF does."""
    if hasattr(source, "getvalue"):
        return source.getvalue()[:4] in _MAGIC
    with open(source, "rb") as file:  # noqa: PTH123 - a path as the user gave it
        return file.read(4) in _MAGIC


def read(source):
    """Pixels of the first page, gray (H, W) or RGB (H, W, 3), in their own type.

    None where tifffile cannot decompress it without more packages (LZW, fax, JPEG), and where its colours are neither
    gray, RGB, CMYK nor a palette's (YCbCr, Lab): Pillow knows these, in 8 bits.
    """
    import tifffile

    try:
        with tifffile.TiffFile(source) as file:
            page = file.pages.first
            if page.axes not in ("YX", "YXS", "SYX") or page.photometric not in _COLOURS:
                return None
            pixels = page.asarray()
            return _COLOURS[page.photometric](np.moveaxis(pixels, 0, 2) if page.axes == "SYX" else pixels, page)
    except Exception:  # noqa: BLE001 - of a damaged file tifffile raises whatever its parts do; Pillow then says why
        return None


def unturned(image, pixels_of):
    """Pixels of a Pillow image as they are stored: Pillow turns a TIFF by its orientation, tifffile does not.

    `pixels_of` gives the pixels of an image.
    """
    from PIL import Image

    turns = Image.Transpose
    # what undoes orientation 2 to 8
    back = (turns.FLIP_LEFT_RIGHT, turns.ROTATE_180, turns.FLIP_TOP_BOTTOM, turns.TRANSPOSE, turns.ROTATE_90,
            turns.TRANSVERSE, turns.ROTATE_270)  # fmt: skip
    orientation = image.tag_v2.get(_ORIENTATION, 1)
    image.load()
    has_turned = orientation in range(2, 9) and _ORIENTATION not in image.tag_v2
    return pixels_of(image.transpose(back[orientation - 2]) if has_turned else image)


def _plane(pixels):
    return pixels if pixels.ndim == 2 else pixels[..., 0]


def _gray(pixels, page):
    return _plane(pixels)


def _negative(pixels, page):
    return _largest(pixels) - _plane(pixels) if pixels.dtype.kind != "b" else ~_plane(pixels)


def _colour(pixels, page):
    colour = pixels[..., :3]
    if _PREMULTIPLIED not in page.extrasamples[:1]:
        return colour
    alpha = pixels[..., 3:4] / _largest(pixels)
    return np.divide(colour / _largest(pixels), alpha, out=np.zeros(colour.shape), where=alpha > 0).clip(0, 1)


def _of_palette(pixels, page):
    return page.colormap.T[_plane(pixels)]


def _of_inks(pixels, page):
    light = 1 - pixels[..., :4] / _largest(pixels)
    return light[..., :3] * light[..., 3:]


def _largest(pixels):
    return np.iinfo(pixels.dtype).max if pixels.dtype.kind in "iu" else 1


_COLOURS = {
    _WHITE_IS_ZERO: _negative,
    _BLACK_IS_ZERO: _gray,
    _RGB: _colour,
    _PALETTE: _of_palette,
    _CMYK: _of_inks,
}
