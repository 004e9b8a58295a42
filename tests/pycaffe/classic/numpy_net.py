"""Nets of Caffe's prototxt in NumPy and float64: forward, backward and a step of Caffe's SGD.

The reference for tests, written from the papers' formulas; it knows the layer types of the nets beside this file and
no others.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


class NumpyNet:
    """One phase of a net.

    Parameters
    ----------
    layers : sequence of caffe_pb2.LayerParameter
        Of both phases.
    phase : int
        0 for TRAIN, 1 for TEST.
    params : dict of str to list of ndarray
        Weights by layer, copied.

    Attributes
    ----------
    params, gradients : dict of str to list of ndarray, float64
    blobs : dict of str to ndarray, float64
        After a forward pass: what the last layer that writes a blob has left there.
    """

    def __init__(self, layers, phase, params):
        self.layers = [layer for layer in layers if not layer.include or layer.include[0].phase == phase]
        self.training = phase == 0
        self.params = {name: [np.array(blob, float) for blob in blobs] for name, blobs in params.items()}
        self.history = {name: [np.zeros_like(blob) for blob in blobs] for name, blobs in self.params.items()}
        self.gradients, self.blobs, self._tape = {}, {}, []

    def forward(self, **inputs):
        """Compute every blob; gives the last one."""
        self.blobs, self._tape = {name: np.asarray(value, float) for name, value in inputs.items()}, []
        for layer in self.layers:
            if layer.type == "Input":
                continue
            bottoms = [self.blobs[name] for name in layer.bottom]
            top, back = LAYERS[layer.type](layer, bottoms, self.params.get(layer.name), self.training)
            self._tape.append((layer, back))
            self.blobs[layer.top[0]] = top
        return self.blobs[self.layers[-1].top[0]]

    def backward(self):
        """Gradients of the loss, the last blob: of every parameter into `gradients`, of every blob as a dict."""
        grown = {self.layers[-1].top[0]: np.ones(())}
        for layer, back in reversed(self._tape):
            bottoms, self.gradients[layer.name] = back(grown.pop(layer.top[0]))
            for name, gradient in zip(layer.bottom, bottoms):
                if gradient is not None:
                    grown[name] = grown.get(name, 0) + gradient
        return grown

    def sgd(self, rate, momentum, decay):
        """Caffe's SGD: history = momentum history + rate (gradient + decay weight); weight -= history."""
        for layer in self.layers:
            for k, gradient in enumerate(self.gradients.get(layer.name, ())):
                given = layer.param[k] if k < len(layer.param) else None
                local, weigh = (given.lr_mult, given.decay_mult) if given else (1, 1)
                weight, history = self.params[layer.name][k], self.history[layer.name][k]
                history *= momentum
                history += rate * local * (gradient + decay * weigh * weight)
                weight -= history


