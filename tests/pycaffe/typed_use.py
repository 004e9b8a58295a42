"""Code as users of pycaffe write it, for mypy alone (test_types.py); nobody runs it."""

from collections import OrderedDict
from pathlib import Path

import caffe
import numpy as np
from caffe.proto import caffe_pb2
from numpy.typing import NDArray

Array = NDArray[np.float32]


class Double(caffe.Layer):
    """A Python layer."""

    def setup(self, bottom: caffe._caffe.RawBlobVec, top: caffe._caffe.RawBlobVec) -> None:
        self.factor = float(self.param_str or 2)

    def reshape(self, bottom: caffe._caffe.RawBlobVec, top: caffe._caffe.RawBlobVec) -> None:
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom: caffe._caffe.RawBlobVec, top: caffe._caffe.RawBlobVec) -> None:
        top[0].data[...] = self.factor * bottom[0].data


def classify(model: Path, weights: Path, image: Array) -> Array:
    net = caffe.Net(model, caffe.TEST, weights=weights)
    net.blobs["data"].reshape(1, *image.shape)
    net.blobs["data"].data[...] = image
    found: dict[str, Array] = net.forward(end="prob")
    weight: Array = net.params["conv1"][0].data
    order: OrderedDict[str, list[str]] = net.top_names
    prob = found["prob"]
    prob *= weight.sum() * len(order)
    return prob


def train(file: str) -> list[float]:
    caffe.set_mode_cpu()
    solver = caffe.get_solver(file)
    solver.add_callback(lambda: None, lambda: None)
    solver.step(np.int64(10))
    solver.param.base_lr = 0.1
    return [float(solver.net.blobs["loss"].data), solver.lr, solver.test_nets[0].blob_loss_weights["loss"]]


def write_net() -> str:
    n = caffe.NetSpec()
    n.data, n.label = caffe.layers.HDF5Data(ntop=2, source="list.txt", batch_size=4)
    n.loss = caffe.layers.L1Loss(n.data, n.label)
    net: caffe_pb2.NetParameter = n.to_proto()
    names: list[str] = [layer.name for layer in net.layer]
    pool: int = caffe_pb2.PoolingParameter.MAX
    return str(net) + ", ".join(names) + str(pool)


def read(picture: Path) -> bytes:
    datum = caffe.io.array_to_datum(caffe.io.load_image(picture).transpose(2, 0, 1), label=3)
    return datum.SerializeToString()
