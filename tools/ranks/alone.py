"""A process that trains alone, and with it what every kind of company offers.

Processes that train together are called ranks, as in MPI: 0 to size - 1. Rank 0 decides, logs and writes; the others do
what it says. All of them call the same collective method at the same time.
"""


class Alone:
    """The only rank; use it, and those that are derived from it, in a `with`.

    Attributes
    ----------
    rank, size : int
        Number of this process, and of how many.
    local_rank, local_size : int
        The same among those of this machine.
    launched : bool
        Rank 0 has started the others, on this machine; not MPI.
    """

    rank, size = local_rank, local_size = 0, 1
    launched = True

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        """Part from the others: in peace, or because of `error`, which ends them all."""

    def name(self, rank):
        """What a user calls `rank` (int): "rank 2 (node7)"."""
        return f"rank {rank}"

    def broadcast(self, value=None):
        """The `value` of rank 0, on every rank."""
        return value

    def gather(self, value):
        """The values (list) of all ranks on rank 0; None elsewhere."""
        return [value]

    def add_up(self, array):
        """Replace `array` (ndarray, 1-D) by the sum of all ranks' arrays of this shape.

        The sum is taken in the order of the ranks, whoever computes it, and every rank gets the same bits: a run that
        is resumed, or repeated with another MPI, gives the same weights.
        """

    def copy_from_first(self, array):
        """Replace `array` (ndarray, contiguous) by that of rank 0."""

    def agreed(self):
        """Note that all ranks are about to end for a reason that all of them know."""
