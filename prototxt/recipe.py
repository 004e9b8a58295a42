"""How the authors of a network trained it, and the solver of stock Caffe that comes nearest.

tools/train.py follows the whole recipe. The generated solvers are for stock Caffe (`caffe train`), which lacks three
things:

Gradient clipping relative to the learning rate (VDSR, DRRN, MemNet, DRCN). With a clipping threshold theta and the
learning rate r,

- VDSR (and DRCN, same authors) clips every single gradient value to [-theta/r, theta/r]. Stock Caffe's
  `clip_gradients` bounds the L2 norm of all gradients together: per-value clipping cannot be expressed, and
  its threshold of value would mean nothing as a norm. The VDSR and DRCN solvers here leave it out, and at the
  papers' rates they diverge.
- DRRN and MemNet changed one line of their Caffe, so that the norm is bounded by theta/r. Stock Caffe has the
  norm but a fixed bound. As r is constant between two steps, the same rule comes out exactly when each step runs
  as a solver of its own with clip_gradients = theta/r: `--lr-step 0`, then `--lr-step 1` from its snapshot
  (caffe train -snapshot), and so on. The solver without --lr-step has the first step's bound all along.

A learning rate that falls when the validation stops improving (DRCN, ESPCN), or that stops falling (LapSRN).

A loss whose weights change in training (DRCN's alpha).
"""

from dataclasses import dataclass
from typing import Optional

from prototxt.engine import caffe
from prototxt.errors import NetError

CLIPS = ("norm", "value")


@dataclass(frozen=True)
class Plateau:
    """A learning rate that falls when the validation stops improving.

    Attributes
    ----------
    patience : int
        Validations in a row without a new best that it waits for; there is one an epoch.
    least : float
        The training ends when the rate would fall below it.
    factor : float
        What the rate is multiplied by.
    """

    patience: int
    least: float
    factor: float = 0.1


@dataclass(frozen=True)
class Recipe:
    """A training recipe.

    Attributes
    ----------
    loss, patches : str
        What is minimised and the training sub-images, in words.
    base_lr, weight_decay : float
    max_iter, batch : int
    type : str
        Caffe's solver type.
    momentum : float
        SGD's momentum, Adam's beta1.
    stepsize, gamma : int, float
        The learning rate is multiplied by gamma every stepsize iterations; stepsize None: it is fixed.
    least_lr : float
        Below which the learning rate does not fall.
    clip : float or None
        theta of clipping relative to the learning rate.
    clip_by : str
        "norm": the norm of all gradients together; "value": each value.
    epoch : int or None
        Iterations in a pass through the training pairs, where the recipe counts in epochs.
    plateau : Plateau or None
        Instead of `stepsize`.
    alpha : int or None
        The net's loss has a weight `alpha` of inner predictions, which falls from 1 to 0 in a straight line over so
        many epochs.
    finetune_lr : float or None
        Learning rate of a second stage on more images.
    notes : tuple of str
        What of the recipe the solver cannot or does not say.
    """

    loss: str
    patches: str
    base_lr: float
    max_iter: int
    batch: int
    type: str = "SGD"
    momentum: float = 0.9
    weight_decay: float = 0.0
    stepsize: Optional[int] = None
    gamma: float = 0.1
    least_lr: float = 0.0
    clip: Optional[float] = None
    clip_by: str = "norm"
    epoch: Optional[int] = None
    plateau: Optional[Plateau] = None
    alpha: Optional[int] = None
    finetune_lr: Optional[float] = None
    notes: tuple = ()

    def __post_init__(self):
        if self.clip is not None and not self.clip > 0:
            raise NetError(f"theta: got {self.clip:g}, expected more than 0 (gradients are clipped to theta / rate)")
        if self.clip_by not in CLIPS:
            raise NetError(f"clip_by: got {self.clip_by!r}, expected {' or '.join(CLIPS)}")


def recipe_solver(recipe, net, snapshot_prefix, *, lr_step=None, snapshot=20_000, display=100):
    """The solver that comes nearest to a recipe.

    Parameters
    ----------
    recipe : Recipe
    net, snapshot_prefix : str
        Path of the train net; where snapshots go.
    lr_step : int, optional
        Only this step of the learning rate, from 0, at its own rate and clipping bound. Default: the whole
        schedule.
    snapshot, display : int
        Iterations between snapshots, log lines.

    Returns
    -------
    SolverParameter
        Without test_iter: it depends on the size of the validation database.

    Raises
    ------
    NetError
        A step that the schedule does not have.
    """
    s = caffe.proto.caffe_pb2.SolverParameter()
    s.net = net
    s.type = recipe.type
    s.momentum = recipe.momentum
    s.weight_decay = recipe.weight_decay
    s.max_iter = recipe.max_iter
    s.display = display
    s.snapshot = snapshot
    s.snapshot_prefix = snapshot_prefix
    if lr_step is None:
        s.base_lr = recipe.base_lr
        s.lr_policy = "step" if recipe.stepsize else "fixed"
        if recipe.stepsize:
            s.gamma, s.stepsize = recipe.gamma, recipe.stepsize
    else:
        _check_step(recipe, lr_step)
        s.base_lr = recipe.base_lr * recipe.gamma**lr_step
        s.lr_policy = "fixed"
        if recipe.stepsize:
            s.max_iter = min(recipe.max_iter, recipe.stepsize * (lr_step + 1))
    if recipe.clip is not None and recipe.clip_by == "norm":
        s.clip_gradients = recipe.clip / s.base_lr
    return s


def steps(recipe):
    """Number of learning rates in a recipe's schedule."""
    return 1 if recipe.stepsize is None else -(-recipe.max_iter // recipe.stepsize)


def _check_step(recipe, lr_step):
    number = steps(recipe)
    if not 0 <= lr_step < number:
        raise NetError(f"lr-step: got {lr_step}, expected 0 to {number - 1} (the schedule has {number} learning rates)")


def notes(recipe):
    """Comment lines (list of str) for the solver's file."""
    lines = [f"loss: {recipe.loss}", f"patches: {recipe.patches}", *recipe.notes]
    if recipe.clip is not None:
        stock = "is fixed" if recipe.clip_by == "norm" else "knows norms only"
        lines.append(
            f"gradients are clipped by {recipe.clip_by} to {recipe.clip:g} / learning rate; stock Caffe's clipping "
            f"{stock}, see prototxt/recipe.py"
        )
    if recipe.plateau:
        falls = f"to {recipe.plateau.factor:g} of it after {recipe.plateau.patience} epochs without a better validation"
        lines.append(f"the rate falls {falls}, down to {recipe.plateau.least:g}: tools/train.py does; fixed here")
    if recipe.alpha:
        lines.append(f"alpha falls from 1 to 0 over {recipe.alpha} epochs: tools/train.py does; fixed here")
    if recipe.least_lr:
        lines.append(f"the rate does not fall below {recipe.least_lr:g}: tools/train.py does, stock Caffe cannot")
    return lines
