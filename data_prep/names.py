"""Names from a manifest before they become paths here, and links on the way to a file's place."""

import os
from pathlib import Path

from data_prep.errors import DataError

# bytes; file systems take 255, and while a file is received ".part" stands behind its name
LONGEST = 250
_SHOWN = 80  # characters of a name in a message


class BadName(DataError):
    """A name that must not become a path here."""


def check_path(path):
    """Refuse a relative path (str, slashes between its parts) unless every part of it is a plain name.

    Raises
    ------
    BadName
        The path is absolute, leads out of its folder, has characters that cannot be seen, or is too long.
    """
    for part in path.split("/"):
        fault = _fault(part)
        if fault:
            shown = path if len(path) <= _SHOWN else f"{path[: _SHOWN - 3]}..."
            raise BadName(f"{shown!r}: no name for a file here ({fault})")


def _fault(part):
    """What speaks against one part of a path; None when nothing does."""
    if part in ("", ".", ".."):
        return "absolute, or leading out of its folder"
    if "\\" in part or not part.isprintable():  # surrogates, of names that are not UTF-8, are not printable
        return "a backslash or a character that cannot be seen"
    if len(part.encode("utf-8")) > LONGEST:
        return f"more than {LONGEST} bytes"
    return None


def check_inside(path, folder):
    """Refuse to write to a path (Path) below `folder` when a link on the way leads out of it.

    The folder itself may be, or lie behind, any link: that is its owner's choice.
    """
    top = Path(os.path.realpath(folder))  # Path.resolve fails where links form a circle
    for parent in reversed(path.parents):
        if parent.is_symlink() and Path(folder) in parent.parents:
            real = Path(os.path.realpath(parent))
            if real != top and top not in real.parents:
                raise BadName(f"{parent}: a link out of the folder ({real}); put the folder itself there, or remove it")
