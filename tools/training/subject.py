"""What is trained: a method of the benchmark at a factor, with its nets, its recipe and its databases.

The trainer asks a Subject for everything in which networks differ; the loop that trains them is one. IDN's stages are
in prototxt/solver.py, every other network has a Recipe.
"""

import math
from dataclasses import dataclass, replace
from typing import Optional

from data_prep.geometry import geometry
from data_prep.sampling import OF_METHOD, sampling
from data_prep.weights import place
from prototxt import drcn, solver
from prototxt.registry import NETWORKS
from tools.common.errors import UserError
from tools.methods.registry import METHODS, Method
from tools.training import image_source, schedules

IDN = "IDN"
NOTHING = 1e-4  # of the first rate


@dataclass(frozen=True)
class Subject:
    """A method at a factor.

    Attributes
    ----------
    method : Method
        Of tools/methods/registry.py; its options are those of an IDN other than the paper's.
    scale : int
    loss : str or None
        IDN's, for every stage; None: each stage's own.
    """

    method: Method
    scale: int
    loss: Optional[str] = None

    # --- names -----------------------------------------------------------------------------------------------------

    @property
    def name(self):
        """The method and its factor, for the user (str)."""
        return f"{self.method.name} x{self.scale}"

    @property
    def options(self):
        """Options (dict) of the net's body, other than the defaults."""
        return dict(self.method.options)

    @property
    def is_idn(self):
        """Whether this is IDN, whose recipe is in stages of its own."""
        return self.method.name == IDN

    @property
    def network(self):
        """The prototxt.network.Network."""
        return NETWORKS[self.method.network]

    @property
    def recipe(self):
        """The prototxt.recipe.Recipe; None for IDN."""
        return self.network.recipe

    @property
    def stem(self):
        """Beginning of the names of snapshots (str)."""
        return self.network.name

    @property
    def weights(self):
        """Where the finished weights belong in a weights folder (str)."""
        return place(self.method.name, self.scale)

    # --- stages ----------------------------------------------------------------------------------------------------

    @property
    def stages(self):
        """Names of all stages in the order of training (tuple of str)."""
        if self.is_idn:
            return solver.STAGES
        return ("train", "finetune") if self.recipe.finetune_lr else ("train",)

    @property
    def usual_stages(self):
        """Those that a run has unless it names one: FSRCNN's second one needs images that nobody offers."""
        return solver.STAGES if self.is_idn else ("train",)

    def full_length(self, stage):
        """Iterations (int) of a stage in the whole recipe."""
        return solver.ITERATIONS[stage] if self.is_idn else self.recipe.max_iter

    def useful_length(self, stage):
        """Iterations (int) of a stage after which its rate is next to nothing: what a shorter training is a part of.

        The released solvers of DRRN and MemNet are stopped by hand: theirs falls 30 and 99 times to the end.
        """
        full, recipe = self.full_length(stage), self.recipe
        if self.is_idn or not recipe.stepsize or recipe.least_lr:
            return full
        return min(full, recipe.stepsize * (1 + int(math.log(NOTHING) / math.log(recipe.gamma) + 1e-9)))

    def base_lr(self, stage):
        """The recipe's learning rate (float) of a stage."""
        if self.is_idn:
            return solver.BASE_LR[stage]
        return self.recipe.finetune_lr if stage == "finetune" else self.recipe.base_lr

    def schedule(self, stages):
        """Iterations of the whole recipe and when its rates fall: {stage: StageSchedule} of `stages`.

        The first rate is left open, as it is the stage's own. Where the rate follows the validation there is no telling
        when it falls: equal parts for all rates.
        """
        if self.is_idn:
            paper = schedules.parse(schedules.PAPER)
            return {stage: paper[stage] for stage in stages}
        return {stage: self._of_recipe(stage) for stage in stages}

    def _of_recipe(self, stage):
        recipe, rate = self.recipe, self.base_lr(stage)
        if recipe.plateau:
            count, factor = 1, recipe.plateau.factor
            while rate * factor**count >= recipe.plateau.least * 0.999:
                count += 1
            return schedules.StageSchedule(_shared(recipe.max_iter, count), None, factor)
        if not recipe.stepsize:
            return schedules.StageSchedule((recipe.max_iter,))
        whole, rest = divmod(self.useful_length(stage), recipe.stepsize)
        parts = (recipe.stepsize,) * whole + (rest,) * bool(rest)
        if recipe.least_lr:  # what is left at the least rate is one part
            count = 1
            while rate * recipe.gamma**count > recipe.least_lr:
                count += 1
            parts = (*parts[: count - 1], sum(parts[count - 1 :]))
        return schedules.StageSchedule(parts, None, recipe.gamma)

    @property
    def batch(self):
        """Training pairs (int) in an iteration of the recipe."""
        return self.network.pairs

    # --- databases -------------------------------------------------------------------------------------------------

    def database(self, stage):
        """Name (str) of the database that a stage reads."""
        return solver.PHASE_OF_STAGE[stage] if self.is_idn else stage

    def cut(self, name):
        """How a database ("train", "finetune" or "val") is cut: Geometry or Sampling; raises DataError."""
        if self.is_idn:
            return geometry(self.scale, name)
        return sampling(self.method.name, self.scale, name)

    # --- nets ------------------------------------------------------------------------------------------------------

    def train_net(self, stage, source, test_source, batch):
        """The train net (NetParameter) of a stage, whose databases are listed in `source` and `test_source` (str).

        A source may be one of image_source as well.
        """
        phase = solver.PHASE_OF_STAGE[stage] if self.is_idn else "train"
        scale = self.scale if self.network.scales else None
        net = self.network.net(
            phase, scale, self.method.variant, source=source, test_source=test_source, batch=batch, loss=self.loss,
            shuffle=False, **self.options,
        )  # fmt: skip
        return image_source.replaced(net)

    def deploy_net(self, input_shape=None):
        """The net (NetParameter) that takes one image."""
        return self.method.build(self.scale, input_shape)

    @property
    def judged(self):
        """What evaluation.validation_psnr must know of the method: nothing of IDN."""
        return () if self.is_idn else (self.method, self.method.tiling())

    def test_batch(self, batch):
        """Validation pairs (int) in a forward, with `batch` training pairs in an iteration."""
        return self.network.test_batch or batch

    def alpha_weights(self, alpha):
        """Weights of the losses for DRCN's alpha (float): {blob: float}."""
        return drcn.loss_weights(alpha)


