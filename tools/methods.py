"""The methods that the benchmark knows: which net, which weight file, what goes in and what comes out.

A method is one entry in METHODS; the benchmark, its tables and its errors take everything from there.
"""

from dataclasses import dataclass
from typing import Callable, Optional

from tools import evaluation


@dataclass(frozen=True)
class Method:
    """One way to enlarge an image.

    Attributes
    ----------
    name : str
        As the paper's tables have it.
    finish : callable (net's output or None, Sample) -> ndarray, (m H, m W), float32
        The result of about 0..1 from the net's output.
    scales : tuple of int
    weights : str or None
        Weight file below the weights folder, with `{scale}`; None for a method without a net.
    build : callable (scale) -> NetParameter, or None
        The deploy net, with an input blob `data`.
    take : callable (Sample) -> ndarray, float32
        What the net is given.
    output : str
        The blob that is read.
    """

    name: str
    finish: Callable
    scales: tuple = (2, 3, 4)
    weights: Optional[str] = None
    build: Optional[Callable] = None
    take: Optional[Callable] = None
    output: str = "upsample"


def _idn(scale):
    # here, because the generators import Caffe, which re-rendering tables must not need
    from prototxt.idn import idn

    return idn(scale, "deploy")


METHODS = {
    method.name: method
    for method in (
        Method("Bicubic", finish=lambda _, sample: sample.base),
        Method(
            "IDN",
            finish=evaluation.add_base,
            weights="idn/IDN_x{scale}.caffemodel",
            build=_idn,
            take=lambda sample: sample.lr,
        ),
    )
}
