"""Enlarge a photograph with any method, in bounded memory: Y by the net, Cb, Cr and alpha by MATLAB's bicubic.

Everything flows in bands of rows: the net gives Y window by window (tools/windows.py), each band is coloured, rounded
to the picture's depth and handed on. Nothing but the small picture is ever held as a whole.

The border: a transposed convolution gives m (n - 1) + 1 pixels for n, so that m - 1 rows at the top and columns at the
left are missing. For such nets (IDN, FSRCNN) the small picture gets one row above and one column to the left, copies
of its first ones, as MATLAB's bicubic repeats the border; m n + 1 of the output's pixels then lie on the picture, and
the first is cut off. All pixels further than the receptive radius from the top and left border are exactly those
of the paper's protocol.
"""

import numpy as np

import matlab_compat as matlab
from prototxt.receptive import receptive_field
from tools import engines, net_memory, windows
from tools.cli import UserError

PROCESS = 192 << 20  # bytes: Python, the libraries, the weights
STRIP = 1 << 18  # result pixels that are coloured at a time
STRIP_BYTES = 400 * STRIP  # what that takes, in double, with the PNG's filters (measured)


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
    edge : {"replicate", "symmetric"}
        Border of the bicubic.
    """

    def __init__(self, method, scale, weights=None, *, engine="caffe", gpu=False, memory=2 << 30, edge="replicate"):
        self.method, self.scale, self.memory, self.edge = method, scale, memory, edge
        self.tiled, self.constant = None, 0
        if method.network:
            message = method.build(scale)
            net = method.load(scale, weights)
            # for a GPU and for other engines, which take less, the figure of stock Caffe
            onednn = False if engine != "caffe" or gpu else None
            self.bytes_per_pixel, self.constant = net_memory.forward_bytes(net, message, onednn)
            fields = receptive_field(message, method.output)
            self.tiled = windows.Tiled(net, method.output, fields, windows.fewest(net, message))
            self.tiled.net = engines.convert(net, message, engine)

    @property
    def pad(self):
        """Rows and columns that the net's input gets at the top and left."""
        return int(self.method.starts_late)

    def shape(self, photo):
        """Rows and columns (int, int) of the result."""
        return tuple(self.scale * n for n in photo.pixels.shape[:2])

    def plan(self, photo):
        """Windows for a picture (Photo), None for a method without a net.

        Raises
        ------
        UserError
            The memory does not suffice for the smallest window.
        """
        if self.tiled is None:
            return None
        shape = self._input_shape(photo)
        pixels = shape[0] * shape[1]
        spare = self.memory - self._fixed(photo)
        while True:
            pixels = min(pixels, int(spare / self.bytes_per_pixel)) if spare > 0 else 0
            found = self.tiled.plan(shape, pixels) if pixels else None
            if found is None:
                raise UserError(self._too_little(photo, shape))
            taken = found[0].size * found[1].size * self.bytes_per_pixel + self._band(found, shape)
            if taken <= spare:
                return found
            pixels = int(0.95 * found[0].size * found[1].size)

    def _input_shape(self, photo):
        """Rows and columns of the net's input."""
        if self.method.enlarges_first:
            return self.shape(photo)
        return tuple(n + self.pad for n in photo.pixels.shape[:2])

    def _fixed(self, photo):
        alpha = 0 if photo.alpha is None else photo.alpha.nbytes
        return PROCESS + self.constant + STRIP_BYTES + photo.pixels.nbytes + alpha

    def _band(self, found, shape):
        """Bytes of a band: its rows of the net's input, and of the result twice."""
        rows, width = found[0].size, shape[1]
        outputs = self.tiled.outputs((rows, width))
        return 4 * (6 * rows * width + 2 * outputs[0] * outputs[1])

    def _too_little(self, photo, shape):
        least = [min(n, windows.least(field) + 8) for n, field in zip(shape, self.tiled.fields)]
        pixels = max(1.1 * least[0] * least[1], min(1.1 * self.tiled.fewest, shape[0] * shape[1]))
        band = 4 * max(least[0], pixels / shape[1]) * shape[1] * (6 + 2 * self.tiled.fields[0].step.denominator ** 2)
        needed = self._fixed(photo) + int(pixels * self.bytes_per_pixel + band)
        return (
            f"--memory {self.memory >> 20}M: too little for {photo.path.name} ({shape[1]}x{shape[0]} pixels) with "
            f"{self.method.name} at x{self.scale}; expected {(needed >> 20) + 1}M or more"
        )

    def bicubic_luma(self, photo, start, stop):
        """Rows start..stop of the bicubic enlargement of Y: ndarray, (stop - start, m W), float32."""
        strips = self._strips(photo)
        return strips.rows(photo.luma(*strips.needs(start, stop)), start, stop)

    def _strips(self, photo):
        return matlab.ImresizeStrips(photo.pixels.shape[:2], self.scale, edge=self.edge)

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
        bands = self.tiled.bands(self._reader(photo), found or self.plan(photo), progress)
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
            return np.pad(rows, ((max(self.pad - start, 0), 0), (self.pad, 0)), mode="edge")

        return padded

    def _placed(self, photo, bands):
        """Bands of the net's output as bands of the result."""
        if not self.method.starts_late:
            yield from _resized(bands, self._output_shape(photo), self.shape(photo)[0], self.edge)
            return
        for top, band in bands:
            # the output's pixel 1 lies on pixel 0 of the picture
            band, top = (band[1:, 1:], 0) if top == 0 else (band[:, 1:], top - 1)
            if len(band):
                if self.method.adds_base:
                    band = self.bicubic_luma(photo, top, top + len(band)) + band
                yield top, band

    def _output_shape(self, photo):
        return self.tiled.outputs(self._input_shape(photo))

    def strips(self, photo, compare=False, progress=lambda: None):
        """The result in colour from top to bottom.

        Parameters
        ----------
        photo : Photo
        compare : bool
            Also give the bicubic enlargement.
        progress : callable
            Called after each window.

        Yields
        ------
        (ndarray, ndarray or None)
            Rows of the result, (rows, m W, C), of the picture's class: gray or RGB, then alpha where the picture has
            it; the same rows of the bicubic enlargement for `compare`.
        """
        height, width = self.shape(photo)
        step = max(1, STRIP // width)
        resize = self._strips(photo)
        bands = self.luma(photo, progress=progress) if self.tiled else iter([(0, None)])
        for top, band in bands:
            rows = height if band is None else len(band)
            for start in range(top, top + rows, step):
                stop = min(start + step, top + rows)
                base = self.bicubic_luma(photo, start, stop) if band is None or compare else None
                luma = base if band is None else band[start - top : stop - top]
                rest = _Rest(photo, resize, start, stop)
                yield rest.coloured(luma), rest.coloured(base) if compare else None


class _Rest:
    """What belongs to rows start..stop besides Y: Cb and Cr (float64), alpha, each enlarged."""

    def __init__(self, photo, resize, start, stop):
        low, high = resize.needs(start, stop)
        self.dtype, self.chroma, self.alpha = photo.pixels.dtype, None, None
        if photo.pixels.ndim == 3:
            self.chroma = resize.rows(photo.chroma(low, high), start, stop)
        if photo.alpha is not None:
            self.alpha = resize.rows(photo.alpha[low:high], start, stop)

    def coloured(self, luma):
        """Rows (n, m W, C) of the picture's class from their Y (n, m W), float32."""
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
