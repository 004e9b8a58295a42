"""A file that is being received: NAME.part beside its place, kept so that the next attempt or run goes on from it."""

import os
import stat

from data_prep.errors import DataError


class NotWritten(DataError):
    """The disk does not take the file.

    Attributes
    ----------
    number : int
        The system's error number.
    """

    def __init__(self, path, error):
        super().__init__(
            f"{path}: cannot be written ({error.strerror}); make room or name another folder, then run again: "
            "what is complete is kept"
        )
        self.number = error.errno


def part_of(path):
    """The part (Path) of a file (Path)."""
    return path.with_name(path.name + ".part")


def size(part):
    """Bytes (int) that came so far. What anybody else put there under the name, a link or a pipe, is removed.

    Raises
    ------
    NotWritten
        It cannot be removed.
    """
    try:
        found = part.lstat()
        # a hard link to another file is told by its count
        if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
            return found.st_size
        part.unlink()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise NotWritten(part.with_suffix(""), error) from error
    return 0


def drop(part, on_bytes):
    """Throw away what was received; `on_bytes` is told the number of bytes, negative."""
    lost = size(part)
    part.unlink(missing_ok=True)
    if lost:
        on_bytes(-lost)


def append(part, blocks, on_bytes):
    """Append to a part.

    Parameters
    ----------
    part : Path
    blocks : iterable of bytes
    on_bytes : callable
        Called with the size of each block that was written.

    Returns
    -------
    int
        Bytes written.

    Raises
    ------
    NotWritten
        No space, no permission, ...
    """
    got = 0
    size(part)
    descriptor = _write(part, lambda: os.open(part, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o666))
    try:
        for block in blocks:
            rest = memoryview(block)
            while rest:
                rest = rest[_write(part, os.write, descriptor, rest) :]
            on_bytes(len(block))
            got += len(block)
    finally:
        _write(part, os.close, descriptor)
    return got


def _write(part, action, *arguments):
    try:
        return action(*arguments)
    except OSError as error:
        raise NotWritten(part.with_suffix(""), error) from error
