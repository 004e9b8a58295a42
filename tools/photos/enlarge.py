"""Enlarge a photograph with any method, in bounded memory: Y by the net, Cb, Cr and alpha by MATLAB's bicubic.

Everything flows in bands of rows: the net gives Y window by window (tools/nets/windows.py), each band is coloured,
rounded to the picture's depth and handed on. Nothing but the small picture is ever held as a whole. What that takes is
known before the picture is decoded (`check`). Where alpha differs, colours are weighted by it
(tools/photos/transparency.py).

The border: a transposed convolution gives m (n - 1) + 1 pixels for n, so that m - 1 rows at the top and columns at the
left are missing. For such nets (IDN, FSRCNN) the small picture gets one row above and one column to the left, copies
of its first ones, as MATLAB's bicubic repeats the border; m n + 1 of the output's pixels then lie on the picture, and
the first is cut off. All pixels further than the receptive radius from the top and left border are exactly those
of the paper's protocol.
"""

import gc

import numpy as np

import matlab_compat as matlab
from prototxt.receptive import receptive_field
from tools.common.errors import UserError
from tools.nets import engines, forward_memory, windows
from tools.photos import transparency

PROCESS = 176 << 20  # bytes: Python, the libraries, the weights
STRIP = 1 << 18  # result pixels that are coloured at a time, but at least a row
STRIP_BYTES = 160  # for each of them, in double, with the PNG's filters (measured)
WEIGHTED_BYTES = 60  # more where colours are weighted by alpha (measured)
AXIS_BYTES = 210  # for each row and column of the result: the bicubic's weights


class TooLarge(UserError):
    """The memory that is allowed does not suffice for a picture."""


