"""AVIF, by libavif: 8 bits through Pillow, 10 and 12 bits through OpenCV, which leaves them as they are.

Pillow gives the turning and mirroring that the file asks for as an orientation, and applies neither.
Source: AV1 Image File Format, section 2.2.1; AV1 in ISO base media file format, section 2.3.3.
"""

from functools import partial

from PIL import AvifImagePlugin  # noqa: F401 (registers itself)

from . import exif, icc, opencv, pillow
from .picture import Damaged, Header

_MODES = {"L": (1, False), "LA": (1, True), "RGB": (3, False), "RGBA": (3, True)}


def opened(content):
    """Header of an AVIF's bytes, and what decodes it to pixels and alpha (or None); both raise Damaged."""
    image = pillow.opened(content, "AVIF")
    found = _header(image, content)
    return found, partial(_deep, content) if found.deep else partial(_decoded, image, found.channels)


def _header(image, content):
    if image.mode not in _MODES:
        raise Damaged(f"colours {image.mode}")
    bits, gray = _coding(content)
    alpha = _MODES[image.mode][1]
    channels = 1 if gray else 3
    result = (channels + alpha) * (1 + (bits > 8))
    # libavif's planes and the decoder's, and the colours made of them
    size = pillow.decode_bytes(image.height, image.width, "RGBA", result + 10 * (1 + (bits > 8)))
    return Header(
        "AVIF",
        image.height,
        image.width,
        channels,
        alpha,
        bits > 8,
        max(1, image.n_frames),
        exif.orientation(image.info.get("exif")),
        icc.fitting(image.info.get("icc_profile"), channels),
        size + 2 * len(content),
    )


def _coding(content):
    """Bits of a sample, and whether there is no colour, by the first AV1 configuration box."""
    place = content.find(b"av1C")
    if place < 0 or place + 8 > len(content):
        return 8, False
    flags = content[place + 6]
    bits = (12 if flags & 0x20 else 10) if flags & 0x40 else 8
    return bits, bool(flags & 0x10)


def _decoded(image, channels):
    pixels, alpha = pillow.arrays(image)
    if channels == 1 and pixels.ndim == 3:  # older Pillow makes three of the one
        pixels = pixels[..., 0].copy()
    return pixels, alpha


def _deep(content):
    pixels, alpha = opencv.read(content)
    bits = _coding(content)[0]
    if pixels.dtype != "uint16":
        raise Damaged("its depth is not what its header says")
    return opencv.stretched(pixels, bits), opencv.stretched(alpha, bits)
