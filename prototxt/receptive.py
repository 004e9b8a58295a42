"""The receptive field of a net, derived from its prototxt alone: which input pixels an output pixel depends on.

Along one axis, output pixel y of a blob depends on no input pixel outside

    ceil(step * y + first) .. floor(step * y + last)

A convolution of kernel k, stride s, padding p and dilation d reads s y - p .. s y - p + d (k - 1); a transposed one
reads (y + p - d (k - 1)) / s .. (y + p) / s. The field of a chain is one formula put into the next; where branches meet
(Eltwise, Concat) it is the hull of theirs. The fractions stay fractions until the end, so nothing is rounded twice.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

from prototxt.errors import NetError

# layers whose output pixel reads the input pixel of the same place only
POINTWISE = frozenset(
    ("AbsVal", "BatchNorm", "Bias", "BNLL", "Dropout", "ELU", "Exp", "Log", "Power", "PReLU", "ReLU", "Scale")
    + ("Sigmoid", "Slice", "Split", "TanH", "Threshold")
)
JOINING = frozenset(("Concat", "Eltwise"))
ROWS = 2  # Caffe's axes are (N, C, H, W)


@dataclass(frozen=True)
class Field:
    """Input pixels ceil(step * y + first) .. floor(step * y + last) of output pixel y, along one axis.

    Attributes
    ----------
    step : Fraction
        Input pixels from one output pixel to the next: 1/3 for a net that enlarges three times.
    first, last : Fraction
        Of output pixel 0; first <= last.
    """

    step: Fraction = Fraction(1)
    first: Fraction = Fraction(0)
    last: Fraction = Fraction(0)

    def inputs(self, y):
        """First and last input pixel (int, int; both included) that output pixel `y` reads, padding included."""
        return math.ceil(self.step * y + self.first), math.floor(self.step * y + self.last)

    def start(self, first_input):
        """First output pixel (int) that reads nothing before input pixel `first_input`."""
        return math.floor((first_input - 1 - self.first) / self.step) + 1

    def stop(self, end_input):
        """One past the last output pixel (int) that reads nothing from input pixel `end_input` on."""
        return math.ceil((end_input - self.last) / self.step)

    @property
    def radius(self):
        """Input pixels (int) that a result pixel needs around the input pixel below it, to the farther side."""
        lowest = highest = 0
        for y in range(self.step.denominator):  # one period
            below = math.floor(self.step * y)
            first, last = self.inputs(y)
            lowest, highest = max(lowest, below - first), max(highest, last - below)
        return max(lowest, highest)

    def after(self, stride, low, high):
        """The field when a layer that reads stride * y + low .. stride * y + high of this blob follows."""
        return Field(self.step * stride, self.step * low + self.first, self.step * high + self.last)

    def hull(self, other):
        """The smallest field that holds both; raises ValueError when their steps differ."""
        if self.step != other.step:
            raise ValueError
        return Field(self.step, min(self.first, other.first), max(self.last, other.last))


@dataclass(frozen=True)
class _Blob:
    """Fields of rows and columns, and the axes after channels: "h", "w", or the size of one that is neither."""

    fields: dict
    axes: tuple = ("h", "w")


def receptive_field(net, output, source="data"):
    """Receptive field of one blob of a net on an input blob.

    Parameters
    ----------
    net : NetParameter
        A deploy net; read layer by layer, nothing is run.
    output : str
        The blob asked for.
    source : str
        The input blob.

    Returns
    -------
    (Field, Field)
        Of rows and of columns.

    Raises
    ------
    NetError
        A blob that the net does not have or that does not depend on `source`, or a layer whose field cannot be told.

    Examples
    --------
    >>> from prototxt.idn import idn
    >>> rows, columns = receptive_field(idn(3), "upsample")
    >>> rows.radius
    29
    """
    blobs = {source: _Blob({"h": Field(), "w": Field()})}
    known = {top for layer in net.layer for top in layer.top}
    for name in (source, output):
        if name not in known:
            raise NetError(f"receptive field: the net has no blob {name!r}; it has {', '.join(sorted(known)[:6])}, ...")
    for layer in net.layer:
        bottoms = [blobs[name] for name in layer.bottom if name in blobs]
        if bottoms and source not in layer.top:
            result = _through(layer, bottoms)
            blobs.update(dict.fromkeys(layer.top, result))
    if output not in blobs:
        raise NetError(f"receptive field: blob {output!r} does not depend on {source!r}")
    return blobs[output].fields["h"], blobs[output].fields["w"]


def _through(layer, bottoms):
    if layer.type in POINTWISE:
        return bottoms[0]
    if layer.type in JOINING:
        return _joined(layer, bottoms)
    if layer.type in _SPATIAL:
        fields = {axis: _SPATIAL[layer.type](layer, axis, bottoms[0].fields[axis]) for axis in "hw"}
        return _Blob(fields, bottoms[0].axes)
    if layer.type == "Reshape":
        return _reshaped(layer, bottoms[0])
    raise NetError(
        f"receptive field: layer {layer.name!r} is of type {layer.type}, whose field is not known; expected "
        f"{', '.join(sorted(POINTWISE | JOINING | set(_SPATIAL)))} or Reshape"
    )


def _joined(layer, bottoms):
    fields = dict(bottoms[0].fields)
    for other in bottoms[1:]:
        for axis in "hw":
            try:
                fields[axis] = fields[axis].hull(other.fields[axis])
            except ValueError:
                raise NetError(f"receptive field: the bottoms of layer {layer.name!r} have different scales") from None
    axes = list(bottoms[0].axes)
    axis = layer.concat_param.axis - ROWS
    if layer.type == "Concat" and 0 <= axis < len(axes):
        sizes = [bottom.axes[axis] for bottom in bottoms]
        if not all(isinstance(size, int) for size in sizes):
            raise NetError(f"receptive field: layer {layer.name!r} lays images beside each other")
        axes[axis] = sum(sizes)
    return _Blob(fields, tuple(axes))


def _of_axis(layer, axis, name, default):
    """One of Caffe's two ways to say a convolution's or pooling's number: NAME_h and NAME_w, or NAME once or twice."""
    parameters = layer.pooling_param if layer.type == "Pooling" else layer.convolution_param
    short = {"kernel_size": "kernel"}.get(name, name)
    if hasattr(parameters, f"{short}_{axis}") and parameters.HasField(f"{short}_{axis}"):
        return getattr(parameters, f"{short}_{axis}")
    if layer.type == "Pooling":
        return getattr(parameters, name) if hasattr(parameters, name) else default
    values = list(getattr(parameters, name)) or [default]
    return values[-1] if axis == "w" else values[0]


