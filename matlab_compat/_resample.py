"""One pass of imresize along one axis: the definition in double, and a fast way to the same bytes for uint8.

The definition, `resample_exact`: multiply each tap by its weight in double, add the taps in order, convert to the
class (integers round and saturate). A sparse matrix product does just that, at every machine in the same order.

The fast way for uint8, `resample_bytes`: the weights of 16 neighbouring output pixels form a small dense block, and
the product with it in single precision runs at the speed of BLAS. Its error has a bound that is known beforehand;
wherever that error could change the rounded byte the pixel is computed again by the definition. So both ways give
equal bytes, always. With weights that are short binary fractions (scales 1/2, 1/4, 2, 4, ...) single precision is
exact and nothing has to be computed again.
"""

from functools import cached_property, lru_cache

import cv2
import numpy as np

from .contributions import contributions
from .rounding import to_class

# output pixels that share a dense block of weights, by whether the image shrinks or grows (measured)
BLOCK_DOWN, BLOCK_UP = 16, 32
# a product of at most so many multiplications: it stays in the cache, and OpenBLAS does not wake its threads,
# whose start costs more than the product
PRODUCT = 1 << 18
NARROWEST = 16  # products with fewer columns than this do not pay
CHUNK = 1 << 17  # sums held at a time: what is rounded next is still in the cache
REDO = 1 << 16  # doubtful pixels computed again at a time
_UNIT = 2.0**-24  # half the spacing of single precision at 1
_FINEST_GRID = 2.0**12


class Axis:
    """The resampling of one axis: see `contributions` for the arguments."""

    def __init__(self, in_length, out_length, *args):
        self.in_length, self.out_length = in_length, out_length
        self.weights, self.indices = contributions(in_length, out_length, *args)
        self.block = BLOCK_UP if out_length > in_length else BLOCK_DOWN

    @cached_property
    def picks_pixels(self):
        """Whether each output pixel is just one input pixel (nearest, or a scale of 1)."""
        return self.weights.shape[1] == 1 and bool((self.weights == 1).all())

    @cached_property
    def matrix(self):
        """Sparse (out_length, in_length) float64; a row keeps its taps in order, doubled ones included."""
        from scipy import sparse  # here: it takes longer to import than all else, and `--help` needs none of it

        used = self.weights != 0
        ends = np.concatenate([[0], np.cumsum(used.sum(axis=1))])
        parts = (self.weights[used], self.indices[used].astype(np.int32), ends.astype(np.int32))
        return sparse.csr_matrix(parts, shape=(self.out_length, self.in_length))

    @cached_property
    def blocks(self):
        """[(start, stop, low, high, dense)]: outputs start..stop need inputs low..high; dense is float32."""
        return [self._block(start) for start in range(0, self.out_length, self.block)]

    @cached_property
    def fits_blocks(self):
        """False where a block needs so many inputs (a very small scale) that dense products do not pay."""
        span = self.weights.shape[1] + self.block * self.in_length / self.out_length
        return span * self.block * NARROWEST < PRODUCT

    @cached_property
    def exact_in_single(self):
        """Whether sums of bytes times weights are exact in single precision, in any order."""
        on_grid = np.array_equal(np.round(self.weights * _FINEST_GRID), self.weights * _FINEST_GRID)
        # one bit is left for the half step that turns round-half-even into round-half-up
        return on_grid and 255 * self._gain * _FINEST_GRID < 2**23

    @cached_property
    def margin(self):
        """What is added before and taken off in rounding: half a grid step, or the bound of the error in single."""
        if self.exact_in_single:
            return 0.5 / _FINEST_GRID
        taps = int((self.weights != 0).sum(axis=1).max())
        # weights rounded, products rounded, sums rounded in whatever order; the last term is for adding the margin
        return 1.01 * 255 * self._gain * (taps + 4) * _UNIT + 1024 * _UNIT

    @cached_property
    def _gain(self):
        return float(np.abs(self.weights).sum(axis=1).max())

    def _block(self, start):
        stop = min(start + self.block, self.out_length)
        indices, weights = self.indices[start:stop], self.weights[start:stop]
        low, high = int(indices.min()), int(indices.max()) + 1
        dense = np.zeros((stop - start, high - low))
        np.add.at(dense, (np.arange(stop - start)[:, None], indices - low), weights)
        return start, stop, low, high, dense.astype(np.float32)


@lru_cache(maxsize=32)
def axis_plan(*args):
    """The `Axis` for these arguments of `contributions`, kept for the next image of this size."""
    return Axis(*args)


def resample(img, plan, axis):
    """Resize an image along one axis.

    Parameters
    ----------
    img : ndarray, (H, W, C), uint8, uint16, int16, float32 or float64
    plan : Axis
    axis : {0, 1}

    Returns
    -------
    ndarray, same dtype; `plan.out_length` long along `axis`
    """
    if plan.picks_pixels:
        return np.take(img, plan.indices[:, 0], axis=axis)
    if img.dtype == np.uint8 and plan.fits_blocks:
        return resample_bytes(img, plan, axis)
    return resample_exact(img, plan, axis)


