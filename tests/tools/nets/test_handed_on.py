"""Weights that are handed on name no place on this machine, and are the same weights to the bit."""

import numpy as np
import pytest

from data_prep import weights
from prototxt.engine import caffe
from tools.nets import handed_on

PLACE = "/home/somebody/hdf5/train.txt"


def message(content=b""):
    found = caffe.proto.caffe_pb2.NetParameter()
    found.ParseFromString(content)
    return found


@pytest.fixture
def written():
    """A net as Caffe writes it (bytes), with a layer that reads from each kind of place, and with odd weights."""
    net = message()
    net.name = "IDN"
    data = net.layer.add(name="data", type="HDF5Data", top=["data", "label"])
    data.hdf5_data_param.source, data.hdf5_data_param.batch_size = PLACE, 64
    lmdb = net.layer.add(name="more", type="Data")
    lmdb.data_param.source, lmdb.transform_param.mean_file = PLACE, PLACE
    images = net.layer.add(name="images", type="ImageData")
    images.image_data_param.source = images.image_data_param.root_folder = PLACE
    net.layer.add(name="out", type="HDF5Output").hdf5_output_param.file_name = PLACE
    conv = net.layer.add(name="conv", type="Convolution")
    conv.convolution_param.num_output = 5
    blob = conv.blobs.add()
    blob.shape.dim.extend([5])
    # numbers that a conversion on the way would change
    bits = np.array([0x00000001, 0x80000000, 0x7F7FFFFF, 0x3F9D70A4, 0xB3FFFFFF], np.uint32)
    blob.data.extend(bits.view(np.float32).tolist())
    return net.SerializeToString()


def test_no_place_is_left_and_all_else_is(written):
    content = handed_on.without_places(written)
    assert PLACE.encode() in written and PLACE.encode() not in content
    expected = message(written)
    expected.layer[0].hdf5_data_param.ClearField("source")
    expected.layer[1].data_param.ClearField("source")
    expected.layer[1].transform_param.ClearField("mean_file")
    expected.layer[2].image_data_param.ClearField("source")
    expected.layer[2].image_data_param.ClearField("root_folder")
    expected.layer[3].hdf5_output_param.ClearField("file_name")
    assert message(content) == expected and message(content).layer[0].hdf5_data_param.batch_size == 64


def test_the_weights_keep_their_bits(written):
    blobs = [message(content).layer[4].blobs[0] for content in (written, handed_on.without_places(written))]
    before, after = (np.array(blob.data, np.float32).view(np.uint32) for blob in blobs)
    assert before.tolist() == after.tolist() == [0x00000001, 0x80000000, 0x7F7FFFFF, 0x3F9D70A4, 0xB3FFFFFF]


def test_one_without_places_stays_as_it_is(written):
    once = handed_on.without_places(written)
    assert handed_on.without_places(once) == once and handed_on.without_places(b"") == b""


def test_the_models_of_this_repository_name_no_place():
    found = sorted(weights.OURS.rglob("*.caffemodel"))
    assert found
    for path in found:
        content = path.read_bytes()
        assert handed_on.without_places(content) == content, path.name
