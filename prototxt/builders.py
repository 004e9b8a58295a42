"""Building blocks that the generators of all networks share: data layers, convolutions, losses, stages.

Every builder takes the NetSpec `n`, the layer's name and its bottom, adds layers under explicit names
(weights load by name) and gives the last top.
"""

from prototxt.engine import caffe
from prototxt.engine import layers as L
from prototxt.engine import params as P

# the IDN release's; its validation sets of 534, 462 and 252 pairs are whole batches of it
TEST_BATCH = 2
MSRA = dict(type="msra")  # He et al., fan-in, Caffe's default
ZERO = dict(type="constant", value=0)


def gaussian(std):
    """Filler: zero-mean normal values with standard deviation `std`."""
    return dict(type="gaussian", std=std)


def conv(n, name, bottom, nout, kernel=3, *, pad=None, filler=MSRA, lr=(1, 0.1), shared=None, bias=True):
    """Convolution with stride 1, by default with the padding that keeps the size.

    Parameters
    ----------
    n : NetSpec
    name : str
        Layer and top.
    bottom : Top
    nout, kernel : int
    pad : int, optional
        Default: kernel // 2.
    filler : dict
        Weight filler; biases start at 0.
    lr : (float, float)
        lr_mult of weights and bias.
    shared : (str, str), optional
        Param names of weights and bias; layers with the same names share one array.
    bias : bool

    Returns
    -------
    Top
    """
    fillers = dict(weight_filler=filler, bias_filler=ZERO) if bias else dict(weight_filler=filler)
    n[name] = L.Convolution(
        bottom,
        num_output=nout,
        kernel_size=kernel,
        pad=kernel // 2 if pad is None else pad,
        bias_term=bias,
        param=params(lr[: 1 + bias], shared),
        **fillers,
    )
    return n[name]


def params(lr, names=None):
    """`param` entries: one lr_mult an array, with names where arrays are shared."""
    if names is None:
        return [dict(lr_mult=rate) for rate in lr]
    return [dict(name=name, lr_mult=rate) for name, rate in zip(names, lr)]


def deconv(n, name, bottom, nout, kernel, stride, pad, *, filler=MSRA, lr=(1, 0.1), bias=True):
    """Transposed convolution: side n becomes stride (n - 1) + kernel - 2 pad; parameters as `conv` has them."""
    fillers = dict(weight_filler=filler, bias_filler=ZERO) if bias else dict(weight_filler=filler)
    n[name] = L.Deconvolution(
        bottom,
        param=params(lr[: 1 + bias]),
        convolution_param=dict(
            num_output=nout, kernel_size=kernel, stride=stride, pad=pad, bias_term=bias, **fillers
        ),
    )
    return n[name]


def relu(n, name, bottom, slope=0.0):
    """ReLU in place; `slope` of the negative half."""
    options = dict(negative_slope=slope) if slope else {}
    n[name] = L.ReLU(bottom, in_place=True, **options)
    return n[name]


def bn_relu(n, suffix, bottom, relu_name):
    """BatchNorm, Scale and ReLU before a convolution (pre-activation): bn_`suffix`, scale_`suffix`.

    BatchNorm's three arrays (mean, variance, their weight) are statistics: lr_mult 0. use_global_stats is left
    unset, which in Caffe means batch statistics in TRAIN and stored ones in TEST: one layer stands for the two,
    one a phase, of some released files.
    """
    name = f"bn_{suffix}"
    n[name] = L.BatchNorm(bottom, param=[dict(lr_mult=0)] * 3)
    n[f"scale_{suffix}"] = L.Scale(n[name], in_place=True, scale_param=dict(bias_term=True))
    return relu(n, relu_name, n[f"scale_{suffix}"])


def add(n, name, *bottoms):
    """Element-wise sum of the bottoms."""
    n[name] = L.Eltwise(*bottoms, operation=P.Eltwise.SUM)
    return n[name]


def deploy_input(n, shape):
    """The input blob `data` (1, 1, H, W); a deployed net is reshaped for each image."""
    n.data = L.Input(shape=dict(dim=[1, 1, *shape]))
    return n.data


def hdf5(n, source, batch, phase=None, tops=("data", "label"), shuffle=False):
    """HDF5Data of one phase (default TRAIN), named after its first top; `source` lists the HDF5 files."""
    phase = caffe.TRAIN if phase is None else phase
    made = L.HDF5Data(ntop=len(tops), source=source, batch_size=batch, shuffle=shuffle, include=dict(phase=phase))
    for name, top in zip(tops, made):
        n[name] = top
    return made


def with_test_data(net, source, tops=("data", "label"), batch=TEST_BATCH, shuffle=False):
    """Insert the HDF5Data layer of the TEST phase after the TRAIN one, the net's first layer; gives `net`.

    Both have the same name and tops, which one NetSpec cannot hold, so it is made on its own.
    """
    n = caffe.NetSpec()
    hdf5(n, source, batch, caffe.TEST, tops, shuffle)
    net.layer.insert(1, n.to_proto().layer[0])
    return net


def euclidean(n, name, prediction, label, weight=None):
    """EuclideanLoss: the sum of squared differences over twice the batch size."""
    n[name] = L.EuclideanLoss(prediction, label, **({} if weight is None else dict(loss_weight=weight)))
    return n[name]


def difference(n, name, prediction, label):
    """`prediction` minus `label`, element by element."""
    n[name] = L.Eltwise(prediction, label, operation=P.Eltwise.SUM, coeff=[1, -1])
    return n[name]


def charbonnier(n, name, prediction, label, batch, eps=1e-3):
    """Sum of sqrt(d^2 + eps^2) over the batch size, d the difference, from stock layers.

    Power layers compute (shift + scale x)^power. The two are separate because d may be negative.
    """
    d = difference(n, f"{name}_difference", prediction, label)
    n[f"{name}_square"] = L.Power(d, power=2)
    n[f"{name}_root"] = L.Power(n[f"{name}_square"], power=0.5, shift=eps**2)
    n[name] = L.Reduction(n[f"{name}_root"], operation=P.Reduction.SUM, coeff=1 / batch, loss_weight=1)
    return n[name]


def mean_over_batch(phase, size):
    """Reduction of `difference` to the sum of absolute values over the batch size; that size is the phase's."""
    n = caffe.NetSpec()
    n.difference = L.Input()
    n.loss = L.Reduction(
        n.difference, operation=P.Reduction.ASUM, coeff=1 / size, loss_weight=1, include=dict(phase=phase)
    )
    return n.to_proto().layer[1]
