"""Caffe's deploy nets as ONNX models: each layer becomes the operator of the same meaning, for any image size.

What a layer type needs is one function in LAYERS. Blobs keep their names; where layers work in place, the last
one has the blob's name and the earlier ones a name with the layer's added. Batch, height and width stay free.
"""

import numpy as np

from tools.common.errors import UserError

OPSET = 17
_LARGEST = np.iinfo(np.int64).max


def onnx_module():
    """The `onnx` package; UserError says how to get it."""
    try:
        import onnx  # optional
    except ImportError:
        raise UserError("onnx is not installed, expected for ONNX models; run: .venv/bin/pip install onnx") from None
    return onnx


def model(message, net, output):
    """ONNX model of a deploy net.

    Parameters
    ----------
    message : NetParameter
        A deploy net with one Input layer of four axes.
    net : caffe.Net
        The same net with its weights, for the arrays and the numbers of channels.
    output : str
        The blob that the model gives.

    Returns
    -------
    onnx.ModelProto
        float32; axes 0, 2 and 3 of the input are free.

    Raises
    ------
    UserError
        A layer or an option that has no translation here, `onnx` missing.
    """
    graph = _Graph(message, net)
    for layer in message.layer:
        graph.add(layer)
    if output not in graph.current:
        raise UserError(f"{graph.name}: has no blob {output!r}, expected one of {', '.join(graph.current)}")
    return graph.model(output)


