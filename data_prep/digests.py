"""SHA-256 of files and of sets of files. Imports nothing that takes long: the tool that fetches needs no picture."""

import hashlib
from pathlib import Path


def file_sha256(path):
    """Hex SHA-256 (str) of a file's bytes."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def set_sha256(entries):
    """Combine (name, hex digest) pairs of a set's files into one hex digest, whatever their order."""
    lines = sorted(f"{name}\0{digest}\n" for name, digest in entries)
    # surrogateescape: the very bytes of names that are not UTF-8
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
