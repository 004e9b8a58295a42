"""How the authors of a network trained it, and the Caffe solver that comes nearest.

Gradient clipping relative to the learning rate (VDSR, DRRN, MemNet, DRCN) needs a word, because stock Caffe
does not have it. With a clipping threshold theta and the learning rate r,

- VDSR (and DRCN, same authors) clips every single gradient value to [-theta/r, theta/r]. Stock Caffe's
  `clip_gradients` bounds the L2 norm of all gradients together: per-value clipping cannot be expressed, and
  its threshold of value would mean nothing as a norm. The VDSR and DRCN solvers here leave it out.
- DRRN and MemNet changed one line of their Caffe, so that the norm is bounded by theta/r. Stock Caffe has the
  norm but a fixed bound. As r is constant between two steps, the same rule comes out exactly when each step runs
  as a solver of its own with clip_gradients = theta/r: `--lr-step 0`, then `--lr-step 1` from its snapshot
  (caffe train -snapshot), and so on. The solver without --lr-step has the first step's bound all along.
"""

from dataclasses import dataclass
from typing import Optional

from prototxt.engine import caffe
from prototxt.errors import NetError


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
    clip : float or None
        theta of clipping by norm relative to the learning rate.
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
    clip: Optional[float] = None
    notes: tuple = ()


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
    if recipe.clip is not None:
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
        lines.append(
            f"the authors' clip is {recipe.clip:g} / learning rate; stock Caffe's is fixed, see prototxt/recipe.py"
        )
    return lines
