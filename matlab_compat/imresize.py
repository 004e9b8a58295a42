"""imresize as in MATLAB: the authors' generation (replicate edge) and today's (symmetric edge)."""

import math
import numbers

import numpy as np

from ._checks import check_image
from ._resample import axis_plan, resample
from .contributions import EDGES
from .kernels import KERNELS


def imresize(img, scale=None, *, output_shape=None, method="bicubic", antialiasing=None, edge="replicate"):
    """Resize an image as MATLAB's imresize does, to the last bit.

    Parameters
    ----------
    img : ndarray, (H, W), (H, W, C) or more trailing axes
        uint8, uint16, int16, float32 (single), float64 (double) or bool (logical); finite values.
    scale : float or (float, float), optional
        Factor for both axes, or for rows and columns. The result has ceil(scale * size) pixels.
    output_shape : (int, int), optional
        Rows and columns of the result; None (or NaN) for one of the two keeps the aspect ratio. With `scale` given as
        well, the shape only sets how many pixels are computed and `scale` where they lie.
    method : str, optional
        "nearest", "box", "bilinear" or "triangle", "bicubic" or "cubic", "lanczos2", "lanczos3".
    antialiasing : bool, optional
        Widen the kernel when shrinking. None is MATLAB's default: on, but off for "nearest".
    edge : {"replicate", "symmetric"}, optional
        Beyond the border the outermost pixel is repeated (MATLAB up to the early 2010s, the release the paper was
        evaluated with) or the image is mirrored (newer releases).

    Returns
    -------
    ndarray
        Of the input's class. Integers are rounded, halves away from zero, and saturate after each of the two passes;
        single is computed in double and stored in single after each pass; logical goes through uint8 0/255 and is
        true above 128.

    Raises
    ------
    TypeError
        Another class (complex, object, int64, ...), a scale that is no number, a flag that is no bool.
    ValueError
        Empty image, NaN or Inf, scale not positive and finite, output size below 1, unknown method or edge.

    Notes
    -----
    The axis with the smaller scale is resized first, rows first when both are equal.
    Generations: up to R2006b imresize was another algorithm (kept later as imresize_old). From R2007a on it is the one
    here; the border changed later from replicate to symmetric, the rest stayed.
    Source: MATLAB imresize.m; checked against MATLAB's own output for x1/2, x1/3, x1/4.

    Examples
    --------
    >>> import numpy as np
    >>> imresize(np.array([[0, 100], [100, 200]], np.uint8), 2)[0]
    array([  0,   9,  61,  88], dtype=uint8)
    """
    img = check_image("imresize", img)
    kernel, antialiasing, edge = _check_options(method, antialiasing, edge)
    shape, scales = size_and_scale(img.shape[:2], scale, output_shape)
    out = img.astype(np.uint8) * np.uint8(255) if img.dtype == bool else img
    out = out.reshape(*img.shape[:2], -1)
    for axis in sorted((0, 1), key=lambda k: scales[k]):
        plan = axis_plan(out.shape[axis], shape[axis], scales[axis], kernel, antialiasing, edge)
        out = resample(out, plan, axis)
    out = out.reshape(*shape, *img.shape[2:])
    return out > 128 if img.dtype == bool else out


def _check_options(method, antialiasing, edge):
    if not isinstance(method, str) or method not in KERNELS:
        raise ValueError(f"imresize: method is {method!r}; expected one of {', '.join(KERNELS)}")
    if edge not in EDGES:
        raise ValueError(
            f"imresize: edge is {edge!r}; expected 'replicate' (older MATLAB, the paper) or 'symmetric' (newer MATLAB)"
        )
    if antialiasing is None:
        antialiasing = method != "nearest"
    if not isinstance(antialiasing, (bool, np.bool_)):
        raise TypeError(
            f"imresize: antialiasing is {antialiasing!r}; expected True, False or None (None is MATLAB's default)"
        )
    return method, bool(antialiasing), edge


def size_and_scale(size, scale, output_shape):
    """((rows, columns), (row scale, column scale)) from what the caller gave, by MATLAB's rules."""
    if scale is None and output_shape is None:
        raise ValueError("imresize: neither scale nor output_shape given; expected one, e.g. imresize(img, 1/3)")
    scales = None if scale is None else _check_scale(scale)
    if output_shape is None:
        lengths = [factor * length for factor, length in zip(scales, size)]
        if not all(map(math.isfinite, lengths)):
            raise ValueError(f"imresize: scale is {scale!r}; expected a size that is finite; take a smaller one")
        return tuple(map(math.ceil, lengths)), scales
    shape, given = _check_output_shape(output_shape, size)
    if scales is None:
        # with one size left open both axes take the scale of the other, whatever the ceiling added
        scales = tuple(shape[k] / size[k] for k in given)
    return shape, scales


def _check_scale(scale):
    pair = scale if isinstance(scale, (tuple, list, np.ndarray)) and np.ndim(scale) else (scale, scale)
    if len(pair) != 2 or not all(_is_real(factor) for factor in pair):
        raise TypeError(f"imresize: scale is {scale!r}; expected a real number or a pair (rows, columns), e.g. 1/3")
    pair = tuple(float(factor) for factor in pair)
    if not all(math.isfinite(factor) and factor > 0 for factor in pair):
        raise ValueError(f"imresize: scale is {scale!r}; expected positive and finite; use 0.5 to halve, 2 to double")
    return pair


def _check_output_shape(output_shape, size):
    """The whole shape, and for each axis the axis whose size was given."""
    pair = tuple(output_shape) if isinstance(output_shape, (tuple, list, np.ndarray)) else ()
    if len(pair) != 2 or not all(length is None or _is_real(length) for length in pair):
        raise TypeError(
            f"imresize: output_shape is {output_shape!r}; expected a pair (rows, columns) of integers or None"
        )
    open_axes = [length is None or math.isnan(length) for length in pair]
    if all(open_axes):
        raise ValueError("imresize: output_shape leaves rows and columns open; expected at least one number")
    if not all(is_open or (math.isfinite(length) and length > 0) for length, is_open in zip(pair, open_axes)):
        raise ValueError(
            f"imresize: output_shape is {output_shape!r}; expected sizes of at least 1; check the scale it came from"
        )
    if any(open_axes):
        known = open_axes.index(False)
        pair = tuple(pair[known] if k == known else pair[known] * size[k] / size[known] for k in (0, 1))
        return tuple(math.ceil(length) for length in pair), (known, known)
    return tuple(math.ceil(length) for length in pair), (0, 1)


def _is_real(value):
    return isinstance(value, (numbers.Real, np.integer, np.floating)) and not isinstance(value, (bool, np.bool_))
