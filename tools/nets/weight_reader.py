"""Read arrays out of a .mat or HDF5 weight file in a process of its own, under a limit of memory.

    tools.nets.weight_reader cells|dagnn|plain|hdf5 < FILE > ARRAYS

tools/nets/weight_files.py starts it, not the user. A damaged or hostile file can claim terabytes, nest without end or
make a library crash: all that ends this process only. Reading executes nothing: scipy gives arrays and structs, h5py
arrays. Standard output gets one line of JSON, either {"arrays": [[name, shape], ...]} with the float32 values of each
array behind it, or {"error": text}, or {"holds": [names]} where the file has another layout.
"""

import json
import math
import os
import sys

import numpy as np

from tools.common import address_space, parent

# the largest released file of this kind has 3 MB; what Caffe reads is limited to 2 GB
MAT_BYTES, HDF5_BYTES = 1 << 30, 2 << 30
BLOBS = 64  # no layer of Caffe has nearly as many


class FileError(Exception):
    """What is wrong with the file."""


class LayoutError(Exception):
    """The file holds something else; its argument is a list of names."""


# --- MATLAB's files ------------------------------------------------------------------------------------


def read_mat(file, layout):
    """{source name: array} of a .mat file (binary file object) in one of LAYOUTS."""
    import scipy.io  # here, as h5py below: a file needs one of the two, and this process starts for one file

    address_space.limit(MAT_BYTES)
    marker, read = LAYOUTS[layout]
    try:
        content = scipy.io.loadmat(file)
    except NotImplementedError:
        raise FileError("a .mat of version 7.3; save it in MATLAB with save(..., '-v7')") from None
    except MemoryError:
        raise FileError(
            f"not a .mat file with weights: it claims more than the {MAT_BYTES >> 20} MB that any may take"
        ) from None
    except Exception as error:  # scipy raises whatever its reader trips over: struct.error, zlib.error, TypeError, ...
        said = f"{type(error).__name__}: {error}"
        raise FileError(f"not a .mat file that can be read, or cut short ({said}); get it again") from None
    variables = {name: value for name, value in content.items() if not name.startswith("__")}
    if any(isinstance(value, scipy.io.matlab.MatlabOpaque) for value in variables.values()):
        raise FileError(
            "holds an object of a MATLAB class, which only MATLAB can read; save a struct there instead, of a "
            "MatConvNet net that of its saveobj()"
        )
    try:
        found = read(variables) if marker in variables else {}
    except (IndexError, KeyError, TypeError, ValueError):
        found = {}
    if not found:
        raise LayoutError(list(variables))
    return found


def _floats(value):
    """An array as float32; raises ValueError for complex numbers, whose imaginary parts numpy would drop."""
    if np.iscomplexobj(value):
        raise ValueError
    return np.asarray(value, np.float32)


def cells(variables):
    """VDSR: model.weight{k}, model.bias{k}."""
    model = variables["model"][0, 0]
    return {
        f"model.{kind}{{{k}}}": _floats(value)
        for kind in ("weight", "bias")
        for k, value in enumerate(model[kind].ravel(), 1)
    }


def dagnn(variables):
    """LapSRN, DRCN: net.params, a struct array of name and value."""
    params = variables["net"][0, 0]["params"].ravel()
    return {str(one["name"].ravel()[0]): _floats(one["value"]) for one in params}


def plain(variables):
    """SRCNN: weights_conv1, biases_conv1, ..."""
    return {name: _floats(value) for name, value in variables.items() if "_conv" in name}


# layout: variable that marks it, how it is read
LAYOUTS = {"cells": ("model", cells), "dagnn": ("net", dagnn), "plain": ("weights_conv1", plain)}


# --- Caffe's HDF5 files --------------------------------------------------------------------------------


def read_hdf5(file):
    """{"LAYER/INDEX": array} of a .caffemodel.h5: group `data`, in it a group a layer with datasets 0, 1, ..."""
    import h5py  # see read_mat

    address_space.limit(HDF5_BYTES)
    try:
        with h5py.File(file, "r", locking=False) as content:
            data = _member(content, "data", h5py.Group)
            layers = {name: _member(data, name, h5py.Group) for name in data}
            return {
                f"{name}/{index}": _values(layer, index, h5py) for name, layer in layers.items() for index in layer
            }
    except MemoryError:
        raise FileError(f"claims more than the {HDF5_BYTES >> 20} MB that weights may take") from None
    except FileError:
        raise
    except Exception as error:  # h5py raises whatever the library reports: OSError, RuntimeError, KeyError, ...
        said = f"{type(error).__name__}: {error}"
        raise FileError(f"not an HDF5 file that can be read, or damaged ({said}); get it again") from None


def _member(group, name, kind):
    """A group or dataset that lies in this very file."""
    import h5py  # see read_mat

    if name not in group:
        raise FileError(f"has no group {name!r}, expected what Caffe's save_hdf5 writes")
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise FileError(f"{group.name}/{name} is a link, expected weights in the file itself")
    found = group[name]
    if not isinstance(found, kind):
        raise FileError(f"{group.name}/{name} is a {type(found).__name__}, expected a {kind.__name__}")
    return found


def _values(layer, index, h5py):
    where = f"{layer.name}/{index}"
    if not index.isdecimal() or int(index) >= BLOBS:
        raise FileError(f"{where}: expected datasets 0, 1, ... in a layer's group")
    dataset = _member(layer, index, h5py.Dataset)
    if dataset.external or dataset.is_virtual:
        raise FileError(f"{where} takes its values from other files, expected weights in the file itself")
    if dataset.shape is None or dataset.dtype.kind not in "fiu":
        raise FileError(f"{where} holds no numbers (type {dataset.dtype}), expected arrays of floats")
    if math.prod(dataset.shape) * 4 > HDF5_BYTES:
        raise FileError(f"{where} claims an array of {dataset.shape}, expected what fits into {HDF5_BYTES >> 20} MB")
    with np.errstate(over="ignore"):  # to an infinity, which is refused with the layer's name
        return dataset[()].astype(np.float32)


def main(layout):
    """Read standard input, write standard output."""
    result = os.dup(1)
    os.dup2(2, 1)  # what libraries print must not get into the answer
    arrays = {}
    try:
        with os.fdopen(0, "rb", closefd=False) as file, np.errstate(over="ignore"):
            arrays = read_hdf5(file) if layout == "hdf5" else read_mat(file, layout)
        said = {"arrays": [[name, list(value.shape)] for name, value in arrays.items()]}
    except FileError as error:
        said = {"error": str(error)}
    except LayoutError as error:
        said = {"holds": error.args[0]}
    with os.fdopen(result, "wb") as out:
        out.write(json.dumps(said).encode() + b"\n")
        for value in arrays.values():
            out.write(np.ascontiguousarray(value, np.float32).data.cast("B") if value.size else b"")


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except MemoryError:
        sys.exit(parent.NO_MEMORY)
