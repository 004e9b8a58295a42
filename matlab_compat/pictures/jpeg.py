"""JPEG, by libjpeg-turbo through Pillow: grey, colour and CMYK, whose values Pillow turns to the usual sense."""

from functools import partial

from . import exif, icc, pillow
from .picture import Damaged, Header

_MODES = {"L": 1, "RGB": 3, "CMYK": 3}


def opened(content):
    """Header of a JPEG's bytes, and what decodes it to pixels and None; both raise Damaged."""
    image = pillow.opened(content, "JPEG")
    return _header(image), partial(_decoded, image)


def _header(image):
    if image.mode not in _MODES:
        raise Damaged(f"colours {image.mode}")
    channels = _MODES[image.mode]
    size = pillow.decode_bytes(image.height, image.width, image.mode, channels)
    if image.info.get("progressive"):  # all coefficients are held, 16 bits each
        size += 2 * image.height * image.width * len(image.getbands())
    profile = None if image.mode == "CMYK" else icc.fitting(image.info.get("icc_profile"), channels)
    # a second picture within (MPO: gain maps, previews, the right eye's view) is no page
    return Header(
        "JPEG",
        image.height,
        image.width,
        channels,
        orientation=exif.orientation(image.info.get("exif")),
        profile=profile,
        decode_bytes=size,
    )


def _decoded(image):
    convert = icc.cmyk_to_rgb(image.info.get("icc_profile")) if image.mode == "CMYK" else None
    return pillow.arrays(image, convert)
