"""Snapshots of a training stage: written whole, found again, restored to the very same state.

A snapshot is a pair in the stage's folder, NAME_iter_N.caffemodel and NAME_iter_N.solverstate. Caffe itself
writes them in place, so that a killed run leaves a half-written one; here Caffe writes into a `.part` folder
and the pair is renamed when it is complete, the solverstate last.
"""

import re
from pathlib import Path

from tools import caffe_runtime
from tools.cli import UserError

NAME = "idn"
# Adam keeps two moments for each parameter blob
ADAM_HISTORIES = 2


def part_prefix(folder):
    """The solver's snapshot_prefix for stage folder `folder` (Path); makes the `.part` folder."""
    part = Path(folder) / ".part"
    part.mkdir(parents=True, exist_ok=True)
    return str((part / NAME).resolve())


def save(solver, folder):
    """Snapshot `solver` (caffe solver made with `part_prefix(folder)`); gives the .caffemodel's Path."""
    folder = Path(folder)
    solver.snapshot()
    stem = f"{NAME}_iter_{solver.iter}"
    model, state = folder / f"{stem}.caffemodel", folder / f"{stem}.solverstate"
    (folder / ".part" / model.name).replace(model)
    _point_to(folder / ".part" / state.name, model)
    (folder / ".part" / state.name).replace(state)
    return model


def newest_whole(folder, shapes):
    """The newest snapshot in `folder` that is complete and fits the net.

    Parameters
    ----------
    folder : Path
    shapes : dict
        Parameter shapes of the net, see `caffe_runtime.param_shapes`.

    Returns
    -------
    (Path, int) or None
        Its .solverstate and iteration; None when there is none.

    Notes
    -----
    A file cut short can still parse when the cut falls between two fields. So every blob is counted: all
    layers of the net with their shapes, and two histories for each parameter.
    """
    states = {}
    for path in Path(folder).glob(f"{NAME}_iter_*.solverstate"):
        number = re.fullmatch(rf"{NAME}_iter_(\d+)", path.stem)
        if number:
            states[int(number[1])] = path
    for iteration in sorted(states, reverse=True):
        if is_whole(states[iteration], iteration, shapes):
            return states[iteration], iteration
    return None


def is_whole(state_path, iteration, shapes):
    """Whether `state_path` and its .caffemodel are complete, of `iteration`, and of a net with `shapes`."""
    model_path = state_path.with_suffix(".caffemodel")
    try:
        caffe_runtime.check_weights(caffe_runtime.read_caffemodel(model_path), shapes, model_path)
        state = caffe_runtime.read_solverstate(state_path)
    except UserError:
        return False
    expected = [shape for blobs in shapes.values() for shape in blobs] * ADAM_HISTORIES
    found = [caffe_runtime.blob_shape(h) for h in state.history]
    complete = all(len(h.data) == caffe_runtime.count(s) for h, s in zip(state.history, found))
    return state.iter == iteration and found == expected and complete


def restore(solver, state_path):
    """Load weights, iteration and Adam's moments of a whole snapshot into `solver`.

    The solverstate names its .caffemodel by path; it is corrected first when the run's folder was moved.
    """
    _point_to(state_path, state_path.with_suffix(".caffemodel"))
    solver.restore(str(state_path))


def _point_to(state_path, model_path):
    """Make the solverstate name `model_path` as its weights; rewritten by way of a temporary name."""
    state = caffe_runtime.read_solverstate(state_path)
    wanted = str(model_path.resolve())
    if state.learned_net == wanted:
        return
    state.learned_net = wanted
    temporary = state_path.with_name(f".{state_path.name}.part")
    temporary.write_bytes(state.SerializeToString())
    temporary.replace(state_path)


def model_path(folder, iteration):
    """The .caffemodel (Path) of the snapshot at `iteration`."""
    return Path(folder) / f"{NAME}_iter_{iteration}.caffemodel"
