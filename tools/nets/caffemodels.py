"""Weights in Caffe's own files: read, compared with the shapes of a net, copied into it.

Caffe ends the whole process (glog's CHECK) on a file that is damaged or does not fit, so that it never reads one.
"""

from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError

from prototxt.engine import caffe
from tools.common.errors import UserError
from tools.nets import weight_files


def load_weights(net, path):
    """Copy weights into `net` (caffe.Net) by layer name, after a check that they fit.

    Caffe itself is given no path: it would end the process on a file that it cannot read, and takes no name that is not
    UTF-8. What is copied is what Caffe's copy_from copies.

    Parameters
    ----------
    net : caffe.Net
    path : str or Path
        A .caffemodel, or what Caffe's save_hdf5 writes (.caffemodel.h5), told by its content.

    Raises
    ------
    UserError
        The file is missing, is no weight file or is cut short, lacks a layer, has one of another shape (another scale,
        width or method) or with values that are not finite; the text names the layer, the shape found and the one
        expected.
    """
    copy_weights(net, read(path), path)


def copy_weights(net, model, path):
    """As `load_weights`, of a file that has been read: `model` is what `read(path)` gave."""
    check_weights(model, param_shapes(net), path, _shared(net))
    fitting = [(name, blobs) for name, blobs in weight_layers(model) if name in net.params]
    for name, blobs in fitting:
        for blob in blobs:
            if not np.isfinite(_values(blob)).all():
                raise UserError(
                    f"{path}: layer {name!r} holds values that are not finite (NaN or infinity), as a training that "
                    "diverged leaves them; give other weights"
                )
    for name, blobs in fitting:
        for target, blob in zip(net.params[name], blobs):
            if not _is_absent(blob):
                target.data[...] = _values(blob).reshape(target.data.shape)


def _values(blob):
    """A BlobProto's values (ndarray, float32), flat."""
    stored = blob.double_data or blob.data
    with np.errstate(over="ignore"):  # a double that is too large becomes an infinity, as in Caffe
        return np.fromiter(stored, np.float64 if blob.double_data else np.float32, len(stored)).astype(np.float32)


def _shared(net):
    """The arrays of `net` that another layer has before: set of (layer, index). HDF5 files leave them out."""
    seen, shared = set(), set()
    for name, blobs in net.params.items():
        for index, blob in enumerate(blobs):
            address = blob.data.__array_interface__["data"][0]
            if address in seen:
                shared.add((name, index))
            seen.add(address)
    return shared


def read(path):
    """Parse weights in either of Caffe's formats.

    Returns
    -------
    NetParameter
        Of an HDF5 file: layers with name and blobs only; a blob that the file leaves out is empty.

    Raises
    ------
    UserError
        The file is missing, damaged or something else; the text says what.
    """
    kind = weight_files.kind(path)
    if kind == weight_files.HDF5:
        return _from_hdf5(weight_files.arrays(path, "hdf5")[0])
    if kind == weight_files.MAT:
        raise UserError(
            f"{path}: a MATLAB file, expected a .caffemodel; tools/import_weights.py makes one of it, for the networks "
            "whose authors publish .mat files"
        )
    message, size = caffe.proto.caffe_pb2.NetParameter(), Path(path).stat().st_size
    try:
        message.ParseFromString(Path(path).read_bytes())
    except DecodeError:
        if Path(path).suffix == ".solverstate":
            raise UserError(f"{path}: is the state of a solver, expected the .caffemodel beside it") from None
        if weight_files.is_text(path):
            raise UserError(f"{path}: is text, such as a prototxt; {weight_files.EXPECTED}") from None
        raise UserError(f"{path}: not a .caffemodel that Caffe can read, or cut short ({size} bytes)") from None
    return message


def _from_hdf5(arrays):
    """NetParameter of {"LAYER/INDEX": array}."""
    layers = {}
    for key, value in arrays.items():
        name, _, index = key.rpartition("/")
        layers.setdefault(name, {})[int(index)] = value
    message = caffe.proto.caffe_pb2.NetParameter()
    for name, blobs in layers.items():
        layer = message.layer.add(name=name)
        for index in range(max(blobs) + 1):
            blob = layer.blobs.add()
            if index in blobs:
                blob.shape.dim.extend(blobs[index].shape)
                blob.data.extend(blobs[index].ravel().tolist())
    return message


