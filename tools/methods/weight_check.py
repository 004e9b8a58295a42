"""Refuse weights that are not those of the method and the factor they are given for, before anything is run."""

from tools.common.errors import UserError
from tools.nets import runtime, weight_files


def check_weights(method, scale, path):
    """Raise UserError unless `path` holds weights of `method` (Method) that were made for `scale`."""
    method.load(scale, path)
    if weight_files.kind(path) == weight_files.MAT:
        return
    model, net = runtime.read_caffemodel(path), method.build(scale)
    _check_spare(method, scale, path, model, net)
    strides = {layer.name: list(layer.convolution_param.stride) for layer in model.layer}
    for layer in net.layer:
        # IDN's weights have the same shapes at every scale; only this stride tells them apart
        expected = list(layer.convolution_param.stride)
        found = strides.get(layer.name)
        if layer.type == "Deconvolution" and found and found != expected:
            raise UserError(
                f"{path}: weights for x{found[0]} (stride of layer {layer.name!r}), expected x{expected[0]}; "
                f"give those of {method.name} at x{scale}"
            )


def _check_spare(method, scale, path, model, net):
    """Refuse weights that the net has no place for: a LapSRN of x4 holds all that one of x2 needs, and is none."""
    names = {layer.name for layer in net.layer}
    spare = [name for name, _ in runtime.weight_layers(model) if name not in names]
    if spare:
        raise UserError(
            f"{path}: has weights of {len(spare)} layers that {method.name} at x{scale} does not have "
            f"({weight_files.listed(spare)}); these are weights of another network, scale or variant"
        )
