"""A source's tarball, read as data: within limits, no link followed, no name used as a path.

A file of a few KB can unpack to TBs, claim members of any size and name any place.
"""

import bz2
import gzip
import io
import lzma
import tarfile

# Caffe's source unpacks to 15 MB in 771 files, Boost's to 540 MB in 52,392; no covered file has 1.1 MB
MOST_UNPACKED = 1 << 30  # a user's own tarball may hold a build and the history as well
MOST_MEMBERS = 100_000
MOST_COVERED = 16 << 20  # bytes of one file
LONGEST_NAME = 4096


class SourceError(Exception):
    """No source, or not the pinned one; the text is one line for the user."""


def check_name(name):
    """Refuse a covered file's name that could mean another place, or break the lines of the manifest."""
    if not name.isprintable() or "\\" in name or {"", ".", ".."} & set(name.split("/")):
        raise SourceError(f"{name[:80]!r} is no name of a source file")


class Bounded:
    """The unpacked content of a tarball, as tarfile reads it, which fails beyond MOST_UNPACKED: a few KB can be TBs.

    Parameters
    ----------
    stream : file
        The tarball.
    """

    def __init__(self, stream):
        head = stream.read(6)
        stream.seek(0)
        kinds = {b"\x1f\x8b": gzip.GzipFile, b"BZh": bz2.BZ2File, b"\xfd7zXZ\0": lzma.LZMAFile}
        openers = [opener for magic, opener in kinds.items() if head.startswith(magic)]
        if openers == [gzip.GzipFile]:
            self.stream = gzip.GzipFile(fileobj=stream)
        else:
            self.stream = openers[0](stream) if openers else stream
        self.tell = self.stream.tell

    def read(self, size):
        # tarfile asks for as many bytes as a header claims, and would hold them all in memory
        if size < 0 or size > MOST_COVERED:
            raise SourceError(f"a member or header of more than {MOST_COVERED >> 20} MB")
        self._check(self.tell() + size)
        return self.stream.read(size)

    def seek(self, position):
        """Go to a position (int) from the beginning."""
        self._check(position)
        return self.stream.seek(position)

    @staticmethod
    def _check(position):
        if position > MOST_UNPACKED:
            raise SourceError(f"a tarball of more than {MOST_UNPACKED >> 30} GB when it is unpacked")


def members(tar):
    """Yield the members (TarInfo) of an open tarball; raises SourceError beyond the limits."""
    for number, member in enumerate(iter(tar.next, None)):
        if number >= MOST_MEMBERS or len(member.name) > LONGEST_NAME:
            raise SourceError(f"more than {MOST_MEMBERS:,} members, or a name of more than {LONGEST_NAME:,} letters")
        yield member


def content(tar, name, member):
    """The content (bytes) of a member that shall be called `name` (str); raises SourceError unless it is a file."""
    check_name(name)
    if not member.isreg() or member.issparse():
        raise SourceError(f"{name} is a link, a device or a sparse file, expected the file itself")
    if not 0 <= member.size <= MOST_COVERED:
        raise SourceError(f"{name} has more than {MOST_COVERED >> 20} MB")
    return tar.extractfile(member).read()


def pack(files, path):
    """Write files (dict of str to bytes) to `path`, a tarball compressed with gzip."""
    with tarfile.open(path, "w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
