"""What this project's Caffe has for nets that are only run forward: blobs that share memory, passes at the same time.

On a GPU, and with a Caffe of the user's own, nets stay as they are.
"""

import queue

from tools.common import build
from tools.nets import runtime


def share_memory(net, output):
    """Let the blobs of a deploy net share memory, where Caffe runs it on the CPU.

    The results stay the same to the last bit; of the blobs only inputs, outputs and `output` can be read.

    Parameters
    ----------
    net : caffe.Net
    output : str
        The blob that will be read.

    Returns
    -------
    caffe.Net
        `net`.
    """
    if _ours():
        from caffe_build import memory  # loads Caffe

        memory.share(net, keep=[output])
    return net


def shared_bytes(net):
    """Bytes (int) of the blobs of a net that shares memory at its present shape, None for another net."""
    if not _ours():
        return None
    from caffe_build import memory  # loads Caffe

    return memory.forward_bytes(net)[1] if memory.is_shared(net) else None


def _ours():
    return build.deploys() and not runtime.on_gpu()


def at_once(number):
    """How many images run at the same time (int) where `number` threads may be used, each of them in one thread.

    docs/speed.md compares this with all threads within each layer. Stock layers compute by OpenBLAS, which has one pool
    of threads for all.
    """
    return number if _ours() and build.cpu_engine() == "onednn" else 1


class Several:
    """Nets with the same weights in place of one, called by as many threads of Python at once.

    Parameters
    ----------
    nets : list of caffe.Net or callable
        What tiles.forward takes.
    """

    def __init__(self, nets):
        self.number, self._free = len(nets), queue.LifoQueue()
        for net in nets:
            self._free.put(net)

    def __call__(self, image, output):
        """The output (ndarray, (H', W'), float32) for an image (ndarray, (H, W), float32), by one thread."""
        from caffe_build import unlocked  # loads Caffe

        net = self._free.get()
        try:
            with unlocked.threads(1):
                return runtime.forward(net, image, output)
        finally:
            self._free.put(net)


def copies(net, message, output, number):
    """`net` (caffe.Net) and others with its weights, `number` in all, whose blobs share memory (list of caffe.Net).

    `message` (NetParameter) is what `net` was built from, `output` (str) the blob that will be read.
    """
    nets = [net]
    for _ in range(number - 1):
        nets.append(runtime.build_net(message))
        nets[-1].share_with(net)
    return [share_memory(one, output) for one in nets]
