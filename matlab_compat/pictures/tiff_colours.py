"""What a TIFF's samples mean: gray, white as zero, palette, RGB, CMYK, and the channels beyond."""

import numpy as np
from PIL import Image

from . import icc
from . import tiff_directory as tags
from .picture import Damaged, Unsupported

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6
# samples of each; Lab is not among them: 8 bits of it do not give the 8 bits of RGB back, dark reds are 8 levels off
COLOURS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, CMYK: 4, YCBCR: 3}
_NAMES = {4: "a mask", 8: "Lab", 9: "Lab", 10: "Lab", 32803: "raw, of a camera's sensor", 34892: "raw, of a sensor"}
_ASSOCIATED, _STRAIGHT = 1, 2
_BAND = 1 << 17


def photometric(directory, made):
    """One of COLOURS; raises Unsupported, Damaged."""
    found = directory.value(tags.PHOTOMETRIC, RGB if made.samples >= 3 else BLACK_IS_ZERO)
    if found not in COLOURS or (found == CMYK and directory.value(tags.INK_SET, 1) != 1):
        name = _NAMES.get(found, "CMYK with other inks" if found == CMYK else f"photometric {found}")
        raise Unsupported(f"its colours are {name}, expected gray, RGB, YCbCr or CMYK; save it as RGB")
    if made.samples < COLOURS[found]:
        raise Damaged("it has too few samples")
    return found


def alpha_channel(directory, made, colours):
    """Number of the sample that is alpha, and whether the colours are multiplied by it; None and False for none."""
    extra = made.samples - colours
    if not extra:
        return None, False
    kinds = directory.values(tags.EXTRA_SAMPLES)
    if kinds is None:  # one more than the colours need, and not a word about it: alpha
        return (colours, False) if extra == 1 else (None, False)
    for number, kind in enumerate(kinds[:extra]):
        if kind in (_ASSOCIATED, _STRAIGHT) or kind > _STRAIGHT:
            return colours + number, kind == _ASSOCIATED
    return None, False


def channels(kind):
    """Channels (int) of pixels of a photometric kind."""
    return 1 if kind in (WHITE_IS_ZERO, BLACK_IS_ZERO) else 3


def coloured(samples, kind, made, directory, profile):
    """Pixels and alpha of a TIFF's samples.

    Parameters
    ----------
    samples : ndarray, (H, W, S), uint8 or uint16
        0..2^bits - 1.
    kind : int
        One of COLOURS, not YCBCR.
    made : tiff_samples.Layout
    directory : Directory
    profile : bytes or None
        Of CMYK.

    Returns
    -------
    ndarray (H, W) or (H, W, 3), and ndarray (H, W) or None; both uint8 or uint16
    """
    number, multiplied = alpha_channel(directory, made, COLOURS[kind])
    if kind == PALETTE:
        pixels = _looked_up(samples[..., 0], directory, made.bits)
    else:
        samples = stretched(samples, made.bits)
        pixels = _pixels(samples, kind, profile)
    alpha = None if number is None else stretched(samples[..., number], made.bits if kind == PALETTE else 8)
    if alpha is None:
        return pixels, None
    alpha = np.ascontiguousarray(alpha)
    return divided(pixels, alpha) if multiplied else pixels, alpha


def _pixels(samples, kind, profile):
    if kind == BLACK_IS_ZERO:
        return np.ascontiguousarray(samples[..., 0])
    if kind == WHITE_IS_ZERO:
        return np.iinfo(samples.dtype).max - samples[..., 0]
    if kind == RGB:
        return np.ascontiguousarray(samples[..., :3])
    if samples.dtype == np.uint16 and not icc.fitting(profile, 4):
        return _ink_on_white(samples)
    return _cmyk_converted(_to_8_bits(samples), icc.cmyk_to_rgb(profile))


def stretched(samples, bits):
    """Samples of `bits` bits over the whole range of uint8 or uint16, rounded half up."""
    if bits in (8, 16):
        return samples
    most, white = (1 << bits) - 1, np.iinfo(samples.dtype).max
    table = (2 * np.arange(most + 1, dtype=np.int64) * white + most) // (2 * most)
    return table.astype(samples.dtype)[samples]


def _looked_up(places, directory, bits):
    table = np.array(directory.values(tags.COLOUR_MAP, []), np.uint16)
    if table.size != 3 << bits:
        raise Damaged("its palette does not fit its depth")
    # 16 bits an entry; old writers left them at 8
    table = table if table.max() < 256 else (table.astype(np.uint32) + 128) // 257
    return table.astype(np.uint8).reshape(3, -1).T[places]


def _to_8_bits(samples):
    if samples.dtype == np.uint8:
        return samples
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _ink_on_white(samples):
    out = np.empty((*samples.shape[:2], 3), np.uint16)
    for rows, made in _rows(samples, out):
        paper = 65535 - rows.astype(np.uint64)
        made[...] = (paper[..., :3] * paper[..., 3:4] + 32767) // 65535
    return out


def _cmyk_converted(samples, convert):
    out = np.empty((*samples.shape[:2], 3), np.uint8)
    for rows, made in _rows(samples, out):
        image = Image.frombytes("CMYK", rows.shape[1::-1], rows[..., :4].tobytes())
        made[...] = np.asarray(convert(image))
    return out


def divided(pixels, alpha):
    """Colours that were multiplied by alpha as they were before, rounded half up; 0 where all is transparent."""
    out = np.empty_like(pixels)
    white = np.iinfo(alpha.dtype).max
    for rows, clear, made in _rows(pixels, alpha, out):
        clear = clear.astype(np.uint64)
        clear = clear if rows.ndim == 2 else clear[..., None]
        value = (2 * rows.astype(np.uint64) * white + clear) // np.maximum(2 * clear, 1)
        made[...] = np.where(clear == 0, 0, np.minimum(value, white))
    return out


def _rows(*arrays):
    return zip(*(_bands(one) for one in arrays))


def _bands(array):
    step = max(1, _BAND // array.shape[1])
    return (array[start : start + step] for start in range(0, len(array), step))