def resample_exact(img, plan, axis):
    """`resample` by the definition: taps in double, in order, then to the class."""
    if axis == 1 and img.shape[2] == 1:
        return _exact_columns(img[..., 0], plan)[..., None]
    shape = list(img.shape)
    shape[axis] = plan.out_length
    out = np.empty(shape, img.dtype)
    lines = np.moveaxis(img, axis, 0)  # (in_length, other axis, C): the product runs over the first axis
    result = np.moveaxis(out, axis, 0)
    step = max(1, CHUNK // (img.shape[axis] * img.shape[2]))
    for start in range(0, lines.shape[1], step):
        part = lines[:, start : start + step]
        flat = np.ascontiguousarray(part, np.float64).reshape(plan.in_length, -1)
        result[:, start : start + step] = to_class(plan.matrix @ flat, img.dtype).reshape(-1, *part.shape[1:])
    return out


def _exact_columns(lines, plan):
    """(N, in_length) to (N, out_length) by the definition; OpenCV turns an array in a third of numpy's time."""
    out = np.empty((len(lines), plan.out_length), lines.dtype)
    step = max(1, CHUNK // plan.in_length)
    for start in range(0, len(lines), step):
        flat = cv2.transpose(np.ascontiguousarray(lines[start : start + step], np.float64))
        out[start : start + step] = cv2.transpose(to_class(plan.matrix @ flat, lines.dtype))
    return out


def resample_bytes(img, plan, axis):
    """`resample` of a uint8 image through single precision, equal to `resample_exact` byte for byte."""
    height, width, channels = img.shape
    if axis == 0:
        out = _rows(np.ascontiguousarray(img).reshape(height, width * channels), plan)
        return out.reshape(plan.out_length, width, channels)
    planes = _columns(_to_planes(img).reshape(channels * height, width), plan)
    return _from_planes(planes.reshape(channels, height, plan.out_length))


def _rows(lines, plan):
    """(in_length, N) uint8 to (out_length, N)."""
    total = lines.shape[1]
    out = np.empty((plan.out_length, total), np.uint8)
    doubtful = []
    for start, stop, low, high, dense in plan.blocks:
        single = lines[low:high].astype(np.float32)
        sums = np.empty((stop - start, total), np.float32)
        step = max(NARROWEST, PRODUCT // dense.size)
        for left in range(0, total, step):
            np.matmul(dense, single[:, left : left + step], out=sums[:, left : left + step])
        doubtful.append(_round(sums, plan, out[start:stop]) + start * total)
    for places in _portions(doubtful):
        row, column = np.divmod(places, total)
        out[row, column] = _redo(plan, row, lambda tap, column=column: lines[tap, column])
    return out


def _columns(lines, plan):
    """(N, in_length) uint8 to (N, out_length)."""
    length = plan.out_length
    out = np.empty((len(lines), length), np.uint8)
    widest = max(high - low for _, _, low, high, _ in plan.blocks)
    step = max(NARROWEST, min(PRODUCT // (plan.block * widest), CHUNK // length))
    doubtful = []
    for top in range(0, len(lines), step):
        single = lines[top : top + step].astype(np.float32)
        sums = np.empty((len(single), length), np.float32)
        for start, stop, low, high, dense in plan.blocks:
            np.matmul(single[:, low:high], dense.T, out=sums[:, start:stop])
        doubtful.append(_round(sums, plan, out[top : top + step]) + top * length)
    for places in _portions(doubtful):
        row, column = np.divmod(places, length)
        out[row, column] = _redo(plan, column, lambda tap, row=row: lines[row, tap])
    return out


def _round(sums, plan, out):
    """Round sums to bytes into `out`; return the flat places where the true sum might round otherwise."""
    margin = (plan.margin, 0, 0, 0)
    # cv2 rounds and saturates in one go; it takes halves to even, but no sum that matters is a half any more
    cv2.add(sums, margin, dst=out, dtype=cv2.CV_8U)
    if plan.exact_in_single:
        return np.empty(0, np.intp)
    low = cv2.subtract(sums, margin, dtype=cv2.CV_8U)
    return np.flatnonzero(low != out)


def _portions(doubtful):
    places = np.concatenate(doubtful)
    return (places[start : start + REDO] for start in range(0, len(places), REDO))


def _redo(plan, output, pixel):
    """The definition for scattered pixels: `output` is their place along the axis, pixel(tap) fetches inputs."""
    total = np.zeros(len(output))
    for weights, indices in zip(plan.weights.T, plan.indices.T):
        total += weights[output] * pixel(indices[output])
    return to_class(total, np.uint8)


def _to_planes(img):
    """(H, W, C) to a contiguous (C, H, W)."""
    channels = img.shape[2]
    if channels == 1:
        return np.ascontiguousarray(img).reshape(1, *img.shape[:2])
    if channels > 4:
        return np.ascontiguousarray(np.moveaxis(img, 2, 0))
    img = np.ascontiguousarray(img)
    planes = np.empty((channels, *img.shape[:2]), np.uint8)
    for channel, plane in enumerate(planes):
        cv2.extractChannel(img, channel, plane)
    return planes


def _from_planes(planes):
    """(C, H, W) to a contiguous (H, W, C)."""
    channels, height, width = planes.shape
    if channels == 1:
        return planes.reshape(height, width, 1)
    if channels > 4:
        return np.ascontiguousarray(np.moveaxis(planes, 0, 2))
    return cv2.merge(list(planes))