def _geometry(layer, axis):
    """(reach, stride, pad) of one axis; reach is the kernel's size less one, dilated."""
    kernel, stride, pad, dilation = (
        _of_axis(layer, axis, name, default)
        for name, default in (("kernel_size", 1), ("stride", 1), ("pad", 0), ("dilation", 1))
    )
    return dilation * (kernel - 1), stride, pad


def _convolution(layer, axis, field):
    reach, stride, pad = _geometry(layer, axis)
    return field.after(stride, -pad, reach - pad)


def _deconvolution(layer, axis, field):
    reach, stride, pad = _geometry(layer, axis)
    return field.after(Fraction(1, stride), Fraction(pad - reach, stride), Fraction(pad, stride))


def _crop(layer, axis, field):
    parameters = layer.crop_param
    place = "hw".index(axis) + ROWS - parameters.axis
    if place < 0 or not parameters.offset:
        return field
    offset = parameters.offset[min(place, len(parameters.offset) - 1)]
    return field.after(1, offset, offset)


_SPATIAL = {"Convolution": _convolution, "Pooling": _convolution, "Deconvolution": _deconvolution, "Crop": _crop}


def _reshaped(layer, bottom):
    """A Reshape that adds axes of one pixel, or merges small axes into the image axis before them (pixel shuffle)."""
    parameters = layer.reshape_param
    begin, dims = parameters.axis - ROWS, list(parameters.shape.dim)
    end = len(bottom.axes) if parameters.num_axes < 0 else begin + parameters.num_axes
    replaced = bottom.axes[begin:end] if begin >= 0 else None
    images = [axis for axis in replaced or () if axis in ("h", "w")]
    fields = dict(bottom.fields)
    if replaced == () and set(dims) <= {1}:
        made = tuple(dims)
    elif replaced and len(images) == 1 and replaced[0] == images[0] and sorted(dims)[0] == -1 and set(dims) <= {1, -1}:
        factor = math.prod(replaced[1:])
        image = images[0]
        # pixel y of the merged axis is pixel floor(y / factor) of the image axis
        fields[image] = fields[image].after(Fraction(1, factor), Fraction(1 - factor, factor), 0)
        made = tuple(image if dim == -1 else 1 for dim in dims)
    else:
        raise NetError(f"receptive field: layer {layer.name!r} reshapes in a way that is not known here")
    return _Blob(fields, bottom.axes[:begin] + made + bottom.axes[end:])
