"""The interpolation kernels of imresize, by MATLAB's names.

Each takes distances in pixels (float64) and returns weights; the width is the full support. The arithmetic keeps
MATLAB's order of operations, so that weights are equal bit for bit wherever IEEE arithmetic is.
"""

import numpy as np

_EPS = np.finfo(np.float64).eps


def box(x):
    """Box of width 1, closed on the left: the nearest pixel, the upper one at a tie."""
    return ((x >= -0.5) & (x < 0.5)).astype(np.float64)


def triangle(x):
    """Tent of width 2: linear interpolation."""
    return (x + 1) * ((x >= -1) & (x < 0)) + (1 - x) * ((x >= 0) & (x <= 1))


def cubic(x):
    """Keys' cubic convolution with a = -0.5, width 4."""
    a = np.abs(x)
    a2 = a * a
    a3 = _cube(a)
    inner = (1.5 * a3 - 2.5 * a2 + 1) * (a <= 1)
    outer = (-0.5 * a3 + 2.5 * a2 - 4 * a + 2) * ((a > 1) & (a <= 2))
    return inner + outer


def _cube(a):
    """a to the third, rounded once as by the pow behind MATLAB's .^3; a * a * a rounds twice.

    The difference, one bit of a weight, decides how pixels that lie half-way between two bytes are rounded: at a scale
    of 0.9 one pixel in ten thousand. Own arithmetic, because numpy.power differs from processor to processor.
    """
    square, square_error = _product(a, a)
    cube, cube_error = _product(square, a)
    return cube + (cube_error + square_error * a)


def _product(a, b):
    """a * b and its rounding error (Dekker 1971: halves of 26 bits multiply without error)."""
    a_high, b_high = _high_half(a), _high_half(b)
    a_low, b_low = a - a_high, b - b_high
    product = a * b
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, error


def _high_half(a):
    shifted = a * 134217729.0  # 2**27 + 1
    return shifted - (shifted - a)


def lanczos2(x):
    """Sinc windowed by a sinc twice as wide, width 4."""
    return _lanczos(x, 2)


def lanczos3(x):
    """Sinc windowed by a sinc three times as wide, width 6."""
    return _lanczos(x, 3)


def _lanczos(x, lobes):
    # eps above and below makes 0/0 at the centre 1, as MATLAB does it
    numerator = np.sin(np.pi * x) * np.sin(np.pi * x / lobes) + _EPS
    return numerator / (np.pi**2 * x**2 / lobes + _EPS) * (np.abs(x) < lobes)


# name: (kernel, width in pixels); "bilinear" and "triangle" are one kernel under two names, likewise the others
KERNELS = {
    "nearest": (box, 1.0),
    "box": (box, 1.0),
    "bilinear": (triangle, 2.0),
    "triangle": (triangle, 2.0),
    "bicubic": (cubic, 4.0),
    "cubic": (cubic, 4.0),
    "lanczos2": (lanczos2, 4.0),
    "lanczos3": (lanczos3, 6.0),
}
