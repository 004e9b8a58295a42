"""What a run is to do, by its options: its stages and their lengths, and the settings of each."""

from dataclasses import dataclass

from prototxt.solver import BASE_LR, ITERATIONS, STAGES
from tools.common.errors import UserError

LARGEST = 2**31 - 1  # Caffe's whole numbers end here
STEPSIZE = 250_000  # iterations of the full schedule after which the learning rate falls to a tenth


@dataclass(frozen=True)
class Settings:
    """What decides a stage's result; written to the run's folder, and compared when the stage goes on.

    Attributes
    ----------
    scale : int
    stage : str
        pretrain, train or finetune.
    iterations : int
        Length of the stage.
    stepsize : int
        Iterations after which the learning rate falls to a tenth.
    beta1, base_lr : float
        Of Adam.
    batch : int
        Training pairs in an iteration.
    seed : int
        Of the fillers.
    """

    scale: int
    stage: str
    iterations: int
    stepsize: int
    beta1: float
    base_lr: float
    batch: int
    seed: int


@dataclass(frozen=True)
class Intervals:
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


def settings_of(options, stage, iterations):
    """Settings of one stage; the learning rate's step shrinks with the stage.

    Parameters
    ----------
    options : argparse.Namespace
        Of tools/train.py: scale, beta1, lr, batch, seed.
    stage : str
    iterations : int
        The stage's length, from `schedule`.
    """
    return Settings(
        scale=options.scale,
        stage=stage,
        iterations=iterations,
        stepsize=min(LARGEST, max(1, round(STEPSIZE * iterations / ITERATIONS[stage]))),
        beta1=options.beta1,
        base_lr=BASE_LR[stage] * options.lr / BASE_LR["train"],
        batch=options.batch,
        seed=options.seed,
    )


def intervals_of(iterations, snapshot=None, test=None):
    """Intervals of a stage of so many iterations: those given, else the release's 20,000 and 5,000, or a tenth."""
    tenth = max(1, iterations // 10)
    return Intervals(
        display=max(1, min(100, iterations // 50)),
        test=test or min(5_000, tenth),
        snapshot=snapshot or min(20_000, tenth),
    )
