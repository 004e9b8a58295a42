"""How long an iteration of each recipe takes on this machine: a few real ones, with the recipe's solver and clipping.

On random pairs, since the time does not depend on them. An iteration of the largest recipes takes minutes on a CPU, and
more memory than there may be; fewer pairs are taken then, and the time is in proportion to them. The time in which the
processor's cores have worked is what counts: other programs on the machine hardly change it.
"""

import statistics
import time

import h5py
import numpy as np

from data_prep.files import write_text
from tools.common import scratch
from tools.nets import caffe_files, runtime
from tools.ranks.alone import Alone
from tools.training import beside_caffe
from tools.training.caffe_solver import make
from tools.training.databases import Database
from tools.training.pace import Counted
from tools.training.recipe_cost import iteration
from tools.training.settings import Settings, intervals_of
from tools.training.stage import Stage

GMAC = 30  # of an iteration, at most, where one pair does not have more
WHAT = "seconds of its cores together; run with OMP_WAIT_POLICY=passive, else waiting counts too"
REPEATS = 5  # iterations, the median of which is taken; one before them is not counted


def measure(subject):
    """Time iterations of a method.

    Parameters
    ----------
    subject : Subject

    Returns
    -------
    dict
        `pairs` of each iteration, core-`seconds` that it took, and `recipe_seconds` of one with the recipe's batch.
    """
    runtime.use_device()
    pairs = max(1, min(subject.batch, int(GMAC / iteration(subject) * subject.batch)))
    with scratch.private() as folder, caffe_files.Names() as names:
        settings = _settings(subject, pairs)
        train, val = (_random_pairs(folder / name, subject.cut(name), pairs) for name in ("train", "val"))
        stage = Stage(settings, Counted(settings, intervals_of(REPEATS)), folder, train, val, [], None)
        stage.solver = make(settings, folder / "stage", train, val, Alone(), names)
        with beside_caffe.done(settings, stage.solver, subject):
            seconds = [_one(stage.solver) for _ in range(1 + REPEATS)][1:]
    middle = statistics.median(seconds)
    return {"pairs": pairs, "seconds": middle, "recipe_seconds": middle * subject.batch / pairs}


def _one(solver):
    began = time.process_time()
    solver.step(1)
    return time.process_time() - began


def _settings(subject, pairs):
    """Settings of a stage that begins as the recipe does, with so many pairs (int) in an iteration."""
    recipe = subject.recipe
    of_recipe = {} if subject.is_idn else dict(
        method=subject.method.name, type=recipe.type, clip=recipe.clip, clip_by=recipe.clip_by if recipe.clip else None,
        alpha=recipe.alpha and recipe.alpha * recipe.epoch,
    )  # fmt: skip
    return Settings(
        scale=subject.scale, stage="train", iterations=1 + REPEATS, stepsize=None, falls=(), batch=pairs, seed=1,
        beta1=0.0 if subject.is_idn else recipe.momentum, base_lr=subject.base_lr("train"), **of_recipe,
    )  # fmt: skip


def _random_pairs(folder, cut, pairs):
    """A Database of as many pairs (int) as an iteration takes, cut as `cut` (Geometry or Sampling), in `folder`."""
    folder.mkdir()
    shard, listing = folder / "00000.h5", folder / "list.txt"
    random = np.random.default_rng(0)
    with h5py.File(shard, "w") as file:
        for name, side in cut.sides.items():
            file[name] = random.random((pairs, 1, side, side), np.float32)
    write_text(listing, f"{shard}\n")
    return Database(listing, [shard], pairs, 0, {})
