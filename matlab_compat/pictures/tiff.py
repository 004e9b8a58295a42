"""TIFF: what is coded as plain bytes (LZW, Deflate, not at all ...) by hand, JPEG, CCITT and YCbCr through Pillow.

Pillow and OpenCV each take a part of the kinds there are for another one: planes, 16-bit colour, white as zero, gray
with alpha, colours multiplied by alpha. So libtiff unpacks the bytes, and what they mean is told here.
Source: TIFF 6.0.
"""

from functools import partial

from . import exif, icc, libtiff, pillow
from . import tiff_colours as colours
from . import tiff_directory as tags
from . import tiff_samples as layouts
from .picture import Damaged, Header, Unsupported

_NAMES = {2: "CCITT", 3: "CCITT group 3", 4: "CCITT group 4", 6: "old JPEG", 7: "JPEG", 50001: "WebP"}
_MODES = {"1": (1, False), "L": (1, False), "RGB": (3, False), "RGBA": (3, True), "CMYK": (3, False)}


def opened(content):
    """Header of a TIFF's bytes, and what decodes it to pixels and alpha (or None); both raise Damaged, Unsupported."""
    directory = tags.Directory(content)
    made = layouts.layout(directory)
    kind = colours.photometric(directory, made)
    if made.compression not in layouts.BYTE_CODES and made.compression not in _NAMES:
        raise Unsupported(f"compression {made.compression}, expected none, LZW, Deflate or JPEG; save it as PNG")
    profile = directory.block(tags.PROFILE)
    channels = colours.channels(kind)
    alpha = colours.alpha_channel(directory, made, colours.COLOURS[kind])[0] is not None
    by_profile = kind == colours.CMYK and icc.fitting(profile, 4) is not None
    deep = made.bits > 8 and kind != colours.PALETTE and not by_profile
    found = Header(
        "TIFF",
        made.height,
        made.width,
        channels,
        alpha,
        deep,
        directory.pages,
        exif.valid(directory.value(tags.ORIENTATION, 1)),
        None if kind == colours.CMYK else icc.fitting(profile, channels),
        _decode_bytes(made, kind, len(content), (channels + alpha) * (1 + deep)),
    )
    return found, partial(_decoded, directory, made, kind)


def _by_hand(made, kind):
    return made.compression in layouts.BYTE_CODES and kind != colours.YCBCR


def _decode_bytes(made, kind, length, result):
    pixels = made.height * made.width
    if not _by_hand(made, kind):
        return pillow.decode_bytes(made.height, made.width, "RGBA", result + 4) + length
    stored = pixels * made.samples * (1 + (made.bits > 8))
    plain = kind in (colours.BLACK_IS_ZERO, colours.RGB) and made.bits in (8, 16)
    # samples that need no other meaning are the pixels
    taken = stored + (0 if plain and made.samples == colours.COLOURS[kind] else 2 * pixels * result)
    if made.compression != layouts.NONE:
        strip = made.rows * made.row_bytes
        taken = length + made.decoded // made.planes + max(strip, taken)
    return pillow.decode_bytes(0, 0, "L", 0) + taken


def _decoded(directory, made, kind):
    profile = directory.block(tags.PROFILE)
    if _by_hand(made, kind):
        samples = layouts.samples(directory, made)
        return colours.coloured(samples, kind, made, directory, profile)
    return _by_pillow(directory, made, kind, profile)


_COPIED = (
    (tags.WIDTH, tags.HEIGHT, tags.BITS, tags.COMPRESSION, tags.PHOTOMETRIC, tags.FILL_ORDER, tags.STRIP_OFFSETS)
    + (tags.SAMPLES, tags.ROWS_PER_STRIP, tags.STRIP_BYTES, tags.PLANAR, tags.PREDICTOR, tags.TILE_WIDTH)
    + (tags.TILE_HEIGHT, tags.TILE_OFFSETS, tags.TILE_BYTES, tags.INK_SET, tags.EXTRA_SAMPLES, *tags.CODING)
)


def _by_pillow(directory, made, kind, profile):
    if made.bits not in (1, 8) or (made.planes > 1 and kind != colours.YCBCR):
        what = _NAMES.get(made.compression, "YCbCr")
        raise Unsupported(f"{what} of {made.bits} bits or in planes is not read; save it as PNG")
    if any(offset + count > len(directory.content) for offset, count in zip(made.offsets, made.counts or ())):
        raise Damaged("it ends too early")
    content = directory.with_directory(directory.copied(_COPIED))
    with libtiff.opened(content) as image:
        if image.mode not in _MODES:
            raise Damaged(f"colours {image.mode}")
        convert = icc.cmyk_to_rgb(profile) if image.mode == "CMYK" else None
        return pillow.arrays(image, convert)