class Enlarger:
    """One method at one factor; the net is built once and takes any number of pictures.

    Parameters
    ----------
    method : tools.methods.Method
    scale : int
        m, the enlargement.
    weights : Path or None
        None for a method without a net.
    engine : str
        One of engines.ENGINES.
    gpu : bool
        Caffe has been told to run on a GPU.
    memory : int
        Bytes that the process may take, the small picture included.
    allowed : str, optional
        What refusals call the memory.
    edge : {"replicate", "symmetric"}
        Border of the bicubic.
    """

    def __init__(
        self, method, scale, weights=None, *, engine="caffe", gpu=False, memory=2 << 30, allowed=None, edge="replicate"
    ):
        self.method, self.scale, self.memory, self.edge = method, scale, memory, edge
        self.allowed = allowed or f"--memory {memory >> 20}M"
        self.tiled, self.constant, self._held = None, 0, 0
        self._load = lambda: method.load(scale, weights, engine)
        self._resize = None, None
        if method.network:
            message = method.build(scale)
            net = method.load(scale, weights)
            # for a GPU and for other engines, which take less, the figure of stock Caffe
            onednn = False if engine != "caffe" or gpu else None
            self.bytes_per_pixel, self.constant = forward_memory.forward_bytes(net, message, onednn)
            fields = receptive_field(message, method.blob)
            self.tiled = windows.Tiled(net, method.blob, fields, windows.fewest(net, message))
            self.tiled.net = engines.convert(net, message, engine)

    @property
    def pad(self):
        """Rows and columns that the net's input gets at the top and left."""
        return int(self.method.starts_late)

    def shape(self, extent):
        """Rows and columns (int, int) of the result for a picture (tools.photo.Extent)."""
        return tuple(self.scale * n for n in extent.shape)

    def check(self, extent, reading, beside=0):
        """Refuse a picture for which the memory does not suffice, before it is decoded.

        Parameters
        ----------
        extent : tools.photo.Extent
            Of the picture.
        reading : int
            Bytes that reading it takes for a while.
        beside : int
            Bytes that writing the result takes besides a few rows.

        Raises
        ------
        TooLarge
        """
        needed = PROCESS + self.constant + reading
        if needed > self.memory:
            raise self._too_little(extent, max(needed, self._least(extent, beside)))
        self.plan(extent, beside)
        if needed + self._held > self.memory:
            self._release()

    def plan(self, extent, beside=0):
        """Windows for a picture, None for a method without a net.

        Parameters
        ----------
        extent, beside
            As of `check`.

        Raises
        ------
        TooLarge
            The memory does not suffice for the smallest window.
        """
        spare = self.memory - self._fixed(extent, beside)
        if spare < 0:
            raise self._too_little(extent, self._least(extent, beside))
        if self.tiled is None:
            return None
        shape = self._input_shape(extent)
        pixels = shape[0] * shape[1]
        while True:
            pixels = min(pixels, int(spare / self.bytes_per_pixel))
            found = self.tiled.plan(shape, pixels) if pixels else None
            if found is None:
                raise self._too_little(extent, self._least(extent, beside))
            window, band = found[0].size * found[1].size * self.bytes_per_pixel, self._band(found[0].size, shape)
            if window + band <= spare:
                if self._held + band > spare:
                    self._release()
                return found
            pixels = int(0.95 * found[0].size * found[1].size)

    def steps(self, extent, found):
        """How often (int) `strips` calls its `progress`, for windows from `plan`."""
        if found is None:
            height, width = self.shape(extent)
            return -(-height // _rows_at_a_time(width))
        return len(found[0].windows) * len(found[1].windows)

    def _release(self):
        """Give the net's memory back: Caffe keeps that of the largest window so far."""
        if self.tiled is not None:
            self.tiled.net, self._held = None, 0
            gc.collect()
            self.tiled.net = self._load()

    def _input_shape(self, extent):
        """Rows and columns of the net's input."""
        if self.method.enlarges_first:
            return self.shape(extent)
        return tuple(n + self.pad for n in extent.shape)

    def _fixed(self, extent, beside):
        """Bytes of all but the net's windows and bands."""
        height, width = self.shape(extent)
        strip = max(STRIP, width) * (STRIP_BYTES + WEIGHTED_BYTES * extent.alpha)
        filling = transparency.fill_bytes(extent.shape) if extent.alpha else 0
        return PROCESS + self.constant + extent.bytes + beside + AXIS_BYTES * (height + width) + max(strip, filling)

    def _band(self, rows, shape):
        """Bytes of a band: its rows of the net's input, and of the result twice, or more where that is resized."""
        outputs = self.tiled.outputs((rows, shape[1]))
        copies = 2 if self._output_is_result else 5
        return 4 * (6 * rows * shape[1] + copies * outputs[0] * outputs[1])

    @property
    def _output_is_result(self):
        """Whether the net's factor is the one asked for (LapSRN's for x3 is 4)."""
        return self.method.enlarges_first or self.tiled.fields[0].step.denominator == self.scale

    def _least(self, extent, beside):
        """Bytes that suffice for a picture."""
        if self.tiled is None:
            return self._fixed(extent, beside)
        shape = self._input_shape(extent)
        least = [min(n, windows.least(field) + 8) for n, field in zip(shape, self.tiled.fields)]
        pixels = max(1.1 * least[0] * least[1], min(1.1 * self.tiled.fewest, shape[0] * shape[1]))
        band = self._band(max(least[0], int(pixels / shape[1]) + 1), shape)
        return self._fixed(extent, beside) + int(pixels * self.bytes_per_pixel + band)

    def _too_little(self, extent, needed):
        return TooLarge(
            f"{self.allowed}: too little for {extent.name} ({extent.width}x{extent.height} pixels) with "
            f"{self.method.name} at x{self.scale}; expected {(needed >> 20) + 1}M or more"
        )

    def bicubic_luma(self, photo, start, stop):
        """Rows start..stop of the bicubic enlargement of Y: ndarray, (stop - start, m W), float32."""
        resize = self._strips(photo)
        out = np.empty((stop - start, resize.shape[1]), np.float32)
        for low, high in _portions(start, stop, resize.shape[1]):
            out[low - start : high - start] = resize.rows(photo.luma(*resize.needs(low, high)), low, high)
        return out

    def _strips(self, photo):
        shape = photo.pixels.shape[:2]
        if self._resize[0] != shape:
            self._resize = shape, matlab.ImresizeStrips(shape, self.scale, edge=self.edge)
        return self._resize[1]

    def luma(self, photo, found=None, progress=lambda: None):
        """Y of the result from top to bottom.

        Parameters
        ----------
        photo : Photo
        found : (Axis, Axis), optional
            Windows; default those of `plan`.
        progress : callable
            Called after each window.

        Yields
        ------
        (int, ndarray)
            First row of a band; (rows, m W), float32, about 0..1.

        Raises
        ------
        UserError
            The result is not finite.
        """
        if self.tiled is None:
            return
        found = found or self.plan(photo.extent)
        self._held = max(self._held, found[0].size * found[1].size * self.bytes_per_pixel)
        bands = self.tiled.bands(self._reader(photo), found, progress)
        for top, band in self._placed(photo, bands):
            if not np.isfinite(band).all():
                raise UserError(
                    f"{photo.path}: {self.method.name} gives values that are not finite; its weights have diverged"
                )
            yield top, band

    def _reader(self, photo):
        """callable (start, stop) -> rows of the net's input."""
        if self.method.enlarges_first:
            return lambda start, stop: self.bicubic_luma(photo, start, stop)

        def padded(start, stop):
            # a window is higher than the padding
            rows = photo.luma(max(start - self.pad, 0), stop - self.pad)
            return np.pad(rows, ((max(self.pad - start, 0), 0), (self.pad, 0)), mode="edge") if self.pad else rows

        return padded

    def _placed(self, photo, bands):
        """Bands of the net's output as bands of the result."""
        if not self.method.starts_late:
            yield from _resized(bands, self._output_shape(photo), self.shape(photo.extent)[0], self.edge)
            return
        for top, band in bands:
            # the output's pixel 1 lies on pixel 0 of the picture
            band, top = (band[1:, 1:], 0) if top == 0 else (band[:, 1:], top - 1)
            if len(band):
                if self.method.adds_base:
                    for low, high in _portions(top, top + len(band), band.shape[1]):
                        band[low - top : high - top] += self.bicubic_luma(photo, low, high)
                yield top, band

    def _output_shape(self, photo):
        return self.tiled.outputs(self._input_shape(photo.extent))

    def strips(self, photo, found=None, *, compare=False, progress=lambda: None):
        """The result in colour from top to bottom.

        Parameters
        ----------
        photo : Photo
            Where its alpha differs from pixel to pixel, the colours of pixels that nobody sees are changed.
        found : (Axis, Axis), optional
            Windows; default those of `plan`.
        compare : bool
            Also give the bicubic enlargement.
        progress : callable
            Called after each window, or, without a net, after each strip.

        Yields
        ------
        (ndarray, ndarray or None)
            Rows of the result, (rows, m W, C), of the picture's class: gray or RGB, then alpha where the picture has
            it; the same rows of the bicubic enlargement for `compare`.
        """
        weighted = transparency.matters(photo.alpha)
        if weighted:
            transparency.fill_hidden(photo.pixels, photo.alpha)
        resize = self._strips(photo)
        height, width = resize.shape
        bands = self.luma(photo, found, progress) if self.tiled else iter([(0, None)])
        for top, band in bands:
            for start, stop in _portions(top, top + (height if band is None else len(band)), width):
                base = self.bicubic_luma(photo, start, stop) if band is None or compare else None
                luma = base if band is None else band[start - top : stop - top]
                rest = _Rest(photo, resize, start, stop, weighted)
                yield rest.coloured(luma), rest.coloured(base) if compare else None
                if band is None:
                    progress()


def _rows_at_a_time(width):
    return max(1, STRIP // width)


def _portions(start, stop, width):
    """Rows start..stop of the result as (start, stop) of a strip each."""
    step = _rows_at_a_time(width)
    return ((low, min(low + step, stop)) for low in range(start, stop, step))


class _Rest:
    """What belongs to rows start..stop besides Y, each enlarged: Cb and Cr (float64), alpha, and what it does to Y."""

    def __init__(self, photo, resize, start, stop, weighted):
        low, high = resize.needs(start, stop)
        self.dtype, self.chroma, self.alpha, self.shift = photo.pixels.dtype, None, None, None
        if photo.alpha is not None:
            self.alpha = resize.rows(photo.alpha[low:high], start, stop)
        if photo.pixels.ndim == 3:
            chroma = photo.chroma(low, high)
            self.chroma = resize.rows(chroma, start, stop)
        if weighted:
            weights = transparency.Weighted(resize, photo.alpha[low:high], start, stop)
            luma = photo.luma(low, high).astype(np.float64)
            plain = resize.rows(luma, start, stop)
            self.shift = weights.rows(luma, plain) - plain
            if self.chroma is not None:
                self.chroma = weights.rows(chroma, self.chroma)

    def coloured(self, luma):
        """Rows (n, m W, C) of the picture's class from their Y (n, m W), float32, without weights."""
        if self.shift is not None:
            luma = (luma + self.shift).astype(np.float32)  # where alpha is even the shift is 0 or far below single
        rounded = matlab.im2uint8 if self.dtype == np.uint8 else matlab.im2uint16
        if self.chroma is None:
            picture = rounded(luma)[..., None]
        else:
            picture = rounded(matlab.ycbcr2rgb(np.dstack([luma.astype(np.float64), self.chroma])))
        return picture if self.alpha is None else np.dstack([picture, self.alpha])


def _resized(bands, shape, height, edge):
    """Bands of an image of `shape` resized to `height` rows, likewise in bands: LapSRN's way from x4 to x3."""
    if shape[0] == height:
        yield from bands
        return
    resize = matlab.ImresizeStrips(shape, height / shape[0], edge=edge)
    held, first, done = np.empty((0, shape[1]), np.float32), 0, 0
    for _, band in bands:
        held = np.concatenate([held, band])
        end = first + len(held)
        stop = _ready(resize, done, end, shape[0])
        if stop > done:
            low, high = resize.needs(done, stop)
            yield done, resize.rows(held[low - first : high - first], done, stop)
            done = stop
            if done < height:
                keep = resize.needs(done, done + 1)[0]
                held, first = held[keep - first :].copy(), keep


def _ready(resize, done, end, total):
    """One past the last row of the result that input rows up to `end` suffice for."""
    if end == total:
        return resize.shape[0]
    stop = max(done, int(end * resize.shape[0] / total) - 8)
    while stop < resize.shape[0] and resize.needs(done, stop + 1)[1] <= end:
        stop += 1
    return stop
