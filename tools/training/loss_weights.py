"""Losses of a train net: their weighted sum, and weights that change in training."""

from contextlib import contextmanager


def total(net):
    """A function () -> float that reads a net's loss after a forward pass: the weighted sum of its outputs.

    Caffe keeps the weight of a loss in the gradient of its blob.
    """
    if list(net.outputs) == ["loss"] and net.blobs["loss"].diff == 1:
        return lambda: float(net.blobs["loss"].data)
    blobs = [net.blobs[name] for name in net.outputs]
    return lambda: sum(float(blob.diff.flat[0]) * float(blob.data.flat[0]) for blob in blobs)


@contextmanager
def lowered(solver, iterations, weights_of):
    """Have DRCN's alpha fall from 1 to 0 over the first iterations of a solver while the context lasts.

    Parameters
    ----------
    solver : caffe solver
    iterations : int
    weights_of : callable (float) -> dict of str to float
        The weights of the net's losses for an alpha: {blob: weight}.
    """
    state = {"solver": solver, "blobs": {name: solver.net.blobs[name] for name in weights_of(1)}}

    def set_weights():
        if state:  # see clipping.clipped
            alpha = max(0.0, 1 - state["solver"].iter / iterations)
            for name, weight in weights_of(alpha).items():
                state["blobs"][name].diff[...] = weight

    solver.add_callback(set_weights, lambda: None)
    try:
        yield
    finally:
        state.clear()
