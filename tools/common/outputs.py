"""The folder that a tool writes to: made and tried before any work, cleaned of what killed runs left there."""

import os
import unicodedata
from pathlib import Path

from data_prep import files
from tools.common.errors import UserError


def folder(path, option="--out"):
    """Make a folder (str or Path) and remove the temporary files of dead processes in it.

    Raises
    ------
    UserError
        It cannot be made, is a file, or cannot be written to; the text names `option`.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UserError(f"{option} {path}: is a file, expected a folder; choose another one") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{option} {path}: cannot be made ({_said(error)}); choose another folder") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise UserError(f"{option} {path}: not writable; choose another folder")
    files.sweep(path)
    return path


def _said(error):
    return getattr(error, "strerror", None) or error


def names(paths, suffix):
    """A file name for what is made of each of several files, no two alike, also where capitals do not count.

    Parameters
    ----------
    paths : list of Path
    suffix : str
        Of the new names.

    Returns
    -------
    dict of Path to str
        NAME.png for NAME.bmp; where another file would take that name as well, both are called after their whole
        name, NAME.bmp.png, and where that does not help, they are numbered.
    """
    stems = [_folded(path.stem) for path in paths]
    plain = {path: path.stem for path, stem in zip(paths, stems) if stems.count(stem) == 1}
    taken, found = {_folded(stem) for stem in plain.values()}, {}
    for path in paths:
        base = stem = plain.get(path, path.name)
        number = 1
        while path not in plain and _folded(stem) in taken:
            number += 1
            stem = f"{base}-{number}"
        taken.add(_folded(stem))
        found[path] = f"{stem}{suffix}"
    return found


def _folded(name):
    """A name as file systems compare it that do not tell capitals or ways to write an accent apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
