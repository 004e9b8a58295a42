"""TIFF's directory of tags, with every offset checked, and new ones for libtiff.

A new directory in front of the same strips makes libtiff a plain decompressor: what the bytes mean is decided here, and
no tag that Pillow stumbles over reaches it.
Source: TIFF 6.0, section 2; BigTIFF as libtiff defines it.
"""

import struct

import numpy as np

from .picture import Damaged

(SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER) = (254, 256, 257, 258, 259, 262, 266)
(STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES) = (273, 274, 277, 278, 279)
(PLANAR, PREDICTOR, COLOUR_MAP, TILE_WIDTH, TILE_HEIGHT) = (284, 317, 320, 322, 323)
(TILE_OFFSETS, TILE_BYTES, INK_SET, EXTRA_SAMPLES, SAMPLE_FORMAT) = (324, 325, 332, 338, 339)
PROFILE = 34675
# what decoding needs besides: options of CCITT codes, JPEG's tables, new and old, and how YCbCr is coded
CODING = (292, 293, 347, *range(512, 522), 529, 530, 531, 532)

# size and numpy's name of TIFF's types; rationals stay pairs
_TYPES = {
    1: (1, "u1"), 2: (1, "u1"), 3: (2, "u2"), 4: (4, "u4"), 5: (8, "u4"), 6: (1, "i1"), 7: (1, "u1"), 8: (2, "i2"),
    9: (4, "i4"), 10: (8, "i4"), 11: (4, "f4"), 12: (8, "f8"), 13: (4, "u4"), 16: (8, "u8"), 17: (8, "i8"),
    18: (8, "u8"),
}  # fmt: skip
_LONG, _LONG8 = 4, (16, 18)
_MOST_PAGES = 100_000


class Directory:
    """The first directory of a TIFF.

    Parameters
    ----------
    content : bytes

    Attributes
    ----------
    pages : int
        Directories that are no reduced copies or masks.

    Raises
    ------
    Damaged
        It, or a tag of it, does not lie in the file.
    """

    def __init__(self, content):
        self.content = content
        self.order = "<" if content[:2] == b"II" else ">"
        self.big = struct.unpack_from(f"{self.order}H", content, 2)[0] == 43
        first = self._number("Q" if self.big else "I", 8 if self.big else 4)
        self._entries, following = self._read(first)
        self.pages = 1 + self._others(following, {first})

    def _number(self, kind, place):
        try:
            return struct.unpack_from(self.order + kind, self.content, place)[0]
        except struct.error:
            raise Damaged("it ends too early") from None

    def _read(self, place):
        """Entries of a directory, {tag: (type, count, start)}, and the next directory's place."""
        head, size = (8, 20) if self.big else (2, 12)
        count = self._number("Q" if self.big else "H", place)
        end = place + head + count * size
        if not count or end > len(self.content):
            raise Damaged("its directory does not lie in the file")
        entries = {}
        for start in range(place + head, end, size):
            tag, kind = struct.unpack_from(f"{self.order}HH", self.content, start)
            values = self._number("Q" if self.big else "I", start + 4)
            inside = start + (12 if self.big else 8)
            taken = _TYPES.get(kind, (0, ""))[0] * values
            if taken > (8 if self.big else 4):
                inside = self._number("Q" if self.big else "I", inside)
            entries.setdefault(tag, (kind, values, inside))
        kind = "Q" if self.big else "I"
        # some writers leave the zero at the end away
        following = self._number(kind, end) if end + struct.calcsize(kind) <= len(self.content) else 0
        return entries, following

    def _others(self, place, seen):
        """How many directories follow that are pages; one that is damaged ends the chain."""
        pages = 0
        while place and place not in seen and len(seen) < _MOST_PAGES:
            seen.add(place)
            try:
                entries, place = self._read(place)
                # bit 0: a reduced copy, bit 2: a mask
                pages += not int(self._values(entries.get(SUBFILE), (0,))[0]) & 5
            except Damaged:
                break
        return pages

    def _values(self, entry, default):
        if entry is None:
            return default
        kind, count, start = entry
        size, name = _TYPES.get(kind, (0, ""))
        if not size or not count or start + size * count > len(self.content):
            raise Damaged("a tag does not lie in the file")
        items = count * (2 if kind in (5, 10) else 1)
        return np.frombuffer(self.content, f"{self.order}{name}", items, start).tolist()

    def __contains__(self, tag):
        return tag in self._entries

    def values(self, tag, default=None):
        """Values (list of int) of a tag, `default` where it is missing; raises Damaged."""
        return self._values(self._entries.get(tag), default)

    def value(self, tag, default=None):
        """The first value (int) of a tag, `default` where it is missing; raises Damaged."""
        return self.values(tag, (default,))[0]

    def block(self, tag):
        """Bytes of a tag, None where it is missing or does not lie in the file."""
        if tag not in self._entries:
            return None
        kind, count, start = self._entries[tag]
        end = start + _TYPES.get(kind, (0, ""))[0] * count
        return self.content[start:end] if start < end <= len(self.content) else None

    def copied(self, tags):
        """Entries (dict) of those of `tags` that are there, for `with_directory`."""
        made = {}
        for tag in tags:
            if tag in self._entries:
                kind, count, _ = self._entries[tag]
                values = self.values(tag)
                made[tag] = values if kind in _LONG8 else (kind, count, self.block(tag))
        return made

    def with_directory(self, entries):
        """The file with another directory.

        Parameters
        ----------
        entries : dict
            By tag: list of int (stored as LONG), or (type, count, bytes) in the file's own order.

        Returns
        -------
        bytes
            A classic TIFF.

        Raises
        ------
        Damaged
            The file is longer than such a one can be.
        """
        place = len(self.content) + len(self.content) % 2
        directory, extra = [], []
        beyond = place + 2 + 12 * len(entries) + 4
        for tag in sorted(entries):
            kind, count, raw = entries[tag] if isinstance(entries[tag], tuple) else self._long(entries[tag])
            if len(raw) > 4:
                extra.append(raw + b"\0" * (len(raw) % 2))
                raw, beyond = struct.pack(f"{self.order}I", beyond), beyond + len(extra[-1])
            directory.append(struct.pack(f"{self.order}HHI", tag, kind, count) + raw.ljust(4, b"\0"))
        if beyond >= 1 << 32:
            raise Damaged("longer than 4 GB")
        mark = b"II*\0" if self.order == "<" else b"MM\0*"
        number = struct.pack(f"{self.order}H", len(entries))
        head = mark + struct.pack(f"{self.order}I", place)
        return b"".join(
            [head, memoryview(self.content)[8:], b"\0" * (len(self.content) % 2), number, *directory, b"\0" * 4, *extra]
        )

    def _long(self, values):
        values = np.asarray(values, np.uint64)
        if values.size and values.max() >= 1 << 32:
            raise Damaged("an offset does not lie in the file")
        return _LONG, values.size, values.astype(f"{self.order}u4").tobytes()
