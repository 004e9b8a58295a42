"""The receptive field derived from a prototxt, against NaNs sent through the net on Caffe itself.

A NaN in one input pixel makes NaN of every output pixel that reads it (0 times NaN is NaN, a sum with NaN is NaN),
so the region that turns NaN is the truth that the derivation has to meet.
"""

from fractions import Fraction

import numpy as np
import pytest
from google.protobuf import text_format

from prototxt.engine import caffe
from prototxt.errors import NetError
from prototxt.idn import idn
from prototxt.receptive import Field, receptive_field
from prototxt.registry import NETWORKS
from tools.nets import runtime

NETS = {
    "idn_x2": (idn(2), "upsample"),
    "idn_x3": (idn(3), "upsample"),
    "idn_x4": (idn(4), "upsample"),
    "idn_x3_one_block": (idn(3, blocks=1), "upsample"),
    "srcnn": (NETWORKS["srcnn"].net(variant="955"), "conv3"),
    "fsrcnn_x3": (NETWORKS["fsrcnn"].net(scale=3), "conv8"),
    "espcn_x3": (NETWORKS["espcn"].net(scale=3), "shuffle"),
    "lapsrn_x4": (NETWORKS["lapsrn"].net(scale=4), "level1_output"),
    "vdsr": (NETWORKS["vdsr"].net(), "sum"),
}


def turned_nan(net, output, length, at):
    """Columns of `output` that a NaN in input column `at` of one row of pixels reaches."""
    net.blobs["data"].reshape(1, 1, 1, length)
    net.blobs["data"].data[...] = 0.5
    net.blobs["data"].data[0, 0, 0, at] = np.nan
    net.forward()
    return np.flatnonzero(np.isnan(net.blobs[output].data[0, 0]).any(axis=0))


@pytest.mark.parametrize("name", NETS)
def test_derived_field_is_the_one_that_nans_reach(name):
    message, output = NETS[name]
    rows, columns = receptive_field(message, output)
    assert rows == columns
    net = runtime.build_net(message)
    length = 2 * columns.radius + 9
    for at in (0, length // 2, length // 2 + 1, length - 1):
        reached = turned_nan(net, output, length, at)
        total = net.blobs[output].data.shape[3]
        expected = [y for y in range(total) if columns.inputs(y)[0] <= at <= columns.inputs(y)[1]]
        assert reached.tolist() == expected and 0 < len(expected) < total


def test_the_field_of_idn_by_hand():
    """Two convolutions, six in each of four units: 26 pixels; the transposed one reads 8 / m further."""
    for scale in (2, 3, 4):
        field = receptive_field(idn(scale), "upsample")[0]
        assert field == Field(Fraction(1, scale), -26 - Fraction(8, scale), 26 + Fraction(8, scale))
    assert receptive_field(idn(3), "conv1")[0] == Field(Fraction(1), Fraction(-1), Fraction(1))
    assert receptive_field(idn(3), "down4")[1].radius == 26


@pytest.mark.parametrize("field", [receptive_field(*NETS[name])[0] for name in ("idn_x3", "lapsrn_x4", "espcn_x3")])
def test_start_and_stop_are_the_outermost_whole_pixels(field):
    for pixel in range(40, 60):
        start, stop = field.start(pixel), field.stop(pixel)
        assert field.inputs(start)[0] >= pixel > field.inputs(start - 1)[0]
        assert field.inputs(stop - 1)[1] < pixel <= field.inputs(stop)[1]


def parsed(text):
    return text_format.Parse(text, caffe.proto.caffe_pb2.NetParameter())


DATA = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 1, 40, 40] } } } '


def test_strides_pooling_dilation_and_unequal_axes():
    net = parsed(
        DATA + 'layer { name: "a" type: "Convolution" bottom: "data" top: "a" convolution_param { num_output: 1 '
        'kernel_h: 5 kernel_w: 3 stride: 2 pad_h: 1 pad_w: 0 dilation: 2 } } '
        'layer { name: "b" type: "Pooling" bottom: "a" top: "b" pooling_param { pool: AVE kernel_size: 2 stride: 2 } }'
    )
    rows, columns = receptive_field(net, "b")
    # rows: pooling reads 2y, 2y + 1; the convolution 2y - 1 .. 2y + 7, so 4y - 1 .. 4y + 9
    assert (rows.step, rows.first, rows.last) == (4, -1, 9)
    assert (columns.step, columns.first, columns.last) == (4, 0, 6)


@pytest.mark.parametrize(
    ("text", "output", "message"),
    [
        ("", "sum", "the net has no blob 'sum'; it has data"),
        ('layer { name: "i" type: "InnerProduct" bottom: "data" top: "i" }', "i", "'i' is of type InnerProduct"),
        ('layer { name: "o" type: "Input" top: "o" }', "o", "'o' does not depend on 'data'"),
        (
            'layer { name: "f" type: "Reshape" bottom: "data" top: "f" reshape_param { shape { dim: [1, -1] } } }',
            "f",
            "'f' reshapes in a way that is not known",
        ),
        (
            'layer { name: "p" type: "Pooling" bottom: "data" top: "p" pooling_param { kernel_size: 2 stride: 2 } } '
            'layer { name: "c" type: "Concat" bottom: "data" bottom: "p" top: "c" }',
            "c",
            "'c' have different scales",
        ),
        (
            'layer { name: "c" type: "Concat" bottom: "data" bottom: "data" top: "c" concat_param { axis: 3 } }',
            "c",
            "'c' lays images beside each other",
        ),
    ],
)
def test_what_cannot_be_told_is_refused(text, output, message):
    with pytest.raises(NetError, match=message):
        receptive_field(parsed(DATA + text), output)