def convolution(layer, bottoms, params, training):
    of = layer.convolution_param
    (x,), weight = bottoms, params[0]
    (n, channels, *_), (outputs, _, kh, kw) = x.shape, weight.shape
    pad, stride, group = (of.pad or [0])[0], (of.stride or [1])[0], of.group
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = sliding_window_view(padded, (kh, kw), (2, 3))[:, :, ::stride, ::stride]
    height, width = windows.shape[2:4]
    windows = windows.reshape(n, group, channels // group, height, width, kh, kw)
    kernels = weight.reshape(group, outputs // group, channels // group, kh, kw)
    top = np.einsum("ngchwij,gocij->ngohw", windows, kernels, optimize=True).reshape(n, outputs, height, width)
    if of.bias_term:
        top = top + params[1][:, None, None]

    def back(gradient):
        split = gradient.reshape(n, group, outputs // group, height, width)
        of_weight = np.einsum("ngohw,ngchwij->gocij", split, windows, optimize=True).reshape(weight.shape)
        parts = np.einsum("ngohw,gocij->ngchwij", split, kernels, optimize=True)
        parts = parts.reshape(n, channels, height, width, kh, kw)
        of_x = np.zeros_like(padded)
        for i in range(kh):
            for j in range(kw):
                of_x[:, :, i : i + stride * height : stride, j : j + stride * width : stride] += parts[..., i, j]
        of_x = of_x[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]]
        return [of_x], [of_weight, gradient.sum((0, 2, 3))][: 1 + of.bias_term]

    return top, back


def pooling(layer, bottoms, params, training):
    of = layer.pooling_param
    (x,) = bottoms
    if of.global_pooling:  # AVE, as in the nets here
        pixels = x.shape[2] * x.shape[3]
        spread = np.ones_like(x) / pixels
        return x.mean((2, 3), keepdims=True), lambda gradient: ([gradient * spread], [])
    kernel, stride = of.kernel_size, of.stride
    sides = [-(-(side - kernel) // stride) + 1 for side in x.shape[2:]]  # rounded up: the last window is cut off
    top, places = np.empty((*x.shape[:2], *sides)), {}
    for i in range(sides[0]):
        for j in range(sides[1]):
            window = x[:, :, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
            flat = window.reshape(*x.shape[:2], -1)
            places[i, j] = flat.argmax(2)
            top[:, :, i, j] = flat.max(2)

    def back(gradient):
        of_x = np.zeros_like(x)
        images, channels = np.indices(x.shape[:2])
        for (i, j), place in places.items():
            width = min(kernel, x.shape[3] - j * stride)
            of_x[images, channels, i * stride + place // width, j * stride + place % width] += gradient[:, :, i, j]
        return [of_x], []

    return top, back


def lrn(layer, bottoms, params, training):
    of = layer.lrn_param
    (x,), half = bottoms, of.local_size // 2

    def over_channels(values):
        padded = np.pad(values, ((0, 0), (half, half), (0, 0), (0, 0)))
        return sliding_window_view(padded, of.local_size, 1).sum(-1)

    scale = of.k + of.alpha / of.local_size * over_channels(x**2)
    top = x * scale**-of.beta

    def back(gradient):
        shared = over_channels(gradient * top / scale)
        return [gradient * scale**-of.beta - 2 * of.alpha * of.beta / of.local_size * x * shared], []

    return top, back


def inner_product(layer, bottoms, params, training):
    (x,), (weight, bias) = bottoms, params
    flat = x.reshape(len(x), -1)
    return flat @ weight.T + bias, lambda g: ([(g @ weight).reshape(x.shape)], [g.T @ flat, g.sum(0)])


def relu(layer, bottoms, params, training):
    (x,) = bottoms
    return np.maximum(x, 0), lambda gradient: ([gradient * (x > 0)], [])


def batch_norm(layer, bottoms, params, training):
    of = layer.batch_norm_param
    (x,), (mean, variance, factor) = bottoms, params
    if not training:
        kept = [values[:, None, None] / factor[0] for values in (mean, variance)]
        return (x - kept[0]) / np.sqrt(kept[1] + of.eps), None
    each = x.size // x.shape[1]
    now, spread = x.mean((0, 2, 3)), x.var((0, 2, 3))
    for values, new in ((mean, now), (variance, spread * each / (each - 1)), (factor, 1)):
        values *= of.moving_average_fraction
        values += new
    deviation = np.sqrt(spread + of.eps)[:, None, None]
    top = (x - now[:, None, None]) / deviation

    def back(gradient):
        average = gradient.mean((0, 2, 3), keepdims=True)
        along = (gradient * top).mean((0, 2, 3), keepdims=True)
        return [(gradient - average - top * along) / deviation], []

    return top, back


def scale(layer, bottoms, params, training):
    (x,), (factor, shift) = bottoms, params
    top = x * factor[:, None, None] + shift[:, None, None]
    return top, lambda g: ([g * factor[:, None, None]], [(g * x).sum((0, 2, 3)), g.sum((0, 2, 3))])


def eltwise(layer, bottoms, params, training):
    return sum(bottoms), lambda gradient: ([gradient] * len(bottoms), [])


def softmax(layer, bottoms, params, training):
    grown = np.exp(bottoms[0] - bottoms[0].max(1, keepdims=True))
    return grown / grown.sum(1, keepdims=True), None


def softmax_with_loss(layer, bottoms, params, training):
    shares, _ = softmax(layer, bottoms, params, training)
    images, labels = np.arange(len(shares)), bottoms[1].astype(int)

    def back(gradient):
        of_x = shares.copy()
        of_x[images, labels] -= 1
        return [gradient * of_x / len(shares), None], []

    return -np.log(shares[images, labels]).mean(), back


LAYERS = {
    "BatchNorm": batch_norm,
    "Convolution": convolution,
    "Eltwise": eltwise,
    "InnerProduct": inner_product,
    "LRN": lrn,
    "Pooling": pooling,
    "ReLU": relu,
    "Scale": scale,
    "Softmax": softmax,
    "SoftmaxWithLoss": softmax_with_loss,
}
