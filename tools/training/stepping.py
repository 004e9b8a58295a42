"""Run a solver's iterations: on the CPU and on several GPUs as Caffe does, on one GPU by CUDA graphs of Caffe's passes.

A graph holds the very kernels that Caffe launches, recorded once and issued as a whole; small batches spend most of
their time in the launches. It is part of this project's CUDA build (caffe_build._graph).
"""

from tools.gpu.device import CPU
from tools.nets.runtime import have_graphs
from tools.training import loss_weights

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


def stepper(solver, device=CPU, graphs=True):
    """What runs `solver` (caffe solver) on `device` (tools.gpu.device.Device): Graphs where it can, else Plain."""
    return Graphs(solver) if graphs and len(device.gpus) == 1 and have_graphs() else Plain(solver)
