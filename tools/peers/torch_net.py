"""Caffe's nets in PyTorch, for comparison: the same layers in the same order, with the weights of a caffe.Net."""

import torch
from torch.nn import functional as F


class TorchNet(torch.nn.Module):
    """A generated net, executed layer by layer.

    Parameters
    ----------
    message : NetParameter
        Input layers, Convolution, Deconvolution, ReLU, Slice, Concat, Crop, Eltwise (sums), Split, Reduction (ASUM).
    net : caffe.Net
        The same net, for its weights.

    Attributes
    ----------
    rates : list of (torch.nn.Parameter, float)
        Every array with its lr_mult.
    """

    def __init__(self, message, net):
        super().__init__()
        self.layers = [layer for layer in message.layer if layer.type != "Input"]
        unknown = {layer.type for layer in self.layers} - set(OPERATIONS)
        if unknown:
            raise ValueError(f"{message.name}: layers that are not translated to PyTorch: {', '.join(sorted(unknown))}")
        self.arrays = {
            name: [torch.nn.Parameter(torch.tensor(blob.data)) for blob in blobs] for name, blobs in net.params.items()
        }
        self.all = torch.nn.ParameterList(array for arrays in self.arrays.values() for array in arrays)
        specs = {layer.name: layer.param for layer in self.layers}
        self.rates = [
            (array, specs[name][index].lr_mult if index < len(specs[name]) else 1.0)
            for name, arrays in self.arrays.items()
            for index, array in enumerate(arrays)
        ]

    def channels_last(self):
        """Keep the filters in PyTorch's other layout; inputs must be brought into it by the caller."""
        for array in self.all:
            if array.ndim == 4:
                array.data = array.data.contiguous(memory_format=torch.channels_last)
        return self

    def forward(self, inputs, output):
        """Run the net on `inputs` (dict of blob to tensor); gives blob `output`."""
        blobs = dict(inputs)
        for layer in self.layers:
            bottoms = [blobs[name] for name in layer.bottom]
            tops = OPERATIONS[layer.type](layer, bottoms, self.arrays.get(layer.name, ()))
            blobs.update(zip(layer.top, tops))
        return blobs[output]


def _first(repeated, default):
    return repeated[0] if len(repeated) else default


def _convolution(layer, bottoms, arrays):
    p = layer.convolution_param
    weights, bias = arrays[0], arrays[1] if len(arrays) > 1 else None
    stride, pad, dilation = _first(p.stride, 1), _first(p.pad, 0), _first(p.dilation, 1)
    if layer.type == "Convolution":
        return [F.conv2d(bottoms[0], weights, bias, stride, pad, dilation, p.group)]
    return [F.conv_transpose2d(bottoms[0], weights, bias, stride, pad, 0, p.group, dilation)]


def _relu(layer, bottoms, _):
    slope = layer.relu_param.negative_slope
    return [F.leaky_relu(bottoms[0], slope, inplace=True) if slope else F.relu(bottoms[0], inplace=True)]


def _slice(layer, bottoms, _):
    points = list(layer.slice_param.slice_point)
    whole = bottoms[0].shape[layer.slice_param.axis]
    sizes = [end - start for start, end in zip([0, *points], [*points, whole])]
    return torch.split(bottoms[0], sizes, layer.slice_param.axis)


def _concat(layer, bottoms, _):
    return [torch.cat(bottoms, layer.concat_param.axis)]


def _crop(layer, bottoms, _):
    param, result = layer.crop_param, bottoms[0]
    for index, axis in enumerate(range(param.axis % result.ndim, result.ndim)):
        offset = param.offset[min(index, len(param.offset) - 1)] if len(param.offset) else 0
        result = result.narrow(axis, offset, bottoms[1].shape[axis])
    return [result]


def _sum(layer, bottoms, _):
    factors = list(layer.eltwise_param.coeff) or [1.0] * len(bottoms)
    result = bottoms[0] if factors[0] == 1 else factors[0] * bottoms[0]
    for factor, bottom in zip(factors[1:], bottoms[1:]):
        result = torch.add(result, bottom, alpha=factor)
    return [result]


def _reduction(layer, bottoms, _):
    return [layer.reduction_param.coeff * bottoms[0].abs().sum()]


OPERATIONS = {
    "Convolution": _convolution,
    "Deconvolution": _convolution,
    "ReLU": _relu,
    "Slice": _slice,
    "Concat": _concat,
    "Crop": _crop,
    "Eltwise": _sum,
    "Reduction": _reduction,
    "Split": lambda layer, bottoms, _: [bottoms[0]] * len(layer.top),
}
