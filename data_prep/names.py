"""Names that come from outside, from a mirror's list, a manifest or a registry, before they become paths here."""

import os
import unicodedata
from pathlib import Path

from data_prep.errors import DataError

# bytes; file systems take 255, and while a file is received ".part" stands behind its name
LONGEST = 250


class BadName(DataError):
    """A name that must not become a path here."""


def check_name(name):
    """Refuse the name of a file (str) from a list of one folder unless it is plain; raises BadName."""
    fault = "a path, expected a name alone" if "/" in name else _fault(name)
    if fault:
        raise BadName(f"{_short(name)}: no name for a file here ({fault})")


def check_path(path):
    """Refuse a relative path from outside unless every part of it is a plain name.

    Parameters
    ----------
    path : str
        Parts with slashes between them; a slash at the end, for a folder, is allowed.

    Raises
    ------
    BadName
        The path is absolute, leads out of its folder, has characters that cannot be seen, or is too long.
    """
    for part in (path[:-1] if path.endswith("/") else path).split("/"):
        fault = _fault(part)
        if fault:
            raise BadName(f"{_short(path)}: no name for a file here ({fault})")


def _fault(part):
    """What speaks against one part of a path; None when nothing does."""
    if part in ("", ".", ".."):
        return "absolute, or leading out of its folder"
    if "\\" in part or not part.isprintable():  # surrogates, of names that are not UTF-8, are not printable
        return "a backslash or a character that cannot be seen"
    if len(part.encode("utf-8")) > LONGEST:
        return f"more than {LONGEST} bytes"
    return None


def check_collisions(paths):
    """Refuse paths (iterable of str) of which two are the same file on a disk where case does not count."""
    seen = {}
    for path in paths:
        key = unicodedata.normalize("NFC", path).casefold()
        if key in seen:
            raise BadName(f"{_short(seen[key])} and {_short(path)}: the same name where case does not count")
        seen[key] = path


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


def _short(text, most=80):
    return repr(text if len(text) <= most else f"{text[: most - 3]}...")
