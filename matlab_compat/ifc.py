"""Information fidelity criterion as in ifcvec.m."""

import cv2
import numpy as np

from ._checks import check_pair, check_plane
from .steerable import LEVELS, SMALLEST_SIDE, steerable_bands

BLOCK = 3  # side of the blocks that make a vector of the Gaussian scale mixture (M in ifcvec.m)
# blocks at a time: they stay in the cache, and products so small do not wake the threads of BLAS
PORTION = 3000
STRIP = 1 << 16  # pixels at a time in the windows' sums
_SPOTS = [(i, j) for j in range(BLOCK) for i in range(BLOCK)]
_TINY = 1e-15  # a variance below is none
_FLOOR = 1e-10  # keeps the ratio finite where the distortion has no variance


def ifc(ref, out):
    """Information fidelity criterion of `out` given `ref`.

    Parameters
    ----------
    ref, out : ndarray, (H, W), equal shapes, at least 72 pixels a side
        uint8, uint16, int16, float32, float64 or bool; computed in double. The paper's figures take 0..255 luma.

    Returns
    -------
    float
        Bits per pixel, 0 or more; larger is better. Not symmetric in its arguments.

    Raises
    ------
    TypeError
        Another class.
    ValueError
        Shapes differ, more than one channel, a side below 72 pixels, NaN or Inf.

    Notes
    -----
    Both images go through a steerable pyramid (sp5Filters, 4 levels, reflect1); two orientations a level are compared.
    Where the images are equal, what is left of the distortion is rounding noise: the value for identical images is
    large and not reproducible from one program to another.
    Source: ifcvec.m (Sheikh, Bovik and de Veciana, IEEE TIP 14(12), 2005) with matlabPyrTools.
    """
    ref, out = check_pair("ifc", ref, out)
    check_plane("ifc", ref)
    if min(ref.shape) < SMALLEST_SIDE:
        raise ValueError(
            f"ifc: images have shape {ref.shape}; expected at least {SMALLEST_SIDE} pixels a side for the four levels "
            "of the pyramid; use larger images"
        )
    total = 0.0
    for level, bands in steerable_bands(ref, out):
        # the coarsest level has a window of 3, each finer one twice the reach: 3, 5, 9, 17
        total += _band_information(*map(_whole_blocks, bands), 2 ** (LEVELS - level) + 1)
        del bands  # or they would stay in memory while the next are computed
    return total / ref.size


def _band_information(ref, out, window):
    """Bits that a sub-band of `out` carries about `ref`, blocks near the border left out."""
    gain, noise = _distortion(ref, out, window)
    field, eigenvalues = _scale_mixture(ref)
    frame = -(-(window // 2) // BLOCK)  # blocks whose window reaches over the border
    inner = (slice(frame, -frame), slice(frame, -frame))
    signal = gain[inner] ** 2 * field[inner] / (noise[inner] + _FLOOR)
    return float(sum(np.log2(1 + signal * value).sum() for value in eigenvalues))


def _distortion(ref, out, window):
    """Gain and noise variance of out = gain * ref + noise around each block; (h / 3, w / 3) each."""
    count = window * window
    mean_ref, mean_out = _window_sums(ref, None, window) / count, _window_sums(out, None, window) / count
    covariance = _window_sums(ref, out, window) - count * mean_ref * mean_out
    power_ref = np.maximum(_window_sums(ref, ref, window) - count * mean_ref**2, 0)
    power_out = np.maximum(_window_sums(out, out, window) - count * mean_out**2, 0)
    gain = covariance / (power_ref + _TINY)
    noise = (power_out - gain * covariance) / count
    # the exceptions, in the order of ifcvec.m: each may overrule the one before
    flat = power_ref < _TINY
    gain[flat] = 0
    noise[flat] = power_out[flat]
    empty = power_out < _TINY
    gain[empty] = 0
    noise[empty] = 0
    inverted = gain < 0
    noise[inverted] = power_out[inverted]
    gain[inverted] = 0
    return gain, np.maximum(noise, _TINY)


def _scale_mixture(ref):
    """The field of local variances, (h / 3, w / 3), and the 9 eigenvalues of the blocks' covariance."""
    covariance = _block_covariance(ref)
    # ifcvec.m inverts; for natural images that is the same, and for flat or striped ones it divides by zero
    inverse = np.linalg.pinv(covariance, rcond=1e-14, hermitian=True)
    rows, columns = (length // BLOCK for length in ref.shape)
    field = np.empty((rows, columns))
    step = max(1, PORTION // columns)
    for top in range(0, rows, step):
        part = ref[BLOCK * top : BLOCK * (top + step)]
        blocks = np.stack([part[i::BLOCK, j::BLOCK] for i, j in _SPOTS])  # none overlap
        flat = blocks.reshape(len(_SPOTS), -1)
        field[top : top + step] = ((inverse @ flat) * flat).sum(axis=0).reshape(blocks.shape[1:]) / len(_SPOTS)
    return field, np.linalg.eigvalsh(covariance)


def _block_covariance(ref):
    """Covariance (9, 9) of the pixels of all 3x3 blocks, overlapping ones included."""
    rows, columns = (length - BLOCK + 1 for length in ref.shape)
    moments, sums = np.zeros((len(_SPOTS), len(_SPOTS))), np.zeros(len(_SPOTS))
    step = max(1, PORTION // columns)
    for top in range(0, rows, step):
        count = min(step, rows - top)
        part = np.stack([ref[top + i : top + i + count, j : j + columns] for i, j in _SPOTS])
        part = part.reshape(len(_SPOTS), -1)
        moments += part @ part.T
        sums += part.sum(axis=1)
    mean = sums / (rows * columns)
    return moments / (rows * columns) - np.outer(mean, mean)


def _window_sums(one, other, window):
    """Sums of one * other (of one, when other is None) over the window around each block's centre; (h / 3, w / 3).

    Strip by strip, with the rows above and below that the windows reach into; the image's border is mirrored.
    """
    reach, ones = window // 2, np.ones(window)
    height, width = one.shape
    result = np.empty((height // BLOCK, width // BLOCK))
    step = BLOCK * max(1, STRIP // (BLOCK * width))
    for top in range(0, height, step):
        rows = slice(max(0, top - reach), min(top + step, height) + reach)
        product = one[rows] if other is None else one[rows] * other[rows]
        # not boxFilter: its running sums carry rounding errors along, and the variances are small differences
        sums = cv2.sepFilter2D(product, cv2.CV_64F, ones, ones, borderType=cv2.BORDER_REFLECT_101)
        first = top - rows.start + BLOCK // 2
        part = sums[first : first + step : BLOCK, BLOCK // 2 :: BLOCK]
        place = result[top // BLOCK : (top + step) // BLOCK]
        place[:] = part[: len(place)]
    return result


def _whole_blocks(band):
    height, width = (length // BLOCK * BLOCK for length in band.shape)
    return band[:height, :width]
