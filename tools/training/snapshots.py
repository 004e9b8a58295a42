"""Snapshots of a training stage: written whole, found again, restored to the very same state.

A snapshot is a pair in the stage's folder, NAME_iter_N.caffemodel and NAME_iter_N.solverstate. Caffe would write them
in place, end the process on a full disk, and not notice when their last bytes are lost; so it writes into memory
(tools/nets/caffe_files.py), every blob is counted, and then each file is written atomically, the solverstate last.
"""

import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np

from data_prep.files import shown
from prototxt.engine import caffe
from tools.common.errors import UserError
from tools.nets import caffe_files, caffemodels, net_bytes

NAME = "idn"
PART = ".part"  # where Caffe thinks that it writes
# what Caffe's solvers keep for each learnable array: SGD its momentum, Adam two moments
HISTORIES = {"SGD": 1, "Adam": 2}


@dataclass(frozen=True)
class Kind:
    """What a solver's snapshots are like.

    Attributes
    ----------
    name : str
        Beginning of their names.
    histories : int
        Arrays that the solver keeps for each learnable one.
    learnable : tuple, optional
        Shapes of the learnable arrays, where layers share some; None: all that the net has.
    """

    name: str = NAME
    histories: int = HISTORIES["Adam"]
    learnable: Optional[tuple] = None


IDN = Kind()


def kind_of(net, name, solver_type=None):
    """The Kind of the snapshots of a train net (caffe.Net) with a solver of Caffe's type (default: Adam)."""
    shapes = tuple(tuple(blob.shape) for blob in caffemodels.learnable(net))
    return Kind(name, HISTORIES[solver_type or "Adam"], shapes)


class NotFinite(UserError):
    """Weights that hold infinities or no numbers; the text names the layer."""


def part_folder(folder):
    """Where Caffe thinks that it writes the snapshots of stage folder `folder` (Path); made new and empty.

    A training that was killed may have left one.
    """
    part = Path(folder) / PART
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True, exist_ok=True)
    return part


def sweep(folder):
    """Remove what a killed training left in a stage's folder (Path) besides its snapshots."""
    shutil.rmtree(Path(folder) / PART, ignore_errors=True)
    for path in Path(folder).glob(f".{NAME}_iter_*.solverstate.part"):  # of earlier releases
        path.unlink()


def save(solver, folder, kind=IDN):
    """Snapshot a solver.

    Parameters
    ----------
    solver : caffe solver
        Made with `part_folder(folder)` / `kind.name` as its snapshot_prefix.
    folder : Path
        Of the stage.
    kind : Kind, optional
        Default: IDN's.

    Returns
    -------
    Path
        The .caffemodel.

    Raises
    ------
    OSError
        No room, or no right to write; the error names the file. Earlier snapshots stay.
    NotFinite
        The weights are of no use; nothing is written.
    UserError
        Caffe could not write all of it.
    """
    stem = f"{kind.name}_iter_{solver.iter}"
    model, state = (Path(folder) / f"{stem}.{kind}" for kind in ("caffemodel", "solverstate"))
    most = max(HISTORIES.values()) * net_bytes.most_bytes(solver.net)
    parts = [Path(folder) / PART / path.name for path in (model, state)]
    try:
        with caffe_files.linked(parts, most) as written:
            solver.snapshot()
            model_content, state_content = written()
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(model)) from None
    _check_finite(net_bytes.check_model(model_content, solver.net, model))
    message = _checked_state(state_content, solver, state, kind)
    message.learned_net = shown(model.resolve())  # for `caffe train --snapshot`
    caffe_files.write_whole(model, model_content)
    try:
        caffe_files.write_whole(state, message.SerializeToString())
    except OSError:
        if not state.exists():  # alone it is no snapshot, and the disk is full
            with suppress(OSError):
                model.unlink()
        raise
    return model


def _check_finite(model):
    """Raise NotFinite for the first layer of a NetParameter with a value that is not.

    In what was written: to read a blob through pycaffe counts as a change of it, of which CUDA graphs know nothing.
    """
    for layer in model.layer:
        if not all(np.isfinite(blob.data).all() for blob in layer.blobs):
            raise NotFinite(f"the weights of {layer.name} are not finite")


def _checked_state(content, solver, path, kind):
    message = caffe.proto.caffe_pb2.SolverState()
    if not net_bytes.parsed(message, content) or not _is_complete(
        message, solver.iter, caffemodels.param_shapes(solver.net), kind
    ):
        raise UserError(f"{path}: Caffe wrote only {len(content):,} bytes of this state; is the memory full?")
    return message


def _is_complete(state, iteration, shapes, kind):
    """Whether a SolverState is of `iteration` and has full histories for each array that a net with `shapes` learns."""
    learnable = kind.learnable or [shape for blobs in shapes.values() for shape in blobs]
    expected = [tuple(shape) for shape in learnable] * kind.histories
    found = [tuple(caffemodels.blob_shape(h)) for h in state.history]
    return state.iter == iteration and found == expected and all(map(net_bytes.is_full, state.history))


def models(folder):
    """The .caffemodels of a stage's snapshots: {iteration (int): Path}, oldest first."""
    found = {}
    for path in Path(folder).glob("*_iter_*.caffemodel"):
        number = re.fullmatch(r"[^.].*_iter_(\d+)", path.stem)
        if number:
            found[int(number[1])] = path
    return dict(sorted(found.items()))


def newest_whole(folder, shapes, kind=IDN):
    """The newest snapshot in `folder` that is complete and fits the net.

    Parameters
    ----------
    folder : Path
    shapes : dict
        Parameter shapes of the net, see `caffemodels.param_shapes`.
    kind : Kind, optional
        Default: IDN's.

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
    for path in Path(folder).glob(f"{kind.name}_iter_*.solverstate"):
        number = re.fullmatch(rf"{kind.name}_iter_(\d+)", path.stem)
        if number:
            states[int(number[1])] = path
    for iteration in sorted(states, reverse=True):
        if is_whole(states[iteration], iteration, shapes, kind):
            return states[iteration], iteration
    return None


def is_whole(state_path, iteration, shapes, kind=IDN):
    """Whether `state_path` and its .caffemodel are complete, of `iteration`, and of a net with `shapes`."""
    model_path = state_path.with_suffix(".caffemodel")
    try:
        caffemodels.check_weights(caffemodels.read(model_path), shapes, model_path)
        state = caffemodels.read_solverstate(state_path)
    except UserError:
        return False
    return _is_complete(state, iteration, shapes, kind)


def restore(solver, state_path):
    """Load weights, iteration and Adam's moments of a whole snapshot into `solver`.

    The solverstate names its .caffemodel by path, which is no longer true when the run's folder was moved, and cannot
    be when its name is not UTF-8; Caffe gets a copy in memory that names the one beside it.
    """
    state = caffemodels.read_solverstate(state_path)
    with caffe_files.Names() as names:
        state.learned_net = names.of(state_path.with_suffix(".caffemodel"))
        solver.restore(names.of_content(state.SerializeToString()))


def restore_history(solver, content):
    """Load iteration and moments of a .solverstate (bytes) into `solver`, whose weights come another way."""
    state = caffe.proto.caffe_pb2.SolverState.FromString(content)
    state.ClearField("learned_net")
    with caffe_files.Names() as names:
        solver.restore(names.of_content(state.SerializeToString()))


def model_path(folder, iteration, name=NAME):
    """The .caffemodel (Path) of the snapshot at `iteration`."""
    return Path(folder) / f"{name}_iter_{iteration}.caffemodel"
