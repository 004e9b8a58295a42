"""Forward passes that run at the same time: upstream's ``Net.forward`` holds Python's lock, these do not.

    def run(image):
        with unlocked.threads(1):
            net = nets.pop()                       # one for each thread, with the same weights: net.share_with(first)
            net.blobs["data"].data[...] = image
            unlocked.forward(net)
"""

import contextlib
import ctypes

from caffe_build import _deploy, cpu_engine


def forward(net):
    """Run all layers of `net` (caffe.Net), as ``net.forward()`` does, while other threads of Python go on.

    A net must not be run by two threads at once. Where Python takes part in the pass (Python layers,
    ``before_forward``, ``after_forward``) the lock is held as ever.
    """
    _deploy.forward(net)


@contextlib.contextmanager
def threads(number):
    """Let the fast CPU layers use so many threads (int) in passes of the calling thread; upstream's take no notice."""
    library = _library()
    before = library.caffe_onednn_set_threads(number) if library else None
    try:
        yield
    finally:
        if library:
            library.caffe_onednn_set_threads(before)


def _library():
    if cpu_engine.chosen() != "onednn":
        return None
    return ctypes.PyDLL(str(cpu_engine.library()))
