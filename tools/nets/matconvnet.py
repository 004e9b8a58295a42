"""Weights in MATLAB's .mat files, as the authors of VDSR, LapSRN, DRCN and SRCNN published them, for our Caffe nets.

Files are read by tools/nets/weight_reader.py in a process of its own. What a file must hold follows from the net it is
for: each layout below is a list of Piece, one for each array of the net, which says where in the file the array lies
and how its axes are turned.

MatConvNet keeps filters as (height, width, in, out), of a transposed convolution (height, width, out, in); Caffe
as (out, in, height, width), of a transposed one (in, out, height, width): one and the same turn for both. Neither
flips kernels. MATLAB drops trailing axes of length 1, which are put back here.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import numpy as np

from tools.common.errors import UserError
from tools.nets import caffemodels, weight_files


@dataclass(frozen=True)
class Piece:
    """One array of the net and where it comes from.

    Attributes
    ----------
    layer : str
        Layer of the net.
    index : int
        Which of the layer's arrays: 0 weights, 1 bias.
    source : str
        Name in the file, for the report: "model.weight{1}".
    turn : callable (ndarray, shape) -> ndarray
        From the file's array to the net's of `shape`; raises ValueError when it does not fit.
    """

    layer: str
    index: int
    source: str
    turn: Callable


# --- turns ---------------------------------------------------------------------------------------------


def filters(value, shape):
    """(height, width, a, b) to (b, a, height, width)."""
    value = value.reshape(value.shape + (1,) * (4 - value.ndim))
    turned = value.transpose(3, 2, 0, 1)
    if turned.shape != tuple(shape):
        raise ValueError(value.shape)
    return turned


def vector(value, shape):
    """A bias, in whatever orientation."""
    if value.size != np.prod(shape) or max(value.shape, default=1) != value.size:
        raise ValueError(value.shape)
    return value.reshape(shape)


def patches(value, shape):
    """SRCNN's filters: (kernel^2, out), (in, kernel^2, out) or (in, kernel^2), kernels in MATLAB's column order."""
    out, inputs, kernel, _ = shape
    whole = {(kernel**2, out): (1, 0), (inputs, kernel**2, out): (2, 0, 1), (inputs, kernel**2): (0, 1)}
    if value.shape not in whole or value.size != np.prod(shape):
        raise ValueError(value.shape)
    stacked = value.transpose(whole[value.shape]).reshape(out, inputs, kernel, kernel)
    return stacked.transpose(0, 1, 3, 2)


# --- what each net needs -------------------------------------------------------------------------------


def vdsr_pieces(shapes):
    """conv<k> from cell k."""
    for layer in shapes:
        k = layer[len("conv") :]
        yield Piece(layer, 0, f"model.weight{{{k}}}", filters)
        yield Piece(layer, 1, f"model.bias{{{k}}}", vector)


def lapsrn_pieces(shapes):
    """Names are the same but for the suffix; level<k>_residual is called level<k>_residual_conv in params."""
    for layer, blobs in shapes.items():
        name = f"{layer}_conv" if layer.endswith("_residual") else layer
        yield Piece(layer, 0, f"{name}_f", filters)
        if len(blobs) == 2:
            yield Piece(layer, 1, f"{name}_b", vector)


def drcn_pieces(shapes):
    """Shared arrays go to every layer that shares them; the numbers follow the authors' depth of 20."""
    recursions = sum(layer.startswith("conv_outh") for layer in shapes)
    last = recursions + 4
    for layer in shapes:
        if layer == "ensemble":
            yield Piece(layer, 0, "ensemble_weight", filters)
            continue
        if layer.startswith("conv_outh"):
            suffix = str(last - 1)
        elif layer.startswith("conv_out"):
            suffix = str(last)
        else:
            suffix = layer[len("conv") :] if layer in ("conv1", "conv2") else "_share"
        yield Piece(layer, 0, f"filters{suffix}", filters)
        yield Piece(layer, 1, f"biases{suffix}", vector)