class _Graph:
    """The nodes and arrays that have been translated so far."""

    def __init__(self, message, net):
        self.onnx = onnx_module()
        self.name = message.name or "net"
        self.net = net
        self.nodes, self.arrays, self.inputs = [], [], []
        self.current = {}  # blob: the ONNX value that holds it after the layers so far
        self.last = {top: layer.name for layer in message.layer for top in layer.top}

    def add(self, layer):
        if layer.type not in LAYERS:
            raise UserError(
                f"layer {layer.name!r}: type {layer.type} has no translation to ONNX; known: {', '.join(LAYERS)}"
            )
        sources = [self.current[bottom] for bottom in layer.bottom]
        tops = [top if self.last[top] == layer.name else f"{top}/{layer.name}" for top in layer.top]
        LAYERS[layer.type](self, layer, sources, tops)
        self.current.update(zip(layer.top, tops))

    def node(self, kind, sources, tops, **attributes):
        """Add one operator; gives its first output."""
        name = f"{tops[0]}/{kind}"
        self.nodes.append(self.onnx.helper.make_node(kind, sources, tops, name=name, **attributes))
        return tops[0]

    def array(self, name, values, dtype=np.float32):
        """Add a constant; gives its name."""
        self.arrays.append(self.onnx.numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def axes(self, blob):
        """Number of axes (int) of a blob; asking for its data would allocate it."""
        return len(self.net.blobs[blob].shape)

    def params(self, layer):
        return [blob.data for blob in self.net.params[layer.name]] if layer.name in self.net.params else []

    def model(self, output):
        helper, kind = self.onnx.helper, self.onnx.TensorProto.FLOAT
        axes = [f"{output}_{axis}" for axis in range(self.axes(output))]
        result = helper.make_tensor_value_info(output, kind, axes)
        # what the output does not need is left out: MemNet's intermediate results, LapSRN's lower levels
        nodes = _needed(self.nodes, self.current[output])
        used = {name for node in nodes for name in node.input}
        arrays = [array for array in self.arrays if array.name in used]
        graph = helper.make_graph(nodes, self.name, self.inputs, [result], arrays)
        graph.output[0].name = self.current[output]
        # IR version 8 is what goes with this opset: newer ones are refused by older runtimes
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        try:
            self.onnx.checker.check_model(made)
        except (self.onnx.checker.ValidationError, ValueError) as error:  # ValueError: more than protobuf takes
            said = " ".join(str(error).split())[:240]
            raise UserError(f"{self.name}: makes no model that ONNX takes ({said})") from None
        return made


def _needed(nodes, output):
    """Those of `nodes`, in order, that `output` depends on."""
    wanted, kept = {output}, []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(node.input)
    return kept[::-1]


# --- layers: (graph, layer, sources, tops) -------------------------------------------------------------


def _input(graph, layer, sources, tops):
    dims = layer.input_param.shape[0].dim
    if len(tops) != 1 or len(dims) != 4 or graph.inputs:
        raise UserError(f"layer {layer.name!r}: expected one input of four axes in all, got {list(dims)}")
    shape = ["batch", dims[1], "height", "width"]
    info = graph.onnx.helper.make_tensor_value_info(tops[0], graph.onnx.TensorProto.FLOAT, shape)
    graph.inputs.append(info)


def _pair(repeated, name, param, default):
    """(height, width) of an option that is given once, once an axis, or as *_h and *_w."""
    if param.HasField(f"{name}_h") or param.HasField(f"{name}_w"):
        return [getattr(param, f"{name}_h"), getattr(param, f"{name}_w")]
    values = list(repeated) or [default]
    return values * 2 if len(values) == 1 else values


def _convolution(graph, layer, sources, tops):
    param = layer.convolution_param
    if param.axis != 1:
        raise UserError(f"layer {layer.name!r}: axis {param.axis} has no translation to ONNX, expected 1")
    pads = _pair(param.pad, "pad", param, 0)
    options = {
        "kernel_shape": _pair(param.kernel_size, "kernel", param, 1),
        "strides": _pair(param.stride, "stride", param, 1),
        "dilations": list(param.dilation) * (2 if len(param.dilation) == 1 else 1) or [1, 1],
        "pads": pads * 2,
        "group": param.group,
    }
    values = graph.params(layer)
    weights = [graph.array(f"{layer.name}.{name}", value) for name, value in zip(("weight", "bias"), values)]
    kind = "Conv" if layer.type == "Convolution" else "ConvTranspose"
    for source, top in zip(sources, tops):
        graph.node(kind, [source, *weights], [top], **options)


def _relu(graph, layer, sources, tops):
    slope = layer.relu_param.negative_slope
    if slope:
        graph.node("LeakyRelu", sources, tops, alpha=slope)
    else:
        graph.node("Relu", sources, tops)


def _prelu(graph, layer, sources, tops):
    slope = graph.params(layer)[0].reshape(-1, 1, 1)
    graph.node("PRelu", [*sources, graph.array(f"{layer.name}.slope", slope)], tops)


def _operator(kind):
    return lambda graph, layer, sources, tops: graph.node(kind, sources, tops)


def _copies(graph, layer, sources, tops):
    for top in tops:
        graph.node("Identity", sources, [top])


def _slice(graph, layer, sources, tops):
    param = layer.slice_param
    axis = param.slice_dim if param.HasField("slice_dim") else param.axis
    points = list(param.slice_point)
    if not points and len(tops) > 1:
        if axis != 1:
            raise UserError(f"layer {layer.name!r}: equal parts of axis {axis} depend on the size; give slice_point")
        each = graph.net.blobs[layer.top[0]].shape[1]
        points = [each * part for part in range(1, len(tops))]
    axes = graph.array(f"{layer.name}.axes", [axis], np.int64)
    for index, (start, end) in enumerate(zip([0, *points], [*points, _LARGEST])):
        cuts = [
            graph.array(f"{layer.name}.start{index}", [start], np.int64),
            graph.array(f"{layer.name}.end{index}", [end], np.int64),
        ]
        graph.node("Slice", [*sources, *cuts, axes], [tops[index]])


def _concat(graph, layer, sources, tops):
    param = layer.concat_param
    graph.node("Concat", sources, tops, axis=param.concat_dim if param.HasField("concat_dim") else param.axis)


def _eltwise(graph, layer, sources, tops):
    param = layer.eltwise_param
    if param.operation == param.SUM:
        factors = list(param.coeff) or [1.0] * len(sources)
        terms = [
            source if factor == 1 else _scaled(graph, source, factor, f"{tops[0]}/term{index}")
            for index, (source, factor) in enumerate(zip(sources, factors))
        ]
        graph.node("Sum", terms, tops)
    elif param.operation == param.MAX:
        graph.node("Max", sources, tops)
    else:
        product = sources[0]
        for index, source in enumerate(sources[1:], 1):
            top = tops[0] if index == len(sources) - 1 else f"{tops[0]}/product{index}"
            product = graph.node("Mul", [product, source], [top])


def _scaled(graph, source, factor, top):
    return graph.node("Mul", [source, graph.array(f"{top}.factor", factor)], [top])


def _batch_norm(graph, layer, sources, tops):
    mean, variance, weight = graph.params(layer)
    factor = 0 if weight[0] == 0 else 1 / weight[0]
    names = [
        graph.array(f"{layer.name}.{name}", values)
        for name, values in (
            ("scale", np.ones_like(mean)),
            ("shift", np.zeros_like(mean)),
            ("mean", mean * factor),
            ("variance", variance * factor),
        )
    ]
    graph.node("BatchNormalization", [*sources, *names], tops, epsilon=layer.batch_norm_param.eps)


def _scale(graph, layer, sources, tops):
    values = graph.params(layer)
    if len(sources) != 1:
        raise UserError(f"layer {layer.name!r}: a Scale of two blobs has no translation to ONNX")
    count = graph.axes(layer.bottom[0])
    # num_axes 0 makes one factor for all, wherever the axis
    after = count - layer.scale_param.axis % count - values[0].ndim if values[0].ndim else 0
    shaped = [value.reshape(value.shape + (1,) * after) for value in values]
    factor = graph.array(f"{layer.name}.factor", shaped[0])
    if len(shaped) == 1:
        graph.node("Mul", [*sources, factor], tops)
        return
    product = graph.node("Mul", [*sources, factor], [f"{tops[0]}/product"])
    graph.node("Add", [product, graph.array(f"{layer.name}.bias", shaped[1])], tops)


def _power(graph, layer, sources, tops):
    param, value = layer.power_param, sources[0]
    steps = [("Mul", param.scale, 1), ("Add", param.shift, 0), ("Pow", param.power, 1)]
    steps = [step for step in steps if step[1] != step[2]]
    if not steps:
        graph.node("Identity", sources, tops)
    for index, (kind, number, _) in enumerate(steps):
        top = tops[0] if index == len(steps) - 1 else f"{tops[0]}/{kind.lower()}"
        value = graph.node(kind, [value, graph.array(f"{top}.{kind.lower()}", number)], [top])


def _reshape(graph, layer, sources, tops):
    """Caffe replaces some axes, and 0 there means the axis of the same place: the new shape is put together."""
    param, count = layer.reshape_param, graph.axes(layer.bottom[0])
    # a negative axis counts from behind the last one
    first = param.axis if param.axis >= 0 else count + 1 + param.axis
    last = count if param.num_axes == -1 else first + param.num_axes
    top = tops[0]
    shape = graph.node("Shape", sources, [f"{top}/shape"])
    parts = []

    def part(start, end):
        if start < end:
            name = f"{top}/axes{start}"
            cuts = [graph.array(f"{name}.{key}", [n], np.int64) for key, n in (("start", start), ("end", end))]
            parts.append(graph.node("Slice", [shape, *cuts], [name]))

    part(0, first)
    for index, dim in enumerate(param.shape.dim):
        if dim == 0:
            part(first + index, first + index + 1)
        else:
            parts.append(graph.array(f"{top}.dim{index}", [dim], np.int64))
    part(last, count)
    joined = graph.node("Concat", parts, [f"{top}/new_shape"], axis=0)
    graph.node("Reshape", [*sources, joined], tops)


def _crop(graph, layer, sources, tops):
    """Cut the first blob to the second one's size, on all axes from `axis` on."""
    param, count, top = layer.crop_param, graph.axes(layer.bottom[0]), tops[0]
    axes = list(range(param.axis % count, count))
    offsets = list(param.offset) or [0]
    offsets = offsets * len(axes) if len(offsets) == 1 else offsets
    start = graph.array(f"{top}.start", offsets, np.int64)
    size = graph.node("Shape", [sources[1]], [f"{top}/size"], start=axes[0])
    end = graph.node("Add", [size, start], [f"{top}/end"])
    graph.node("Slice", [sources[0], start, end, graph.array(f"{top}.axes", axes, np.int64)], tops)


LAYERS = {
    "Input": _input,
    "Convolution": _convolution,
    "Deconvolution": _convolution,
    "ReLU": _relu,
    "PReLU": _prelu,
    "TanH": _operator("Tanh"),
    "Sigmoid": _operator("Sigmoid"),
    "Split": _copies,
    "Dropout": _copies,  # which does nothing but in training
    "Slice": _slice,
    "Concat": _concat,
    "Eltwise": _eltwise,
    "BatchNorm": _batch_norm,
    "Scale": _scale,
    "Power": _power,
    "Reshape": _reshape,
    "Crop": _crop,
}
