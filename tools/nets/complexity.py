"""Count the parameters and multiply-accumulates of a net that Caffe built; read foreign prototxt files."""

from tools.common.errors import UserError
from tools.nets import runtime

LEARNT = ("Convolution", "Deconvolution", "PReLU", "InnerProduct")


def count(message):
    """Count one net.

    Parameters
    ----------
    message : NetParameter
        A deploy net whose first input has four axes.

    Returns
    -------
    dict
        parameters (convolutions, transposed convolutions, InnerProducts, PReLUs), scale_parameters (Scale layers: what
        BatchNorm nets learn besides), macs (of a pixel of the first input), layers (those with multiply-accumulates);
        where other layers have parameters too, other_parameters: {type: number}, whose work is not counted.

    Raises
    ------
    UserError
        A convolution of other than two axes.
    """
    net = runtime.build_net(message)
    kinds = {layer.name: layer.type for layer in message.layer}
    seen, sums, others = set(), {"Scale": 0, "learnt": 0}, {}
    for name, blobs in net.params.items():
        kind = "learnt" if kinds[name] in LEARNT else kinds[name]
        for blob in blobs:
            address = blob.data.__array_interface__["data"][0]
            if address not in seen:
                seen.add(address)
                where = sums if kind in sums else others
                where[kind] = where.get(kind, 0) + blob.count
    work = [_MACS[layer.type](net, layer) for layer in message.layer if layer.type in _MACS]
    batch, _, height, width = net.blobs[net.inputs[0]].shape
    counted = {
        "parameters": sums["learnt"],
        "scale_parameters": sums["Scale"],
        "macs": sum(work) / (height * width * batch),
        "layers": len(work),
    }
    others.pop("BatchNorm", None)  # statistics, not learnt
    return {**counted, "other_parameters": others} if others else counted


def _convolution(net, layer):
    """Multiply-accumulates of a (transposed) convolution at the net's present size."""
    weights = net.params[layer.name][0]
    side = layer.top if layer.type == "Convolution" else layer.bottom
    shapes = [list(net.blobs[name].shape) for name in side]
    if any(len(shape) != 4 for shape in shapes):
        raise UserError(f"layer {layer.name!r}: works on {len(shapes[0])} axes, expected images (four axes)")
    # the weights' size is what one pixel costs
    return sum(weights.count * batch * height * width for batch, _, height, width in shapes)


def _inner_product(net, layer):
    return net.params[layer.name][0].count * net.blobs[layer.top[0]].count // layer.inner_product_param.num_output


_MACS = {"Convolution": _convolution, "Deconvolution": _convolution, "InnerProduct": _inner_product}