def srcnn_pieces(shapes):
    """weights_conv<k>, biases_conv<k>."""
    for layer in shapes:
        yield Piece(layer, 0, f"weights_{layer}", patches)
        yield Piece(layer, 1, f"biases_{layer}", vector)


# network: (layout, see tools/nets/weight_reader.py; what it is called; pieces)
LAYOUTS = {
    "vdsr": ("cells", "a struct `model` with cells weight and bias", vdsr_pieces),
    "lapsrn": ("dagnn", "a MatConvNet DagNN `net`", lapsrn_pieces),
    "drcn": ("dagnn", "a MatConvNet DagNN `net`", drcn_pieces),
    "srcnn": ("plain", "arrays weights_conv1, biases_conv1, ...", srcnn_pieces),
}


def load_mat(net, path, network):
    """Fill a net from a .mat file, after a check that every array fits and none is left over.

    Parameters
    ----------
    net : caffe.Net
        A deploy net.
    path : str or Path
    network : {"vdsr", "lapsrn", "drcn", "srcnn"}
        Generator of the net.

    Returns
    -------
    list of (str, str, tuple, tuple)
        What was mapped: layer, source name, shape in the file, shape in the net.

    Raises
    ------
    UserError
        No such file, another layout, an array that is missing, left over, of another shape or not finite.
    """
    mapped = mapping(caffemodels.param_shapes(net), path, network)
    for piece, value, _ in mapped:
        net.params[piece.layer][piece.index].data[...] = value
    return [(piece.layer, piece.source, shape, value.shape) for piece, value, shape in mapped]


def mapping(shapes, path, network):
    """What `load_mat` fills in: list of (Piece, array in Caffe's layout, shape in the file)."""
    if network not in LAYOUTS:
        raise UserError(f"{path}: .mat weights are read for {', '.join(LAYOUTS)}, not for {network}")
    found = _arrays(path, network)
    wanted = list(LAYOUTS[network][2](shapes))
    mapped = [_fit(piece, found, shapes[piece.layer][piece.index], path, network) for piece in wanted]
    spare = sorted(set(found) - {piece.source for piece in wanted})
    if spare:
        raise UserError(
            f"{path}: has {len(spare)} arrays that this {network} net has no place for ({weight_files.listed(spare)}); "
            "these are weights of another network, scale or variant"
        )
    return mapped


def _arrays(path, network):
    """{source name: array} of a file in the layout of `network`."""
    layout, called, _ = LAYOUTS[network]
    called += f", as the authors of {network} publish their weights"
    path = Path(path)
    kind = weight_files.kind(path, "expected a .mat with weights")
    if kind == weight_files.HDF5:
        raise UserError(f"{path}: HDF5, such as a .mat of version 7.3; save it in MATLAB with save(..., '-v7')")
    if kind != weight_files.MAT:
        raise UserError(f"{path}: not a .mat file, expected {called}")
    found, holds = weight_files.arrays(path, layout)
    if not found:
        names = weight_files.listed(holds) or "nothing"
        raise UserError(f"{path}: holds {names}; expected {called}")
    return found


def _fit(piece, found, shape, path, network):
    if piece.source not in found:
        raise UserError(
            f"{path}: has no {piece.source} (it has {weight_files.listed(found)}); expected the weights of this "
            f"{network} net, which needs it for layer {piece.layer!r}"
        )
    value = found[piece.source]
    try:
        turned = piece.turn(value, shape)
    except ValueError:
        raise UserError(
            f"{path}: {piece.source} has shape {value.shape}, which does not fit layer {piece.layer!r} of shape "
            f"{tuple(shape)}; these are weights of another network, scale or variant"
        ) from None
    if not np.isfinite(turned).all():
        raise UserError(f"{path}: {piece.source} holds values that are not finite; get the file again")
    return piece, turned, value.shape
