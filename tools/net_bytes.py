"""Hand nets to Caffe and take them from it through memory: no name of a file and no full disk can get in the way.

Caffe takes names of files and ends the process when one cannot be read or written. A file in memory (memfd) has a
plain name whatever TMPDIR and the user's own files are called.
"""

import errno
import os
import resource
from contextlib import contextmanager
from pathlib import Path

OTHERS = 1 << 20  # bytes of a net's structure, beside its weights


@contextmanager
def in_memory(content=b""):
    """A file in memory with `content` (bytes); gives its path (str), which any part of this process can open."""
    number = os.memfd_create("net")
    try:
        with _room(len(content)), os.fdopen(number, "wb", closefd=False) as file:
            file.write(content)
        yield f"/proc/self/fd/{number}"
    finally:
        os.close(number)


def saved(net):
    """What Caffe writes into a .caffemodel (bytes) of `net` (caffe.Net): its upgraded layers and its weights.

    Raises
    ------
    OSError
        The process may not write as much (`ulimit -f`, which holds in memory as well).
    """
    most = OTHERS + 4 * sum(blob.count for blobs in net.params.values() for blob in blobs)
    with in_memory() as path, _room(most):
        net.save(path)
        return Path(path).read_bytes()


@contextmanager
def _room(most):
    """Let this process write files of `most` bytes meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if resource.RLIM_INFINITY not in (soft, hard) and hard < most:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    if soft == resource.RLIM_INFINITY or soft >= most:
        yield
        return
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
