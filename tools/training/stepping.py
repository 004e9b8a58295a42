"""Run a solver's iterations: on the CPU and by several ranks as Caffe does, on one GPU by CUDA graphs of its passes.

A graph holds the very kernels that Caffe launches, recorded once and issued as a whole; small batches spend most of
their time in the launches. It is part of this project's CUDA build (caffe_build._graph).
"""

import numpy as np

from tools.gpu.device import CPU
from tools.nets.runtime import have_graphs
from tools.training import loss_weights, orders

# iterations between two looks at Ctrl-C
GRAPH_CHUNK = 50


class Plain:
    """Iterations by Caffe's own Solver::Step."""

    chunk = 1

    def __init__(self, solver):
        self.solver, self.loss = solver, loss_weights.total(solver.net) if solver else None

    def step(self, iterations):
        """Run `iterations` (int) of training; gives their losses (list of float); raises MemoryError."""
        losses = []
        for _ in range(iterations):
            self.solver.step(1)
            losses.append(self.loss())
        return losses


class Graphs:
    """The same iterations by CUDA graphs; the net must begin with data layers and end in its loss."""

    chunk = GRAPH_CHUNK

    def __init__(self, solver):
        from caffe_build import _graph  # of the CUDA build alone; loads Caffe

        self.graphs = _graph.GraphSolver(solver)

    def step(self, iterations):
        """Run `iterations` (int) of training; gives their losses (list of float); raises MemoryError."""
        return self.graphs.step(iterations)


class Together:
    """Iterations that all ranks run; rank 0 has this one and tells the others.

    Parameters
    ----------
    plain : Plain
    ranks : Alone
    chunk : int
        Iterations between two looks at Ctrl-C.
    """

    def __init__(self, plain, ranks, chunk):
        self.plain, self.ranks, self.chunk = plain, ranks, chunk

    def step(self, iterations):
        """Run `iterations` (int) of training; gives their losses (list of float), of all ranks' pairs."""
        self.ranks.broadcast(orders.Step(iterations, self.plain.solver.param.base_lr))
        return averaged_losses(self.plain.step(iterations), self.ranks)


def averaged_losses(losses, ranks):
    """The means (list of float) over the ranks of their losses; every rank calls it."""
    total = np.array(losses, np.float64)
    ranks.add_up(total)
    return (total / ranks.size).tolist()


def stepper(solver, device=CPU, graphs=True, ranks=None):
    """What runs `solver` (caffe solver) on `device` (Device), with `ranks` (Alone) where there are several.

    That is Together with others, else Graphs where it can, else Plain.
    """
    if ranks and ranks.size > 1:
        return Together(Plain(solver), ranks, GRAPH_CHUNK if device.on_gpu else 1)
    return Graphs(solver) if graphs and device.on_gpu and have_graphs() else Plain(solver)
