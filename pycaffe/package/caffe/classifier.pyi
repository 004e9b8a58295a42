"""A net that classifies pictures."""

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caffe._caffe import Net
from caffe.io import Transformer

class Classifier(Net):
    transformer: Transformer
    crop_dims: NDArray[Any]
    image_dims: Sequence[int]
    def __init__(
        self,
        model_file: str | PathLike[str],
        pretrained_file: str | PathLike[str],
        image_dims: Sequence[int] | None = ...,
        mean: NDArray[Any] | None = ...,
        input_scale: float | None = ...,
        raw_scale: float | None = ...,
        channel_swap: Sequence[int] | None = ...,
    ) -> None: ...
    def predict(self, inputs: Iterable[NDArray[Any]], oversample: bool = ...) -> NDArray[np.float32]: ...
