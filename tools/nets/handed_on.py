"""Weights as they are handed on: without the places on this machine that Caffe keeps in them.

A .caffemodel holds the whole train net, and its data layers name the databases by their absolute paths. Whoever gets
the weights has no use for those, and the same training in two folders would give two files.
"""

from google.protobuf.message import Message

from prototxt.engine import caffe

PLACES = ("source", "root_folder", "mean_file", "file_name")


def without_places(content):
    """A .caffemodel without its paths.

    Parameters
    ----------
    content : bytes
        As Caffe wrote it.

    Returns
    -------
    bytes
        The same net with the same weights, bit by bit; `content` itself when it names no place.
    """
    message = caffe.proto.caffe_pb2.NetParameter()
    message.ParseFromString(content)
    named = [(settings, field) for layer in message.layer for settings, field in _places(layer)]
    for settings, field in named:
        settings.ClearField(field)
    return message.SerializeToString() if named else content


def _places(layer):
    """The paths that a layer (LayerParameter) names: pairs of the message and the field's name."""
    for _, settings in layer.ListFields():
        if isinstance(settings, Message):  # such as hdf5_data_param
            known = settings.DESCRIPTOR.fields_by_name
            yield from ((settings, field) for field in PLACES if field in known and settings.HasField(field))
