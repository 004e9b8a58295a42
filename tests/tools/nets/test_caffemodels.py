"""Weight files are checked before a net takes them: Caffe itself would end the process."""

import numpy as np
import pytest

from prototxt.engine import caffe
from prototxt.idn import idn
from tools.common.errors import UserError
from tools.nets import caffemodels, runtime


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    """A .caffemodel of IDN with random weights."""
    path = tmp_path_factory.mktemp("model") / "own.caffemodel"
    caffe.set_random_seed(5)
    runtime.build_net(idn(2)).save(str(path))
    return path


def test_weights_arrive_unchanged(model_file):
    net = runtime.build_net(idn(4), model_file)
    saved = {layer.name: layer.blobs for layer in caffemodels.read(model_file).layer if layer.blobs}
    assert len(saved) == 31
    for name, blobs in net.params.items():
        for blob, stored in zip(blobs, saved[name]):
            np.testing.assert_array_equal(blob.data.ravel(), np.float32(stored.data))


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99999])
def test_a_file_cut_anywhere_is_refused(model_file, tmp_path, kept):
    cut = tmp_path / "cut.caffemodel"
    content = model_file.read_bytes()
    cut.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(UserError, match="cut"):
        runtime.build_net(idn(2), cut)


def refused(model, tmp_path, text):
    path = tmp_path / "changed.caffemodel"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(UserError, match=text):
        runtime.build_net(idn(2), path)


def test_a_model_that_lacks_a_layer(model_file, tmp_path):
    model = caffemodels.read(model_file)
    kept = [layer for layer in model.layer if layer.name != "down3"]
    del model.layer[:]
    model.layer.extend(kept)
    refused(model, tmp_path, r"has no layer 'down3' \(it has conv1, conv2, ")


def test_a_model_with_missing_numbers(model_file, tmp_path):
    model = caffemodels.read(model_file)
    layer = next(one for one in model.layer if one.name == "upsample")
    del layer.blobs[0].data[-5:]
    refused(model, tmp_path, "layer 'upsample' is cut short")


def test_a_model_without_weights(tmp_path):
    refused(caffe.proto.caffe_pb2.NetParameter(name="empty"), tmp_path, "holds no weights")


def test_biases_in_the_old_four_number_form_are_read(model_file, tmp_path):
    """Caffe before 2014 wrote num, channels, height, width; a bias is (1, 1, 1, n) there."""
    model = caffemodels.read(model_file)
    for layer in model.layer:
        for blob in layer.blobs:
            dims = [1] * (4 - len(blob.shape.dim)) + list(blob.shape.dim)
            blob.ClearField("shape")
            blob.num, blob.channels, blob.height, blob.width = dims
    path = tmp_path / "old.caffemodel"
    path.write_bytes(model.SerializeToString())
    a, b = (runtime.build_net(idn(2), p) for p in (path, model_file))
    for name in a.params:
        np.testing.assert_array_equal(a.params[name][1].data, b.params[name][1].data)
