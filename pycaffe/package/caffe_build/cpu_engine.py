"""Which code computes Caffe's layers on the CPU: CAFFE_CPU_ENGINE=onednn (default where it was built) or blas.

``blas`` is upstream's own code. ``onednn`` replaces its busiest layers in Caffe's registry when the library is
loaded, so the choice is made once, by the environment, before ``import caffe``.
"""

import ctypes
import os
from pathlib import Path

ENGINES = ("onednn", "blas")


def chosen(environ=os.environ, folder=None):
    """Return the engine that ``import caffe`` takes: "onednn" or "blas".

    Parameters
    ----------
    environ : mapping
        Where CAFFE_CPU_ENGINE is looked up.
    folder : Path, optional
        The package ``caffe``, for another than the one beside this file.

    Raises
    ------
    ValueError
        When CAFFE_CPU_ENGINE is neither, or asks for oneDNN and this build has none.
    """
    built = library(folder).exists()
    asked = environ.get("CAFFE_CPU_ENGINE")
    if not asked:
        return "onednn" if built else "blas"
    if asked not in ENGINES:
        raise ValueError(f"CAFFE_CPU_ENGINE={asked}: expected {' or '.join(ENGINES)}, or leave it unset")
    if asked == "onednn" and not built:
        raise ValueError("CAFFE_CPU_ENGINE=onednn: this Caffe was built without oneDNN; leave it unset, or set blas")
    return asked


def library(folder=None):
    """The file (Path) of the fast layers, beside this file or in the package `folder` (Path), there or not."""
    return (folder or Path(__file__).resolve().parent.parent / "caffe") / "libcaffe_onednn.so"


def needs_no_copies(groups, inputs, outputs, kernel, stride, pad, dilation, transposed):
    """Whether a fast layer's forward pass reads and writes blobs as they are; otherwise it copies both.

    Parameters
    ----------
    groups, inputs, outputs : int
        Of a layer's forward pass; inputs and outputs are channels.
    kernel, stride, pad, dilation : (int, int)
        Vertical, horizontal.
    transposed : bool
        A Deconvolution.

    Returns
    -------
    bool
    """
    if transposed:  # it is described as the convolution whose gradient it is
        inputs, outputs = outputs, inputs
    side = (1024, 1024)  # small arrays may be copied, which takes little memory
    numbers = (1, groups, inputs, *side, outputs, *side, *kernel, *stride, *pad, *dilation)
    fast = ctypes.PyDLL(str(library()))
    return bool(fast.caffe_onednn_needs_no_copies((ctypes.c_int * len(numbers))(*numbers), int(transposed)))


def apply(net):
    """Make what Python sees of the fast layers and solver the same as upstream's.

    The fast convolutions activate as well when a ReLU in place follows; a forward pass that ends between the two
    (`end`) must not. The fast Adam is shown as ``caffe.AdamSolver``.

    Parameters
    ----------
    net : type
        ``caffe.Net``, whose ``_forward(first, last)`` every forward pass from Python goes through.
    """
    fast = ctypes.PyDLL(str(library()))
    fast.caffe_onednn_teach_python()
    whole, set_fusion = net._forward, fast.caffe_onednn_set_fusion

    def _forward(self, first, last):
        if first == 0 and last == len(self.layers) - 1:
            return whole(self, first, last)
        set_fusion(0)
        try:
            return whole(self, first, last)
        finally:
            set_fusion(1)

    net._forward = _forward
