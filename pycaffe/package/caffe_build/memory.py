"""Memory that the blobs of a deploy net share: a pass takes what its largest few layers take, not the sum of all.

    from caffe_build import memory

    net = caffe.Net("deploy.prototxt", caffe.TEST, weights="trained.caffemodel")
    memory.share(net)

Caffe keeps every blob until the next pass. Here a blob takes the place of others that are not needed any more, and
Slice and Concat copy nothing where the part can lie within the whole (of one image). The results are the same to the
last bit. What is given up are the figures of the blobs in between, and passes that begin in the middle.
"""

from collections import OrderedDict

from caffe_build import _deploy


def share(net, keep=()):
    """Let the blobs of a net share memory from its next pass on, whatever sizes it is reshaped to.

    Parameters
    ----------
    net : caffe.Net
        In phase TEST, without a backward pass, on the CPU. Its inputs and outputs keep memory of their own.
    keep : iterable of str, optional
        Names of other blobs that will be read after a pass.

    Raises
    ------
    RuntimeError
        The net is not made for it (phase TRAIN, a loss or `force_backward`, layers that read data, Python and Filter
        layers), Caffe is in GPU mode, `keep` names a blob that the net does not have, or the net shares already and
        keeps others.

    Notes
    -----
    From then on a RuntimeError tells of what the net cannot do any more: ``net.blobs[name].data`` of a blob that is
    not kept, and so ``forward(blobs=[name])`` and ``forward(end=name)``; ``forward(start=...)``, unless the pass before
    ended right there; ``backward()``.
    """
    import caffe  # noqa: F401 - registers Net

    _deploy.share(net, sorted(set(keep)))
    passing = set(_deploy.passing_blobs(net))
    # where pycaffe keeps what `net.blobs` gives
    net._blobs_dict = OrderedDict(
        (name, _Passing(name, blob) if name in passing else blob) for name, blob in zip(net._blob_names, net._blobs)
    )


def is_shared(net):
    """Whether the blobs of `net` (caffe.Net) share memory (bool)."""
    return _deploy.is_shared(net)


def forward_bytes(net):
    """Memory for the blobs of a shared net (caffe.Net) at its present input shape, before it is run.

    Returns
    -------
    apart, shared : int
        Bytes: with a place for each blob, as Caffe has it, and as the net has it.
    """
    if not _deploy.is_shared(net):
        raise RuntimeError("memory.forward_bytes: this net does not share its memory; call memory.share(net) before")
    return _deploy.sizes(net)


class _Passing:
    """A blob whose figures are overwritten in the pass: all of a blob but these."""

    def __init__(self, name, blob):
        self._name, self._blob = name, blob

    def __getattr__(self, name):
        return getattr(self._blob, name)

    def _refuse(self):
        raise RuntimeError(
            f"blob {self._name!r}: its figures are overwritten in the pass, since this net shares its memory; name it "
            "in caffe_build.memory.share(net, keep=[...]), or make a net that does not share"
        )

    data = property(_refuse)
    diff = property(_refuse)
