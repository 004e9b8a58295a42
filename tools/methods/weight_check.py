"""Refuse weights that are not those of the method and the factor they are given for, before anything is run."""

from tools.common.errors import UserError
from tools.nets import caffemodels, runtime, weight_files


def checked_net(method, scale, path, message=None):
    """The net (caffe.Net) of a method with weights that were made for it and for the factor.

    Parameters
    ----------
    method : Method
    scale : int
    path : Path
        The weights.
    message : NetParameter, optional
        `method.build(scale)`, where the caller has it.

    Raises
    ------
    UserError
        The weights are another network's, or another factor's.
    """
    message = message or method.build(scale)
    if weight_files.kind(path) == weight_files.MAT:
        return method.load_net(message, path)
    model, net = caffemodels.read(path), runtime.build_net(message)
    caffemodels.copy_weights(net, model, path)
    _check_spare(method, scale, path, model, message)
    strides = {layer.name: list(layer.convolution_param.stride) for layer in model.layer}
    for layer in message.layer:
        # IDN's weights have the same shapes at every scale; only this stride tells them apart
        expected = list(layer.convolution_param.stride)
        found = strides.get(layer.name)
        if layer.type == "Deconvolution" and found and found != expected:
            raise UserError(
                f"{path}: weights for x{found[0]} (stride of layer {layer.name!r}), expected x{expected[0]}; "
                f"give those of {method.name} at x{scale}"
            )
    return net


def _check_spare(method, scale, path, model, message):
    """Refuse weights that the net has no place for: a LapSRN of x4 holds all that one of x2 needs, and is none."""
    names = {layer.name for layer in message.layer}
    spare = [name for name, _ in caffemodels.weight_layers(model) if name not in names]
    if spare:
        raise UserError(
            f"{path}: has weights of {len(spare)} layers that {method.name} at x{scale} does not have "
            f"({weight_files.listed(spare)}); these are weights of another network, scale or variant"
        )
