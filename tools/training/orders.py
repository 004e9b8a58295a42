"""What rank 0 of a training tells the other ranks, which do one after the other."""

from typing import NamedTuple, Optional


class Stage(NamedTuple):
    """Begin a stage.

    Attributes
    ----------
    name : str
    iteration : int
        Where it stands.
    state : bytes or None
        The .solverstate that it goes on from; the weights follow.
    uid : bytes or None
        On GPUs: NCCL's.
    """

    name: str
    iteration: int
    state: Optional[bytes]
    uid: Optional[bytes]


class Step(NamedTuple):
    """Run iterations of the stage.

    Attributes
    ----------
    iterations : int
    base_lr : float
        What rank 0 has as the solver's base_lr: the rate may follow the time or the validation.
    """

    iterations: int
    base_lr: float


class Compare(NamedTuple):
    """Give a digest of the weights."""


class End(NamedTuple):
    """Leave; `status` (int) is the exit status."""

    status: int