def of(options):
    """The Subject of a command line.

    Parameters
    ----------
    options : argparse.Namespace
        With method, scale, net (dict) and loss.

    Raises
    ------
    UserError, DataError, NetError
        The method cannot be trained, or not at this factor, or the options do not fit it.
    """
    found = _subject(spelled(options.method), options.scale, options.net, options.loss)
    if found.is_idn:
        found.deploy_net()
        return found
    if found.options or found.loss:
        named = ", ".join([*found.options, *(["loss"] if found.loss else [])])
        raise UserError(f"{named}: of IDN's net only, not of {found.method.name}'s; omit it")
    found.cut("train")
    return found


def complete(options):
    """As `of`; fills in those options that the method decides and the user did not.

    Raises UserError as well for options that are not for the method.
    """
    found = of(options)
    if found.is_idn:
        for name in ("solver", "theta"):
            if getattr(options, name) is not None:
                raise UserError(f"{name}: is for other methods; IDN is trained with Adam and without clipping")
        return found
    recipe = found.recipe
    if options.theta is not None and recipe.clip is None:
        raise UserError(f"theta: {found.method.name}'s gradients are not clipped; omit it")
    options.lr = recipe.base_lr if options.lr is None else options.lr
    options.beta1 = recipe.momentum if options.beta1 is None else options.beta1
    options.batch = options.batch or recipe.batch
    return found


def of_settings(settings):
    """The Subject of a stage's Settings."""
    return _subject(settings.method or IDN, settings.scale, settings.net, settings.loss)


def _subject(name, scale, options, loss):
    return Subject(replace(METHODS[name], options=tuple(sorted((options or {}).items()))), scale, loss)


DEFAULT = _subject(IDN, 3, None, None)


def spelled(name):
    """Our spelling (str) of a method's name; raises UserError for one that cannot be trained."""
    known = {one.lower(): one for one in (IDN, *OF_METHOD)}
    if name.lower() not in known:
        raise UserError(f"method {name!r}: cannot be trained, expected one of {', '.join(known.values())}")
    return known[name.lower()]


def _shared(total, count):
    """`total` (int) in `count` parts that differ by one at most: tuple of int."""
    return tuple(total * (i + 1) // count - total * i // count for i in range(count))
