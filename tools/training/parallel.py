"""Training by several ranks: each takes every n-th pair and batch / n pairs, and their gradients are averaged.

An iteration is then that of one process with the whole batch, to within the order of summation. Caffe's HDF5Data layer
deals out the pairs by the solver's rank; the gradients are averaged before anything else sees them, on the CPU by the
ranks' own sum, on GPUs by Caffe's NCCL.
"""

import hashlib
import os
from contextlib import contextmanager

import numpy as np

from prototxt.engine import caffe
from tools.common.errors import UserError
from tools.nets import caffemodels


def check(subject, batch, ranks, device):
    """Raise UserError unless `ranks` (Alone) can train together.

    Parameters
    ----------
    subject : Subject
        What is trained.
    batch : int
        Pairs in an iteration, of all ranks together.
    device : Device
        Of this rank.
    """
    if ranks.size == 1:
        return
    if batch % ranks.size:
        raise UserError(
            f"batch: got {batch} for {ranks.size} processes, expected a multiple of {ranks.size}; give another number "
            "of processes, or another --batch"
        )
    if device.on_gpu and not caffe.has_nccl():
        raise UserError(
            f"{device}: this Caffe was built without NCCL, which several GPUs need; give one "
            "GPU, or build with NCCL (pycaffe/README.md)"
        )
    if any(layer.type == "BatchNorm" for layer in subject.deploy_net().layer):
        raise UserError(
            f"{subject.method.name}: BatchNorm normalises by the whole batch, of which each process has a share alone; "
            "train in one process, on the CPU or on one GPU"
        )


def join(ranks):
    """Tell Caffe which of the `ranks` (Alone) this process is; before the solver and NCCL's id are made."""
    if ranks.launched:  # all are here; some machines have no other interface
        os.environ.setdefault("NCCL_SOCKET_IFNAME", "lo")
    caffe.set_solver_count(ranks.size)
    caffe.set_solver_rank(ranks.rank)
    caffe.set_multiprocess(ranks.size > 1)


@contextmanager
def averaged(solver, ranks, uid=None):
    """Have the gradients of a solver averaged with those of the other ranks while the context lasts.

    All ranks enter it together, and take the weights of rank 0.

    Parameters
    ----------
    solver : caffe solver
    ranks : Alone
        Several.
    uid : bytes, optional
        On GPUs: of caffe.NCCL.new_uid, the same for all ranks.
    """
    if uid is not None:
        nccl = connect(solver, uid)
        yield
        del nccl
        return
    blobs = caffemodels.learnable(solver.net)
    _take_weights(blobs, ranks)
    state = {"blobs": blobs, "all": np.empty(sum(blob.count for blob in blobs), np.float32)}

    def average():
        if state:  # see clipping.clipped
            _gather_into(state["all"], [blob.diff for blob in state["blobs"]])
            ranks.add_up(state["all"])
            state["all"] /= np.float32(ranks.size)
            _scatter_from(state["all"], [blob.diff for blob in state["blobs"]])

    solver.add_callback(lambda: None, average)
    try:
        yield
    finally:
        state.clear()


def connect(solver, uid):
    """Make `solver` (caffe solver) share its gradients by NCCL; waits until all are there.

    Parameters
    ----------
    uid : bytes
        Of caffe.NCCL.new_uid, the same for all ranks.

    Returns
    -------
    caffe.NCCL
        To be kept as long as the solver.
    """
    nccl = caffe.NCCL(solver, uid)
    nccl.bcast()
    solver.add_callback(nccl)
    return nccl


def _take_weights(blobs, ranks):
    weights = np.empty(sum(blob.count for blob in blobs), np.float32)
    _gather_into(weights, [blob.data for blob in blobs])
    ranks.copy_from_first(weights)
    _scatter_from(weights, [blob.data for blob in blobs])


def _gather_into(flat, arrays):
    begin = 0
    for array in arrays:
        flat[begin : begin + array.size] = array.ravel()
        begin += array.size


def _scatter_from(flat, arrays):
    begin = 0
    for array in arrays:
        array[...] = flat[begin : begin + array.size].reshape(array.shape)
        begin += array.size


def weights_digest(solver):
    """A digest (bytes) of the weights of a solver, which every rank has the same of."""
    digest = hashlib.sha256()
    for blob in caffemodels.learnable(solver.net):
        digest.update(np.ascontiguousarray(blob.data))
    return digest.digest()
