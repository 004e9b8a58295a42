"""What a run is to do, by its options: its stages and their lengths, and the settings of each."""

from dataclasses import dataclass
from typing import NamedTuple, Optional

from tools.common.errors import UserError
from tools.training import subject as subjects
from tools.training.schedules import FACTOR, LARGEST

STEPSIZE = 250_000  # iterations of the full schedule after which the learning rate falls to a tenth


@dataclass(frozen=True)
class Settings:
    """What decides a stage's result; written to the run's folder, and compared when the stage goes on.

    Attributes
    ----------
    scale : int
    stage : str
        pretrain, train or finetune; a method other than IDN has no pretrain.
    iterations : int or None
        Length of the stage; None: the time says it (--hours).
    stepsize : int or None
        Iterations after which the learning rate falls to a tenth; None: as `falls` says.
    beta1, base_lr : float
        Of Adam; with SGD beta1 is its momentum.
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
    method : str, optional
        None: IDN.
    net : dict, optional
        Options of the net's body other than the defaults.
    loss : str, optional
        IDN's for every stage; None: each stage's own.
    type : str, optional
        Of Caffe's solver; None: Adam.
    clip : float, optional
        theta of the clipping relative to the rate; `clip_by` is "value" or "norm".
    least_lr : float, optional
        Below which the rate does not fall.
    plateau : tuple, optional
        (patience, least rate, validation interval) where the rate follows the validation.
    alpha : int, optional
        Iterations over which DRCN's alpha falls from 1 to 0.
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
    method: Optional[str] = None
    net: Optional[dict] = None
    loss: Optional[str] = None
    type: Optional[str] = None
    clip: Optional[float] = None
    clip_by: Optional[str] = None
    least_lr: Optional[float] = None
    plateau: Optional[tuple] = None
    alpha: Optional[int] = None

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


def schedule(iterations, stage, subject=subjects.DEFAULT):
    """Lengths of the stages.

    Parameters
    ----------
    iterations : int or None
        For the whole run; None: the paper's and the release's.
    stage : str or None
        The one stage to run; None: all that are usual.
    subject : Subject, optional
        Default: IDN.

    Returns
    -------
    dict of str to int
        Each at least 1.

    Raises
    ------
    UserError
        Fewer iterations than stages.
    """
    stages = (stage,) if stage else subject.usual_stages
    full = {name: subject.full_length(name) for name in stages}
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
    subject = subjects.of(options)
    base_lr = more.pop("base_lr", None)
    counted = "falls" not in more and "shares" not in more
    if not subject.is_idn:
        return _by_recipe(subject, options, stage, iterations, base_lr, counted, more)
    return Settings(
        scale=options.scale,
        stage=stage,
        iterations=iterations,
        stepsize=_shrunk(STEPSIZE, subject, stage, iterations) if counted else None,
        beta1=options.beta1,
        base_lr=subject.base_lr(stage) * options.lr / subject.base_lr("train") if base_lr is None else base_lr,
        batch=options.batch,
        seed=options.seed,
        net=subject.options or None,
        loss=subject.loss,
        **more,
    )


def _shrunk(stepsize, subject, stage, iterations):
    """Iterations (int) between two falls of the rate in a stage that is shorter or longer than the whole recipe's."""
    full = subject.full_length(stage)
    whole = subject.useful_length(stage) if iterations < full else full
    return min(LARGEST, max(1, round(stepsize * iterations / whole)))


def _by_recipe(subject, options, stage, iterations, base_lr, counted, more):
    """Settings of a stage of a network with a Recipe."""
    recipe = subject.recipe
    stepped, follows = counted and recipe.stepsize, counted and recipe.plateau
    if base_lr is None:
        base_lr = subject.base_lr(stage) * (options.lr / recipe.base_lr if options.lr_given else 1)
    theta = recipe.clip if options.theta is None else options.theta
    alpha = recipe.alpha and recipe.alpha * recipe.epoch
    return Settings(
        scale=options.scale, stage=stage, iterations=iterations,
        stepsize=_shrunk(recipe.stepsize, subject, stage, iterations) if stepped else None,
        beta1=options.beta1, base_lr=base_lr, batch=options.batch, seed=options.seed,
        method=subject.method.name, type=options.solver or recipe.type,
        clip=theta, clip_by=recipe.clip_by if theta else None,
        least_lr=recipe.least_lr or None if counted else None,
        plateau=(recipe.plateau.patience, recipe.plateau.least, options.test_interval or recipe.epoch)
        if follows else None,
        alpha=alpha and (min(alpha, iterations // 2) if iterations else alpha),
        **{"factor": _factor(recipe) if stepped or follows else None, **more},
    )  # fmt: skip


def _factor(recipe):
    return recipe.plateau.factor if recipe.plateau else recipe.gamma


def intervals_of(iterations, snapshot=None, test=None):
    """Intervals of a stage of so many iterations: those given, else the release's 20,000 and 5,000, or a tenth."""
    tenth = max(1, iterations // 10)
    return Intervals(
        display=max(1, min(100, iterations // 50)),
        test=test or min(5_000, tenth),
        snapshot=snapshot or min(20_000, tenth),
    )
