"""Memory that a forward of a Caffe net takes, derived from its blobs before anything is run."""

from tools.common import build
from tools.nets import deploying

FLOAT = 4  # bytes
SHARING = ("Split", "Reshape", "Flatten")  # their tops are their bottom's memory
# copies of its bottom that a layer keeps: BatchNorm its result and the variance, the others what they overwrite. Our
# own BatchNorm keeps nothing, and our own Scale nothing where the net shares memory.
KEPT = {"BatchNorm": 2, "Scale": 1, "PReLU": 1}
KEPT_ONEDNN, KEPT_SHARED = {"Scale": 1, "PReLU": 1}, {"PReLU": 1}
SIDE = 64
# what oneDNN takes, its reordered copies included: at most so many times the blobs, and so much besides (measured)
ONEDNN_SHARE, ONEDNN_BYTES = 2.0, 64 << 20
# of blobs that share memory: so many times the input and output of a layer of oneDNN for its copies of them (measured)
ONEDNN_COPIES = 2.25


def forward_bytes(net, message, onednn=None):
    """Memory of a forward of Caffe on the CPU: a share for each pixel of the input, and a constant.

    Every blob stays until the next image, unless they share memory (deploying.py). Stock convolutions also keep the
    matrix that they multiply by (the columns of im2col): kernel^2 x maps in x pixels; of oneDNN's only the transposed
    ones do, while they run. A layer that splits or reshapes takes nothing.

    Parameters
    ----------
    net : caffe.Net
        With an input blob `data`; it is reshaped, nothing is run.
    message : NetParameter
        What it was built from.
    onednn : bool, optional
        Whether oneDNN computes the layers; default: as this process has it.

    Returns
    -------
    (float, int)
        Bytes a pixel, and bytes besides; of the net's weights nothing.
    """
    net.blobs["data"].reshape(1, 1, SIDE, SIDE)
    net.reshape()
    convolutions = [layer for layer in message.layer if layer.type in ("Convolution", "Deconvolution")]
    onednn = build.cpu_engine() == "onednn" if onednn is None else onednn
    shared = deploying.shared_bytes(net)
    keeping = KEPT if not onednn else KEPT_ONEDNN if shared is None else KEPT_SHARED
    kept = sum(
        keeping[layer.type] * net.blobs[layer.bottom[0]].count for layer in message.layer if layer.type in keeping
    )
    if shared is not None and onednn:
        values = shared // FLOAT + kept + _scratch(net, convolutions)
        return FLOAT * values / SIDE**2, ONEDNN_BYTES
    columns = sum(_columns(net, layer) for layer in convolutions)
    if shared is not None:
        return FLOAT * (shared // FLOAT + kept + columns) / SIDE**2, 0
    kinds = {name: layer.type for name, layer in zip(net._layer_names, net.layers)}
    renamed = {top for name, kind in kinds.items() if kind in SHARING for top in net.top_names[name]}
    values = kept + sum(blob.count for name, blob in net.blobs.items() if name not in renamed)
    if onednn:
        return ONEDNN_SHARE * FLOAT * values / SIDE**2, ONEDNN_BYTES
    return FLOAT * (values + columns) / SIDE**2, 0


def _scratch(net, convolutions):
    """Values that the fast layers take besides the blobs: working memory for the largest, a row of ones in each.

    The ones are upstream's, for its biases: a value for each pixel of an output.
    """
    ends = [(net.blobs[layer.bottom[0]].count, net.blobs[layer.top[0]].count) for layer in convolutions]
    ones = sum(count // net.blobs[layer.top[0]].channels for layer, (_, count) in zip(convolutions, ends))
    copying = [(layer, *end) for layer, end in zip(convolutions, ends) if not _needs_no_copies(net, layer)]
    columns = [_columns(net, layer) for layer, *_ in copying if layer.type == "Deconvolution"]
    copies = max((bottom for _, bottom, _ in copying), default=0) + max((top for *_, top in copying), default=0)
    return ONEDNN_COPIES * copies + max(columns, default=0) + ones


def _needs_no_copies(net, layer):
    from caffe_build import cpu_engine  # loads Caffe

    p = layer.convolution_param
    kernel = tuple(net.params[layer.name][0].shape)[2:]
    stride = _both(p.stride, p.stride_h, p.stride_w, 1)
    pad, dilation = _both(p.pad, p.pad_h, p.pad_w, 0), _both(p.dilation, 0, 0, 1)
    channels = net.blobs[layer.bottom[0]].channels, net.blobs[layer.top[0]].channels
    transposed = layer.type == "Deconvolution"
    return cpu_engine.needs_no_copies(p.group, *channels, kernel, stride, pad, dilation, transposed)


def _both(values, vertical, horizontal, default):
    """An option of a convolution for both axes, (int, int), from the forms that Caffe knows."""
    if vertical or horizontal:
        return vertical, horizontal
    values = list(values) or [default]
    return values[0], values[-1]


def _columns(net, layer):
    """Values of a layer's column buffer; a 1x1 convolution needs none."""
    weights = net.params[layer.name][0].shape
    kernel = weights[2] * weights[3]
    if layer.type == "Convolution" and kernel == 1:
        return 0
    # a transposed convolution makes the columns of its output, at the places of its input
    side = layer.top[0] if layer.type == "Convolution" else layer.bottom[0]
    maps = net.blobs[layer.bottom[0]].channels if layer.type == "Convolution" else layer.convolution_param.num_output
    height, width = net.blobs[side].shape[2:]
    return maps * kernel * height * width
