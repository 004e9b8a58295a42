"""What a stage starts from: weights that are given, those of the stage before, or random ones."""

import numpy as np

from data_prep.digests import file_sha256
from prototxt.solver import STAGES
from tools.common.errors import UserError
from tools.nets import caffemodels

RANDOM = "random"


def of(stage, out, weights=None, stages=STAGES, known=STAGES):
    """Weights that a stage starts from.

    Parameters
    ----------
    stage : str
    out : Path
        The run's folder, in which each stage has one of its own.
    weights : Path, optional
        Of --weights: for the run's first stage.
    stages : sequence of str, optional
        Those of the run, in the order of training.
    known : sequence of str, optional
        All that the method has.

    Returns
    -------
    path : Path or None
        None for random ones.
    sha256 : str
        Of the file, for the record; RANDOM without one.

    Raises
    ------
    UserError
        The stage before has not finished, or the file is no .caffemodel of finite values.
    """
    first = stage == stages[0]
    earlier = known[: known.index(stage)] if first else stages[: stages.index(stage)]
    before = earlier[-1] if earlier else None
    if weights and first:
        path = weights
    elif before:
        path = out / before / "final.caffemodel"
        if not path.exists():
            raise UserError(
                f"{stage}: starts from {before}'s weights, but {path} does not exist; run --stage {before} first, or "
                "name a .caffemodel with --weights"
            )
    else:
        return None, RANDOM
    check(path)
    return path, file_sha256(path)


def check(path):
    """Raise UserError unless `path` is a .caffemodel whose values are finite."""
    model = caffemodels.read(path)
    for layer in (*model.layer, *model.layers):
        if not all(np.isfinite(blob.data).all() for blob in layer.blobs):
            raise UserError(f"{path}: layer {layer.name!r} holds values that are not finite; give other weights")
