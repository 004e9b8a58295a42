"""Write files so that an interrupted run leaves the old file or none, never half of one."""

import errno
import itertools
import json
import math
import os
import re
import socket
import stat
import time
import zlib
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from pathlib import Path

# what a full or failing disk raises, most often without a file's name
_DISK = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO))
_STEM_BYTES = 60  # of the final name that a temporary one repeats: the whole could be too long for the file system
_TEMPORARY = re.compile(r"\..*\.(?P<pid>\d+)(?:-(?P<start>\d+)-(?P<machine>[0-9a-f]{8})-\d+)?\.part(?:\.[^.]*)?", re.S)
_FOREIGN_AGE = 24 * 3600  # seconds after which another machine's temporary file counts as left behind
_numbers = itertools.count()
_waiting = ContextVar("waiting", default=None)  # (temporary, final name) of the files of `together`


@contextmanager
def atomic_path(path):
    """Give a temporary path beside `path`; rename it to `path` when the block ends without an error.

    Parameters
    ----------
    path : str or Path
        The final name, which need not be UTF-8. Its folder is made when it is missing.

    Yields
    ------
    Path
        A name in the same folder (so that the rename is atomic) that ends in the same suffix, because
        cv2.imwrite and matplotlib choose the format by it. It tells which process made it: `sweep` needs that.

    Raises
    ------
    OSError
        The disk is full or refuses, or there is a folder, device or pipe of this name; `filename` is the final name,
        which the user knows.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():  # as root the rename would put a file in the place of /dev/null
        raise OSError(errno.EINVAL, "is a device or a pipe, expected the name of a file", str(path))
    temporary = path.with_name(_temporary_name(path))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _create(temporary)
        yield temporary
        waiting = _waiting.get()
        if waiting is not None:
            waiting.append((temporary, path))
            return
        temporary.replace(path)
    except OSError as error:
        unnamed = error.filename is None and error.errno in _DISK
        if unnamed or error.filename in (str(temporary), os.fsencode(temporary), temporary):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        if (temporary, path) not in (_waiting.get() or ()):
            with suppress(OSError):
                temporary.unlink()


@contextmanager
def together():
    """Let all files that `atomic_path` writes in the block appear at its end, or none of them when it fails.

    Raises
    ------
    OSError
        A file cannot take its place; `filename` is the final name.
    """
    waiting = []
    token = _waiting.set(waiting)
    try:
        yield
        for _, path in waiting:
            if path.is_dir():  # seen before the first one is replaced
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        for temporary, path in waiting:
            try:
                temporary.replace(path)
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        _waiting.reset(token)
        for temporary, _ in waiting:
            with suppress(OSError):
                temporary.unlink()


def _create(temporary):
    """Make the empty file ours: what somebody put there, a link that leads elsewhere above all, is never written to."""
    with suppress(FileNotFoundError):
        temporary.unlink()
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o666))


def _temporary_name(path):
    stem = os.fsdecode(os.fsencode(path.stem)[:_STEM_BYTES])
    return f".{stem}.{process_mark()}-{next(_numbers)}.part{path.suffix}"


def process_mark():
    """What a temporary name holds to tell whose it is (str): number and start of this process, and the machine."""
    pid = os.getpid()
    return f"{pid}-{_start(pid)}-{_machine()}"


def sweep(folder):
    """Remove the temporary files that `atomic_path` left in a folder when its process was killed.

    Parameters
    ----------
    folder : str or Path
        Its sub-folders are not entered; a missing one is no error.

    Notes
    -----
    A file goes when its process is dead, told from a later one of the same number by the time it started. Files
    of other machines, on a disk that several share, go when they are a day old.
    """
    with suppress(OSError):
        for path in list(Path(folder).iterdir()):
            found = _TEMPORARY.fullmatch(path.name)
            if found:
                with suppress(OSError):
                    if stat.S_ISREG(path.lstat().st_mode) and left_behind(path, **found.groupdict()):
                        path.unlink()


def left_behind(path, pid, start, machine):
    """Whether the process that made a temporary file or folder is dead; `pid` to `machine` are its `process_mark`."""
    if machine is not None and machine != _machine():
        return time.time() - path.lstat().st_mtime > _FOREIGN_AGE
    now = _start(int(pid))
    return now is None or (start is not None and now != int(start))


def _start(pid):
    """When process `pid` started, in clock ticks since boot (int); None when it does not run any more."""
    try:
        # see proc(5); the name, in brackets, may hold anything
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return None if fields[0] in (b"Z", b"X") else int(fields[19])
    except (OSError, ValueError, IndexError):
        return None


@cache
def _machine():
    """Eight hex digits that tell this machine from others that share a disk."""
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def write_text(path, text):
    """Write `text` (str) to `path` as UTF-8 with LF endings, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def write_json(path, value):
    """Write `value` to `path` as JSON that strict readers take, atomically.

    Parameters
    ----------
    path : str or Path
    value : dict, list, str, float, int, bool or None
        NaN and infinities, which JSON does not know, become null; file names that are not UTF-8 get \\xNN for the
        bytes that are not.
    """
    write_text(path, json_text(value))


def json_text(value):
    """What `write_json` writes (str)."""
    return json.dumps(_storable(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _storable(value):
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, dict):
        return {shown(key) if isinstance(key, str) else key: _storable(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_storable(one) for one in value]
    return value


def shown(name):
    """A path or text as a str that can be printed and stored: bytes of a name that are not UTF-8 become \\xNN."""
    try:
        return str(name).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half of a surrogate pair, which no file name holds
        return str(name).encode("utf-8", "backslashreplace").decode("utf-8")
