"""Nets written in Python: `layers` makes layers by their type's name, `params` names the values of enums."""

from collections import OrderedDict
from typing import Any

from caffe.proto.caffe_pb2 import NetParameter

class Top:
    """One output of a layer."""

    fn: Function
    n: int
    def __init__(self, fn: Function, n: int) -> None: ...
    def to_proto(self) -> NetParameter: ...

class Function:
    """A layer: its type, inputs and parameters."""

    type_name: str
    inputs: tuple[Top, ...]
    params: dict[str, Any]
    ntop: int
    in_place: bool
    tops: tuple[Top, ...]
    def __init__(self, type_name: str, inputs: tuple[Top, ...], params: dict[str, Any]) -> None: ...

class NetSpec:
    """A net whose attributes are its named tops."""

    tops: OrderedDict[str, Top]
    def __init__(self) -> None: ...
    def __setattr__(self, name: str, value: Any) -> None: ...
    def __getattr__(self, name: str) -> Any: ...
    def __setitem__(self, key: str, value: Any) -> None: ...
    def __getitem__(self, item: str) -> Any: ...
    def to_proto(self) -> NetParameter: ...

class Layers:
    """`layers.Convolution(bottom, num_output=64)`: a Top; a tuple of them with `ntop`, a Function with `ntop=0`."""

    def __getattr__(self, name: str) -> Any: ...

class Parameters:
    """`params.Pooling.MAX`: the number of a value of an enum."""

    def __getattr__(self, name: str) -> Any: ...

layers: Layers
params: Parameters

def to_proto(*tops: Top) -> NetParameter: ...
def assign_proto(proto: Any, name: str, val: Any) -> None: ...
def param_name_dict() -> dict[str, str]: ...
