"""Gradient clipping relative to the learning rate, which VDSR, DRCN, DRRN and MemNet need and stock Caffe lacks.

Caffe's solver calls back between the gradients and its update; there each value, or the norm of all, is bounded by
theta / rate. Whatever the rate, an iteration then moves the weights by theta at most (before momentum).
"""

from contextlib import contextmanager

import numpy as np

from tools.nets import caffemodels


@contextmanager
def clipped(solver, theta, by, iter_size=1):
    """Have the gradients of a solver clipped while the context lasts.

    Parameters
    ----------
    solver : caffe solver
        Of the type SGD or one of its kin; its rate may change meanwhile.
    theta : float
        More than 0.
    by : {"norm", "value"}
        The L2 norm of all gradients together, or each value, is bounded by theta / rate.
    iter_size : int
        The solver's: of so many passes it adds the gradients up first. It is their mean that is bounded, which is the
        gradient of the whole batch, so that the result does not depend on how the batch is split.

    Notes
    -----
    An array that layers share counts once, as in Caffe's own clipping. On a GPU the gradients come to the CPU and go
    back.
    """
    state = {"solver": solver, "blobs": caffemodels.learnable(solver.net)}

    def clip():
        if state:  # Caffe keeps the callback as long as the solver, and may not keep what it refers to
            bound = theta / state["solver"].lr * iter_size
            CLIPS[by]([blob.diff for blob in state["blobs"]], bound)

    solver.add_callback(lambda: None, clip)
    try:
        yield
    finally:
        state.clear()


def by_value(gradients, bound):
    """Bound every value of the gradients (list of ndarray, changed in place) to -bound..bound (float)."""
    for gradient in gradients:
        np.clip(gradient, -bound, bound, out=gradient)


def by_norm(gradients, bound):
    """Scale the gradients (list of ndarray, changed in place) so that their L2 norm together is `bound` at most."""
    squares = (np.square(gradient, dtype=np.float64).sum() for gradient in gradients)
    norm = np.sqrt(sum(squares))
    if norm > bound:
        for gradient in gradients:
            gradient *= np.float32(bound / norm)


CLIPS = {"norm": by_norm, "value": by_value}
