"""What a run is to do, by its options: its stages and their lengths, and the settings of each."""

from dataclasses import dataclass
from typing import NamedTuple, Optional

from prototxt.solver import BASE_LR, ITERATIONS, STAGES
from tools.common.errors import UserError
from tools.training.schedules import FACTOR, LARGEST

STEPSIZE = 250_000  # iterations of the full schedule after which the learning rate falls to a tenth


@dataclass(frozen=True)
class Settings:
    """What decides a stage's result; written to the run's folder, and compared when the stage goes on.

    Attributes
    ----------
    scale : int
    stage : str
        pretrain, train or finetune.
    iterations : int or None
        Length of the stage; None: the time says it (--hours).
    stepsize : int or None
        Iterations after which the learning rate falls to a tenth; None: as `falls` says.
    beta1, base_lr : float
        Of Adam.
    batch : int
        Training pairs in an iteration.
    seed : int
        Of the fillers.
    falls : tuple of int, optional
        Iterations at which the learning rate is multiplied by `factor`; None: as `stepsize` or the time says.
    factor : float, optional
        Of `falls` or of the parts of `shares`.
    hours : float, optional
        Of --hours, for the whole run.
    shares : tuple of float, optional
        What each part of the stage has of these hours.
    """

    scale: int
    stage: str
    iterations: Optional[int]
    stepsize: Optional[int]
    beta1: float
    base_lr: float
    batch: int
    seed: int
    falls: Optional[tuple] = None
    factor: Optional[float] = None
    hours: Optional[float] = None
    shares: Optional[tuple] = None

    @property
    def all_falls(self):
        """Iterations (tuple of int) at which the learning rate falls before the stage ends."""
        if self.stepsize is None:
            return self.falls or ()
        return tuple(range(self.stepsize, self.iterations, self.stepsize))

    @property
    def fall_factor(self):
        """What the learning rate (float) is multiplied by at each fall."""
        return FACTOR if self.factor is None else self.factor


class Intervals(NamedTuple):
    """Iterations between log lines, validations and snapshots; they do not change the result."""

    display: int
    test: int
    snapshot: int


def schedule(iterations, stage):
    """Lengths of the stages.

    Parameters
    ----------
    iterations : int or None
        For the whole run; None: the paper's and the release's.
    stage : str or None
        The one stage to run; None: all three.

    Returns
    -------
    dict of str to int
        Each at least 1.

    Raises
    ------
    UserError
        Fewer iterations than stages.
    """
    stages = (stage,) if stage else STAGES
    full = {name: ITERATIONS[name] for name in stages}
    if iterations is None:
        return full
    if iterations < len(stages):
        raise UserError(f"iters: got {iterations}, expected at least {len(stages)} (one for each stage)")
    lengths = {name: max(1, iterations * n // sum(full.values())) for name, n in full.items()}
    longest = max(lengths, key=lengths.get)
    lengths[longest] += iterations - sum(lengths.values())
    return lengths


def settings_of(options, stage, iterations, **more):
    """Settings of one stage; unless `falls` or `shares` say more, the learning rate's step shrinks with the stage.

    Parameters
    ----------
    options : argparse.Namespace
        Of tools/train.py: scale, beta1, lr, batch, seed.
    stage : str
    iterations : int or None
        The stage's length, from `schedule`; None with `shares`.
    more
        Further fields of Settings; a base_lr of None is the stage's own.
    """
    base_lr = more.pop("base_lr", None)
    counted = "falls" not in more and "shares" not in more
    return Settings(
        scale=options.scale,
        stage=stage,
        iterations=iterations,
        stepsize=min(LARGEST, max(1, round(STEPSIZE * iterations / ITERATIONS[stage]))) if counted else None,
        beta1=options.beta1,
        base_lr=BASE_LR[stage] * options.lr / BASE_LR["train"] if base_lr is None else base_lr,
        batch=options.batch,
        seed=options.seed,
        **more,
    )


def intervals_of(iterations, snapshot=None, test=None):
    """Intervals of a stage of so many iterations: those given, else the release's 20,000 and 5,000, or a tenth."""
    tenth = max(1, iterations // 10)
    return Intervals(
        display=max(1, min(100, iterations // 50)),
        test=test or min(5_000, tenth),
        snapshot=snapshot or min(20_000, tenth),
    )
