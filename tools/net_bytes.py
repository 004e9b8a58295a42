"""Hand nets to Caffe and take them from it through memory: no name of a file and no full disk can get in the way.

Caffe takes names of files and ends the process when one cannot be read or written. A file in memory (memfd) has a
plain name whatever TMPDIR and the user's own files are called.
"""

import os
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def in_memory(content=b""):
    """A file in memory with `content` (bytes); gives its path (str), which any part of this process can open."""
    number = os.memfd_create("net")
    try:
        with os.fdopen(number, "wb", closefd=False) as file:
            file.write(content)
        yield f"/proc/self/fd/{number}"
    finally:
        os.close(number)


def saved(net):
    """What Caffe writes into a .caffemodel (bytes) of `net` (caffe.Net), its upgraded layers and its weights."""
    with in_memory() as path:
        net.save(path)
        return Path(path).read_bytes()
