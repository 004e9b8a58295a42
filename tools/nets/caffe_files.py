"""Stand between Caffe and the file system: names that Caffe cannot take, and files that it must not write itself.

Caffe ends the whole process when the disk is full, does not notice when the last bytes of a file are lost, splits lists
of HDF5 files at blanks, and has its paths in protobuf strings, which hold UTF-8 alone. So here it writes into memory,
from where Python checks the bytes and writes them, and reads awkward names through /proc/self/fd, where an open file
has a plain one. Nothing of that lies on a disk, hence nothing stays when the process is killed.
"""

import errno
import os
import resource
from contextlib import contextmanager, suppress
from pathlib import Path

from data_prep.files import atomic_path
from tools.common.errors import UserError

_OPEN = "/proc/self/fd"


def caffe_name(path):
    """A path as pycaffe's functions take it (bytes): any name, which a str need not be.

    Parameters
    ----------
    path : str or Path
    """
    return os.fsencode(path)


def is_plain(path):
    """Whether Caffe can read `path` (str or Path) in a prototxt and in a list of HDF5 files: UTF-8 without blanks."""
    name = os.fsencode(path)
    try:
        name.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return name.split() == [name]


class Names:
    """Names that Caffe can take, as long as this object is open; use it in a `with`.

    Attributes
    ----------
    descriptors : list of int
        The open files. A child process that is to use the same names must inherit them (subprocess's pass_fds).
    """

    def __init__(self):
        self.descriptors = []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors.clear()

    def of(self, path):
        """A plain name (str) of an existing file or folder: its own absolute one where that is plain."""
        path = Path(path).absolute()
        return str(path) if is_plain(path) else self._named(os.open(path, os.O_RDONLY))

    def of_content(self, content):
        """A plain name (str) of a file in memory that holds `content` (bytes)."""
        descriptor = _memory_file()
        name = self._named(descriptor)
        with _file_size_limit(len(content), name), open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        return name

    def _named(self, descriptor):
        self.descriptors.append(descriptor)
        return f"{_OPEN}/{descriptor}"


def written(write, most):
    """What a function writes into a file, without any file on a disk.

    Parameters
    ----------
    write : callable (str)
        Caffe's function; gets the name to write to.
    most : int
        Bytes that it writes at most, about.

    Returns
    -------
    bytes

    Raises
    ------
    OSError
        The process may not write so large a file (`ulimit -f`).
    """
    descriptor = _memory_file()
    try:
        with _file_size_limit(most, None):
            write(f"{_OPEN}/{descriptor}")
        return _content(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def linked(names, most):
    """Let Caffe write files of given names, which are in memory only.

    Parameters
    ----------
    names : sequence of Path
        What Caffe will write, in a folder of this process's own.
    most : int
        Bytes of the largest, about.

    Yields
    ------
    callable
        Gives what has been written so far: a list of bytes.
    """
    descriptors = []
    try:
        for name in names:
            descriptors.append(_memory_file())
            name.unlink(missing_ok=True)
            name.symlink_to(f"{_OPEN}/{descriptors[-1]}")
        with _file_size_limit(most, names[0]):
            yield lambda: [_content(descriptor) for descriptor in descriptors]
    finally:
        for name in names:
            with suppress(OSError):
                name.unlink()
        for descriptor in descriptors:
            os.close(descriptor)


def write_whole(path, content):
    """Write `content` (bytes) to `path` (Path) atomically and on the disk: it is the only copy of hours of work.

    Raises
    ------
    OSError
        No room, or no right to write; the error names `path`, and what was there stays.
    """
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _memory_file():
    """The descriptor of an empty file in memory."""
    descriptor = os.memfd_create("caffe", os.MFD_CLOEXEC)
    if not Path(f"{_OPEN}/{descriptor}").exists():
        os.close(descriptor)
        raise UserError(f"{_OPEN}: is not there; Caffe's files are handed over through /proc, which must be mounted")
    return descriptor


def _content(descriptor):
    with open(descriptor, "rb", closefd=False) as file:
        file.seek(0)
        return file.read()


@contextmanager
def _file_size_limit(most, path):
    """Make the limit on the size of files, which holds in memory as well, at least `most` bytes meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    enough = soft == resource.RLIM_INFINITY or soft >= most
    if not enough:
        if hard != resource.RLIM_INFINITY and hard < most:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), None if path is None else str(path))
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        if not enough:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
