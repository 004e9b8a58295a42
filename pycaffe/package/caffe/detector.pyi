"""A net that classifies windows of pictures (R-CNN)."""

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any

from numpy.typing import NDArray

from caffe._caffe import Net
from caffe.io import Transformer

class Detector(Net):
    transformer: Transformer
    def __init__(
        self,
        model_file: str | PathLike[str],
        pretrained_file: str | PathLike[str],
        mean: NDArray[Any] | None = ...,
        input_scale: float | None = ...,
        raw_scale: float | None = ...,
        channel_swap: Sequence[int] | None = ...,
        context_pad: int | None = ...,
    ) -> None: ...
    def detect_windows(self, images_windows: Iterable[tuple[str, Any]]) -> list[dict[str, Any]]: ...
    def detect_selective_search(self, image_fnames: Iterable[str]) -> list[dict[str, Any]]: ...
    def crop(self, im: NDArray[Any], window: Any) -> NDArray[Any]: ...
    def configure_crop(self, context_pad: int | None) -> None: ...
