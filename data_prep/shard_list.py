"""The shards of a database and the text list of them, which HDF5Data's `source` names: written and read."""

import os
from pathlib import Path

from data_prep.errors import DataError
from data_prep.files import atomic_path


def shard_paths(folder):
    """The shards of a database folder, in order (list of Path)."""
    return sorted(Path(folder).glob("[0-9][0-9][0-9][0-9][0-9].h5"))


def list_path(folder):
    """The text list that belongs to a database folder: OUT/x3/train -> OUT/x3/train.txt."""
    folder = Path(folder)
    return folder.with_name(folder.name + ".txt")


def write_list(folder):
    """Write the text list that HDF5Data's `source` names: one absolute shard path a line.

    Absolute, because Caffe takes relative ones from the folder the process was started in. Call it again when
    the database has been moved.

    Parameters
    ----------
    folder : str or Path
        The folder that holds the shards.

    Returns
    -------
    Path
        The list, beside the folder.

    Raises
    ------
    DataError
        The folder has no shards, or its path cannot stand in a list.

    Notes
    -----
    Caffe itself splits the list at blanks, so a path should have none; tools/train.py takes any.
    """
    folder = Path(folder).absolute()
    paths = shard_paths(folder)
    if not paths:
        raise DataError(f"{folder}: no HDF5 shards; make them with tools/prepare_data.py")
    check_path(folder)
    with atomic_path(list_path(folder)) as temporary:
        temporary.write_bytes(b"".join(os.fsencode(path) + b"\n" for path in paths))
    return list_path(folder)


def check_path(folder):
    """Raise DataError when no list of lines can name files in `folder`."""
    if any(mark in str(Path(folder).absolute()) for mark in "\r\n"):
        raise DataError(f"{folder}: a list of files cannot name it, since it has a line break; choose another --out")


def caffe_splits(folder):
    """Whether Caffe's HDF5Data layer cannot read a list that names files in `folder`, because of blanks."""
    name = os.fsencode(Path(folder).absolute())
    return name.split() != [name]


def read_list(list_file):
    """Read a text list: a file a line, or several apart by blanks, as Caffe takes them.

    Parameters
    ----------
    list_file : str or Path
        The list; its names need not be UTF-8. Relative ones count from the current folder, as for Caffe, or
        from the list's own.

    Returns
    -------
    list of Path

    Raises
    ------
    DataError
        The list is missing, empty, no text, or names a file that is not there.
    """
    list_file = Path(list_file)
    try:
        content = list_file.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{list_file}: no such list of HDF5 files; run tools/prepare_data.py") from error
    except OSError as error:
        raise DataError(f"{list_file}: not a readable text list of HDF5 files ({error.strerror})") from error
    if b"\0" in content or content.startswith(b"\x89HDF"):
        raise DataError(f"{list_file}: not a readable text list of HDF5 files")
    content = content[3:] if content.startswith(b"\xef\xbb\xbf") else content  # what Windows editors begin with
    paths = [path for line in content.splitlines() if line.strip() for path in _files_of(line, list_file)]
    if not paths:
        raise DataError(f"{list_file}: empty, expected one HDF5 file a line; run tools/prepare_data.py again")
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise DataError(
            f"{list_file}: names {missing[0]}, which is not there; has the database moved? "
            "tools/prepare_data.py writes the list again"
        )
    return paths


def _files_of(line, list_file):
    """Paths that one line (bytes) names: the whole line where there is such a file, else its words."""
    whole = _found(line.strip(), list_file)
    words = line.split()
    if len(words) == 1 or whole.is_file():
        return [whole]
    apart = [_found(word, list_file) for word in words]
    return apart if any(path.is_file() for path in apart) else [whole]


def _found(name, list_file):
    path = Path(os.fsdecode(name))
    beside = list_file.parent / path
    return beside if not path.is_file() and beside.is_file() else path
