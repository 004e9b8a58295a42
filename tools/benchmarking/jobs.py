"""What is to be measured, how, and what comes out for an image."""

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np

from data_prep.images import ImageInfo
from tools.common.memory import GpuMemory
from tools.methods import evaluation
from tools.methods.protocols import PROTOCOLS, Protocol
from tools.methods.registry import Method


@dataclass(frozen=True)
class Job:
    """One row to be: a method on an image set at a scale.

    Attributes
    ----------
    dataset : str
    scale : int
    method : Method
    paths : list of Path
        The images; empty when there are none.
    weights : Path or None
        The method's .caffemodel or .mat; None for random weights.
    gap : str or None
        Why this row cannot be measured here.
    protocol : Protocol
        How to test.
    tile : (int, int) or None
        Side and overlap of the tiles, for a net that takes the enlarged image.
    images : tuple of ImageInfo
        What plan.inspected found of `paths`; what is not inspected is not measured.
    """

    dataset: str
    scale: int
    method: Method
    paths: list
    weights: Optional[Path] = None
    gap: Optional[str] = None
    protocol: Protocol = PROTOCOLS["idn"]
    tile: Optional[tuple] = None
    images: tuple = ()

    def __str__(self):
        """Its name for the user, "Set5 x3 IDN"."""
        return f"{self.dataset} x{self.scale} {self.method.name}"

    @property
    def random(self):
        """Whether the net runs with random weights, for its time only."""
        return self.method.network is not None and self.weights is None and self.gap is None


@dataclass(frozen=True)
class Options:
    """How to measure: see the options of tools/benchmark.py of the same names.

    `pictures` is the folder they go to; `gpu` is None on the CPU; without `timed` no clock is read.
    """

    edge: str = "replicate"
    metrics: tuple = evaluation.METRICS
    repeats: int = 0
    pictures: Optional[Path] = None
    engine: str = "caffe"
    gpu: Optional[GpuMemory] = None
    timed: bool = True


@dataclass(frozen=True)
class Result:
    """One image after the first pass.

    Attributes
    ----------
    image : ImageInfo
    reference, result : ndarray, (m H, m W)
        What the protocol compares.
    sr : ndarray, (m H, m W), uint8
        The result's Y, for pictures.
    seconds, seconds_median : float or None
        The clock's readings.
    """

    image: ImageInfo
    reference: np.ndarray
    result: np.ndarray
    sr: np.ndarray
    seconds: Optional[float]
    seconds_median: Optional[float]
