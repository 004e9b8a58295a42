"""Enlarge photographs with any method, in bounded memory: what a picture takes is known before it is decoded.

Everything flows in bands of rows (tools/photos/result.py): the net gives Y window by window (tools/nets/windows.py),
each band is coloured, rounded to the picture's depth and handed on. Nothing but the small picture is ever held as a
whole.
"""

import gc
from dataclasses import dataclass
from typing import Optional

from prototxt.receptive import receptive_field
from tools.common.errors import UserError
from tools.nets import deploying, engines, forward_memory, windows
from tools.photos import needed_memory
from tools.photos.result import Result, rows_at_a_time


class TooLarge(UserError):
    """The memory that is allowed does not suffice for a picture."""


@dataclass(frozen=True)
class Plan:
    """How a picture of known size is enlarged.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns of the result.
    windows : (Windows, Windows) or None
        Along rows and columns of the net's input; None for a method without a net.
    steps : int
        How often the result's `progress` is called.
    """

    shape: tuple
    windows: Optional[tuple]
    steps: int


class Enlarger:
    """One method at one factor; the net is built once and takes any number of pictures.

    Parameters
    ----------
    method : tools.methods.registry.Method
    scale : int
        m, the enlargement.
    weights : Path or None
        None for a method without a net.
    net : caffe.Net, optional
        The method's net with these weights, where the caller has it.
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
        self, method, scale, weights=None, *,
        net=None, engine="caffe", gpu=False, memory=2 << 30, allowed=None, edge="replicate",
    ):  # fmt: skip
        self.method, self.scale, self.memory, self.edge = method, scale, memory, edge
        self.allowed = allowed or f"--memory {memory >> 20}M"
        self.tiled, self._net_memory, self._held = None, None, 0
        sharing = engine == "caffe" and not gpu
        self._load = lambda: _lean(method.load(scale, weights, engine), method, sharing)
        if method.network:
            message = method.build(scale)
            net = _lean(net or method.load(scale, weights), method, sharing)
            # for a GPU and for other engines, which take less, the figure of stock Caffe
            onednn = False if engine != "caffe" or gpu else None
            a_pixel, constant = forward_memory.forward_bytes(net, message, onednn)
            fields = receptive_field(message, method.blob)
            self.tiled = windows.Tiled(net, method.blob, fields, windows.fewest(net, message))
            # LapSRN's for x3 is that for x4
            resized = not method.enlarges_first and fields[0].step.denominator != scale
            self._net_memory = needed_memory.NetMemory(self.tiled, a_pixel, constant, resized)
            self.tiled.net = engines.convert(net, message, engine)

    @property
    def pads(self):
        """Rows and columns (int, int) that the net's input gets at the top and left, and at the bottom and right."""
        border = self.method.border
        return border + (self.method.starts_late and not border), border

    def shape(self, extent):
        """Rows and columns (int, int) of the result for a picture (tools.photos.photo.Extent)."""
        return tuple(self.scale * n for n in extent.shape)

    def input_shape(self, extent):
        """Rows and columns (int, int) of the net's input for a picture."""
        shape = self.shape(extent) if self.method.enlarges_first else extent.shape
        return tuple(n + sum(self.pads) for n in shape)

    def plan(self, extent, reading=0, beside=0):
        """Plan a picture by its size, before it is decoded.

        Parameters
        ----------
        extent : tools.photos.photo.Extent
            Of the picture.
        reading : int
            Bytes that reading it takes for a while.
        beside : int
            Bytes that writing the result takes besides a few rows.

        Returns
        -------
        Plan

        Raises
        ------
        TooLarge
            The memory does not suffice; the text says what would.
        """
        constant = self._net_memory.constant if self.tiled else 0
        to_read = needed_memory.PROCESS + constant + reading
        shape = self.shape(extent)
        fixed = constant + needed_memory.without_net(extent, shape, beside)
        spare = self.memory - fixed
        found, band = None, 0
        if self.tiled and spare >= 0:
            width = self.input_shape(extent)[1]
            found = self.tiled.plan(self.input_shape(extent), self._net_memory.room(spare, width))
            band = self._net_memory.of_band(found[0].size, width) if found else 0
        if to_read > self.memory or spare < 0 or (self.tiled and not found):
            raise self._too_large(extent, fixed, to_read)
        if max(to_read + self._held - self.memory, self._held + band - spare) > 0:
            self._release()
        steps = len(found[0].windows) * len(found[1].windows) if found else -(-shape[0] // rows_at_a_time(shape[1]))
        return Plan(shape, found, steps)

    def _too_large(self, extent, fixed, to_read):
        """The refusal, with the memory that suffices: `fixed` bytes are needed besides the net's windows."""
        least = self._net_memory.least(self.input_shape(extent)) if self.tiled else 0
        needed = max(to_read, fixed + least)
        return TooLarge(
            f"{self.allowed}: too little for {extent.name} ({extent.width}x{extent.height} pixels) with "
            f"{self.method.name} at x{self.scale}; expected {(needed >> 20) + 1}M or more"
        )

    def hold(self, found):
        """Note that the net now keeps the memory of windows (Windows, Windows): Caffe keeps that of the largest."""
        self._held = max(self._held, self._net_memory.of_window(found))

    def _release(self):
        """Give the net's memory back."""
        if self.tiled is not None:
            self.tiled.net, self._held = None, 0
            gc.collect()
            self.tiled.net = self._load()

    def result(self, photo, plan=None):
        """What becomes of a picture (Photo): a Result, by `plan`'s Plan or one of its own."""
        return Result(self, photo, plan or self.plan(photo.extent))


def _lean(net, method, sharing):
    """A method's net, whose blobs share memory if `sharing` says so."""
    return deploying.share_memory(net, method.blob) if sharing else net