def read_solverstate(path):
    """Parse a .solverstate; gives a SolverState, raises UserError when it is missing or damaged."""
    path, message = Path(path), caffe.proto.caffe_pb2.SolverState()
    if not path.is_file():
        raise UserError(f"{path}: no such file, expected a .solverstate; check the name")
    try:
        message.ParseFromString(path.read_bytes())
    except DecodeError:
        size = path.stat().st_size
        raise UserError(f"{path}: not a .solverstate that Caffe can read, or cut short ({size} bytes)") from None
    return message


def param_shapes(net):
    """Shapes of a net's parameters: {layer name: [tuple, ...]} in the order of its blobs."""
    return {name: [tuple(blob.data.shape) for blob in blobs] for name, blobs in net.params.items()}


def learnable(net):
    """The arrays (list of caffe.Blob) of a net, each once where layers share it, in the order of Caffe's solvers."""
    found = {}
    for blobs in net.params.values():
        for blob in blobs:
            found.setdefault(blob.data.__array_interface__["data"][0], blob)
    return list(found.values())


def weight_layers(model):
    """Name and blobs of every layer of a NetParameter that has some, in any of Caffe's three forms: (str, blobs)."""
    forms = [*model.layer, *(one.layer if one.HasField("layer") else one for one in model.layers)]
    return [(_text(layer.name), layer.blobs) for layer in forms if layer.blobs]


def _text(name):
    """A name as str; protobuf gives the bytes of one that is not UTF-8."""
    return name if isinstance(name, str) else name.decode("utf-8", "backslashreplace")


def check_weights(model, shapes, name, shared=frozenset()):
    """Raise UserError unless `model` (NetParameter) holds every layer of `shapes` (see `param_shapes`).

    `name` is the file's name for the message. Layers that the net does not have are allowed, as in Caffe. Arrays in
    `shared`, of (layer, index), may be empty.
    """
    found = {}
    for layer, blobs in weight_layers(model):
        found.setdefault(layer, []).append(blobs)
    if not found:
        raise UserError(
            f"{name}: holds no weights; expected a .caffemodel with {weight_files.listed(shapes)}, not a model "
            "of another program"
        )
    for layer, expected in shapes.items():
        if layer not in found and not all((layer, index) in shared for index in range(len(expected))):
            raise UserError(
                f"{name}: has no layer {layer!r} (it has {weight_files.listed(found, 4)}); expected the weights of "
                "this network"
            )
        for blobs in found.get(layer, ()):
            if not _fits(layer, blobs, expected, shared):
                raise UserError(
                    f"{name}: layer {layer!r} has shapes {_described(blobs)}, expected {expected}; these are weights "
                    "of another network or of other options"
                )
    for layer, blobs in weight_layers(model):
        for index, blob in enumerate(blobs):
            values = len(blob.double_data) or len(blob.data)
            if values != count(blob_shape(blob)) and not (_is_absent(blob) and (layer, index) in shared):
                raise UserError(f"{name}: layer {layer[:60]!r} is cut short; get the file again")


def _fits(layer, blobs, expected, shared):
    """Whether Caffe would copy these BlobProtos into a layer with arrays of the shapes `expected`."""
    if len(blobs) > len(expected):
        return False
    for index, shape in enumerate(expected):
        absent = index >= len(blobs) or _is_absent(blobs[index])
        if absent and (layer, index) not in shared:
            # an array of no axes looks like one that is left out, but for its value
            return False
        if not absent and not _same_shape(blobs[index], shape):
            return False
    return True


def _is_absent(blob):
    return not (blob.data or blob.double_data or blob.shape.dim or _is_old(blob))


def _described(blobs):
    shapes = [blob_shape(blob) for blob in blobs[:4]]
    return f"{str(shapes)[:200]}{' ...' if len(blobs) > 4 or len(str(shapes)) > 200 else ''}"


def _is_old(blob):
    """Whether a BlobProto has the four numbers of Caffe before 2014."""
    return any(blob.HasField(axis) for axis in ("num", "channels", "height", "width"))


def blob_shape(blob):
    """Shape of a BlobProto as a tuple; the old four-number form included. () is a single value."""
    return (blob.num, blob.channels, blob.height, blob.width) if _is_old(blob) else tuple(blob.shape.dim)


def _same_shape(blob, expected):
    """As Caffe compares: exactly, but the old form writes a bias as (1, 1, 1, n)."""
    found = blob_shape(blob)
    if _is_old(blob):
        return len(expected) <= 4 and found == (1,) * (4 - len(expected)) + tuple(expected)
    return found == tuple(expected)


def count(shape):
    """Number of values in an array of `shape`."""
    product = 1
    for n in shape:
        product *= n
    return product
