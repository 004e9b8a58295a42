"""A TIFF's samples as they are stored: strips and tiles, planes, any depth up to 16 bits, the predictor undone."""

from dataclasses import dataclass

import numpy as np

from . import libtiff
from . import tiff_directory as tags
from .picture import Damaged, Unsupported

NONE = 1
# codes of plain bytes, and how many times shorter they can make them at most (None: no bound)
BYTE_CODES = {NONE: 1, 5: 3000, 8: 1100, 32773: 64, 32946: 1100, 34925: None, 50000: None}
_BAND = 1 << 18


@dataclass(frozen=True)
class Layout:
    """How the samples lie in the file.

    Attributes
    ----------
    width, height, samples, bits, compression, predictor : int
    planes : int
        1, or `samples` where each has strips of its own.
    rows, columns : int
        Size of a strip or tile.
    tiled : bool
    offsets : list of int
    counts : list of int or None
        Bytes of each strip or tile.
    """

    width: int
    height: int
    samples: int
    bits: int
    compression: int
    predictor: int
    planes: int
    rows: int
    columns: int
    tiled: bool
    offsets: list
    counts: list

    @property
    def across(self):
        """Strips or tiles side by side."""
        return -(-self.width // self.columns)

    @property
    def down(self):
        """Strips or tiles below each other."""
        return -(-self.height // self.rows)

    @property
    def together(self):
        """Samples of a pixel that lie together."""
        return self.samples // self.planes

    @property
    def row_bytes(self):
        """Bytes of a row of a strip or tile."""
        return -(-self.columns * self.together * self.bits // 8)

    @property
    def decoded(self):
        """Bytes of all strips or tiles together."""
        return self.planes * self.down * self.rows * self.across * self.row_bytes


def layout(directory):
    """Read the Layout from a Directory; raises Damaged, Unsupported."""
    value = directory.value
    width, height, samples = value(tags.WIDTH), value(tags.HEIGHT), value(tags.SAMPLES, 1)
    if not width or not height or not 0 < width < 1 << 31 or not 0 < height < 1 << 31 or not 0 < samples < 1 << 16:
        raise Damaged("its header gives no possible size")
    if samples > 16:
        raise Unsupported(f"{samples} samples a pixel, expected 1 to 5; save it as PNG")
    tiled = tags.TILE_OFFSETS in directory
    rows, columns = (value(tags.TILE_HEIGHT), value(tags.TILE_WIDTH)) if tiled else (value(tags.ROWS_PER_STRIP), width)
    rows = height if not rows and not tiled else rows
    if not rows or not columns or rows > 1 << 32 or columns >= 1 << 31:
        raise Damaged("its header gives no possible size of tiles")
    made = Layout(
        width,
        height,
        samples,
        _bits(directory, samples),
        value(tags.COMPRESSION, NONE),
        value(tags.PREDICTOR, 1),
        samples if value(tags.PLANAR, 1) == 2 else 1,
        rows if tiled else min(rows, height),
        columns,
        tiled,
        directory.values(tags.TILE_OFFSETS if tiled else tags.STRIP_OFFSETS, []),
        directory.values(tags.TILE_BYTES if tiled else tags.STRIP_BYTES),
    )
    _check(made, len(directory.content))
    return made


def _bits(directory, samples):
    bits = directory.values(tags.BITS, [1])
    kinds = directory.values(tags.SAMPLE_FORMAT, [1])
    name = {2: "int", 3: "float"}.get(kinds[0], "uint" if kinds[0] in (1, 4) else "kind")
    if len(set(bits[:samples])) > 1 or len(set(kinds[:samples])) > 1:
        raise Unsupported("its channels differ in depth, expected 8 or 16 bits each; save it as 8-bit PNG")
    if name != "uint" or not 1 <= bits[0] <= 16:
        raise Unsupported(f"pixels are {name}{bits[0]}, expected 8 or 16 bits; save it as 8-bit PNG")
    return bits[0]


def _check(made, length):
    """What the strips and tiles claim must be possible in a file of so many bytes."""
    number = made.across * made.down * made.planes
    if len(made.offsets) < number:
        raise Damaged("strips or tiles are missing")
    if made.compression == NONE:
        last = made.rows if made.tiled else 1
        if any(offset + last * made.row_bytes > length for offset in made.offsets[:number]):
            raise Damaged("it ends too early")
        if _stored(made) > length:
            raise Damaged("it ends too early")
        return
    if made.counts is None:
        if made.compression != 6:
            raise Damaged("it does not say how long its strips are")
        return
    if len(made.counts) < number:
        raise Damaged("strips or tiles are missing")
    if any(offset + count > length for offset, count in zip(made.offsets[:number], made.counts)):
        raise Damaged("it ends too early")
    bound = BYTE_CODES.get(made.compression)
    if bound and _stored(made) > bound * (sum(made.counts[:number]) + 64 * number):
        raise Damaged("fewer pixels than its header claims")


def _stored(made):
    if made.tiled:
        return made.decoded
    return made.planes * made.height * made.row_bytes


def samples(directory, made):
    """All samples of a Layout whose compression is one of BYTE_CODES.

    Returns
    -------
    ndarray, (H, W, samples), uint8 or uint16
        Values as stored, 0..2^bits - 1.

    Raises
    ------
    Damaged, Unsupported
    """
    if made.predictor not in (1, 2) or (made.predictor == 2 and made.bits not in (8, 16)):
        raise Unsupported(f"predictor {made.predictor} with {made.bits} bits, expected none or 2; save it as PNG")
    kind = np.uint8 if made.bits <= 8 else np.uint16
    out = np.empty((made.height, made.width, made.samples), kind)
    decode = _copied if made.compression == NONE else _unpacked
    for plane in range(made.planes):
        lines = decode(directory, made, plane)
        part = out if made.planes == 1 else out[..., plane : plane + 1]
        step = max(1, _BAND // (made.across * made.row_bytes))
        for start in range(0, made.height, step):
            stop = min(start + step, made.height)
            part[start:stop] = _values(lines(start, stop), made, directory.order)
        lines = None  # the plane's bytes go before the next one's come
    return out


def _segments(made, plane):
    number = made.across * made.down
    return slice(plane * number, (plane + 1) * number)


def _copied(directory, made, plane):
    """Rows of an uncompressed plane: callable (start, stop) -> ndarray, (rows, across * row_bytes), uint8."""
    content = np.frombuffer(directory.content, np.uint8)
    offsets = made.offsets[_segments(made, plane)]
    reverse = directory.value(tags.FILL_ORDER, 1) == 2
    width = made.row_bytes

    def lines(start, stop):
        out = np.empty((stop - start, made.across * width), np.uint8)
        for down in range(start // made.rows, -(-stop // made.rows)):
            top = max(start, down * made.rows)
            bottom = min(stop, (down + 1) * made.rows)
            for across in range(made.across):
                first = offsets[down * made.across + across] + (top - down * made.rows) * width
                found = content[first : first + (bottom - top) * width]
                if len(found) < (bottom - top) * width:
                    raise Damaged("it ends too early")
                out[top - start : bottom - start, across * width : (across + 1) * width] = found.reshape(-1, width)
        return _REVERSED[out] if reverse else out

    return lines


_REVERSED = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)[:, ::-1], axis=1)[:, 0]


def _unpacked(directory, made, plane):
    """As `_copied` of a compressed plane: to libtiff its bytes are a gray picture."""
    part, width = _segments(made, plane), made.row_bytes
    height = made.down * made.rows if made.tiled else made.height
    entries = {
        tags.WIDTH: [made.across * width],
        tags.HEIGHT: [height],
        tags.BITS: [8],
        tags.COMPRESSION: [made.compression],
        tags.PHOTOMETRIC: [1],
        tags.FILL_ORDER: [directory.value(tags.FILL_ORDER, 1)],
        tags.SAMPLES: [1],
    }
    if made.tiled:
        entries.update({tags.TILE_WIDTH: [width], tags.TILE_HEIGHT: [made.rows]})
    else:
        entries[tags.ROWS_PER_STRIP] = [made.rows]
    entries[tags.TILE_OFFSETS if made.tiled else tags.STRIP_OFFSETS] = made.offsets[part]
    entries[tags.TILE_BYTES if made.tiled else tags.STRIP_BYTES] = made.counts[part]
    with libtiff.opened(directory.with_directory(entries)) as image:
        pass  # it keeps its pixels
    if image.mode != "L" or image.size != (made.across * width, height):
        raise Damaged("its strips do not fit its size")

    def lines(start, stop):
        return np.asarray(image.crop((0, start, image.width, stop)))

    return lines


def _values(lines, made, order):
    """Rows of bytes as samples: ndarray, (rows, W, together)."""
    count = made.columns * made.together
    rows = lines.reshape(len(lines), made.across, made.row_bytes)
    if made.bits == 16:
        rows = np.ascontiguousarray(rows).view(f"{order}u2").astype(np.uint16)
    elif made.bits != 8:
        rows = _spread(rows, count, made.bits)
    rows = rows.reshape(len(lines), made.across, made.columns, made.together)
    if made.predictor == 2:
        rows = np.cumsum(rows, axis=2, dtype=rows.dtype)
    return rows.reshape(len(lines), -1, made.together)[:, : made.width]


def _spread(rows, count, bits):
    """Samples of 1 to 15 bits from rows of bytes (..., row_bytes): ndarray, (..., count), uint8 or uint16."""
    single = np.unpackbits(rows, axis=-1, count=count * bits).reshape(*rows.shape[:-1], count, bits)
    out = np.zeros(single.shape[:-1], np.uint8 if bits <= 8 else np.uint16)
    for bit in range(bits):
        out <<= 1
        out |= single[..., bit]
    return out
