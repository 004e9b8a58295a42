"""Numpy's numbers and paths as arguments of the functions that Boost.Python made.

In Python 2 ``numpy.int64`` was an ``int``, so ``blob.reshape(*array.shape)`` worked whatever the numbers came from. In
Python 3 it is a type of its own, which Boost.Python does not convert ("No registered converter"); and a
``pathlib.Path`` is no ``str``. One conversion, put before every function that takes numbers, switches or names. Files
that cannot be opened are an OSError here; Caffe would end the process.
"""

import functools
import os

import numpy as np

# functions of caffe itself, and methods by class
FUNCTIONS = (
    *("get_solver", "init_log", "set_device", "set_random_seed"),
    *("set_multiprocess", "set_solver_count", "set_solver_rank"),
)
SOLVERS = ("SGDSolver", "NesterovSolver", "AdaGradSolver", "RMSPropSolver", "AdaDeltaSolver", "AdamSolver")
VECTORS = ("BlobVec", "RawBlobVec", "LayerVec", "NetVec", "StringVec", "IntVec", "DtypeVec", "BoolVec")
METHODS = {
    "Net": (
        *("__init__", "_forward", "_backward", "_bottom_ids", "_top_ids"),
        *("copy_from", "save", "save_hdf5", "load_hdf5"),
    ),
    "Blob": ("reshape",),
    "Solver": ("step", "solve", "restore"),
    **dict.fromkeys(SOLVERS, ("__init__",)),
    **dict.fromkeys(VECTORS, ("__getitem__", "__setitem__")),
    "BlobVec": ("__getitem__", "__setitem__", "add_blob"),
}
# how the file is opened that a method's first argument names
MODES = {"copy_from": "rb", "load_hdf5": "rb", "restore": "rb", "save": "ab", "save_hdf5": "ab"}


def apply(caffe, library):
    """Convert the arguments of all these functions from now on.

    Parameters
    ----------
    caffe : module
        The package, whose `FUNCTIONS` are replaced.
    library : module
        ``caffe._caffe``, whose classes get new methods.
    """
    for name in FUNCTIONS:
        setattr(caffe, name, _converting(getattr(caffe, name)))
    for owner, names in METHODS.items():
        for name in names:
            kind = getattr(library, owner)
            setattr(kind, name, _converting(getattr(kind, name), MODES.get(name)))
    rate = library.SolverParameter.base_lr
    library.SolverParameter.base_lr = property(rate.fget, lambda self, value: rate.fset(self, plain(value)))


def plain(value):
    """Python's own number for one of numpy's, the name of a path; anything else as it is."""
    if isinstance(value, np.generic):
        return value.item()
    if not isinstance(value, (str, os.PathLike)):
        return value
    name = os.fspath(value)
    if isinstance(name, bytes) or name.isascii():
        return name
    # Boost.Python writes str as UTF-8; bytes reach the system as they are, in any locale and for any name
    stored = os.fsencode(name)
    return name if stored == name.encode("utf-8", "surrogatepass") else stored


def _converting(function, mode=None):
    """The function with plain arguments; `mode` is that of the file which its first argument names."""

    @functools.wraps(function)
    def convert(*args, **kwargs):
        if mode and len(args) > 1 and isinstance(args[1], (str, bytes, os.PathLike)):
            with open(args[1], mode):  # noqa: PTH123 - bytes as well
                pass
        return function(*map(plain, args), **{name: plain(value) for name, value in kwargs.items()})

    return convert
