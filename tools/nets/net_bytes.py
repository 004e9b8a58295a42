"""A net's weights as the bytes of a .caffemodel: taken from Caffe through memory, counted, written whole or not at all.

Caffe would write them in place, end the process on a full disk, and not notice when their last bytes are lost.
"""

from pathlib import Path

from google.protobuf.message import DecodeError

from prototxt.engine import caffe
from tools.common.errors import UserError
from tools.nets import caffe_files, caffemodels

FLOAT = 4
# bytes of the layers' parameters and of protobuf's marks, besides the numbers
MARGIN = 1 << 20


def save_model(net, path):
    """Write the weights of a net as Caffe does, whole or not at all; `net.save` for any name and any disk.

    Parameters
    ----------
    net : caffe.Net
    path : str or Path
        The .caffemodel.

    Raises
    ------
    OSError
        No room, or no right to write; the error names `path`, and what was there stays.
    UserError
        Caffe could not write all of it.
    """
    caffe_files.write_whole(Path(path), model_bytes(net, path))


def model_bytes(net, path="the net"):
    """The weights of `net` (caffe.Net) as the bytes of a .caffemodel; `path` names them in errors.

    Raises
    ------
    OSError
        The process may not write so large a file (`ulimit -f`).
    UserError
        Caffe could not write all of it.
    """
    try:
        content = caffe_files.written(net.save, most_bytes(net))
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    check_model(content, net, path)
    return content


def most_bytes(net):
    """Bytes (int) that the .caffemodel of `net` (caffe.Net) has at most."""
    return FLOAT * sum(blob.count for layer in net.layers for blob in layer.blobs) + MARGIN


def check_model(content, net, path):
    """The NetParameter in `content` (bytes); raises UserError unless it has all layers of `net` with all weights."""
    model = caffe.proto.caffe_pb2.NetParameter()
    wanted = [
        (name, [tuple(blob.shape) for blob in layer.blobs]) for name, layer in zip(net._layer_names, net.layers)
    ]
    if not parsed(model, content) or wanted != [
        (layer.name, [caffemodels.blob_shape(b) for b in layer.blobs if is_full(b)]) for layer in model.layer
    ]:
        raise UserError(f"{path}: Caffe wrote only {len(content):,} bytes of these weights; is the memory full?")
    return model


def parsed(message, content):
    """Whether `content` (bytes) is a whole message; fills `message`."""
    try:
        message.ParseFromString(content)
    except DecodeError:
        return False
    return True


def is_full(blob):
    """Whether a BlobProto holds as many values as its shape says."""
    return len(blob.data) == caffemodels.count(caffemodels.blob_shape(blob))
