"""The folder of a training run: claimed by one process, cleaned of what a kill left; what it was started with."""

import fcntl
import json
import os
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from data_prep.digests import file_sha256
from data_prep.files import sweep, write_json
from prototxt.solver import STAGES
from tools.common.errors import UserError
from tools.nets import caffe_files, handed_on
from tools.training import snapshots

AVERAGE = "average"  # a weights folder of its own in the run's


@contextmanager
def claimed(folder):
    """Hold the run's folder (Path; made when missing) for this process; ends with the process, however it ends.

    Raises
    ------
    UserError
        Another training holds it: two would mix their snapshots and logs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"{folder}: another training is running in this folder; wait for it, or give another --out"
            ) from None
        yield
    finally:
        os.close(lock)


def clean(out, weights="idn"):
    """Remove what killed trainings left in a run's folder (Path), which this process has claimed, and in its stages.

    `weights` is the name (str) of the folder of the finished weights.
    """
    for folder in (out, out / weights, out / AVERAGE / weights, *(out / stage for stage in STAGES)):
        sweep(folder)
        snapshots.sweep(folder)


def record(folder, settings, start, data):
    """Keep what the stage was started with; refuse to go on with something else.

    `start` (str) is the SHA-256 of the first weights or "random", `data` (dict) what the training pairs are made of.

    Raises
    ------
    UserError
        The folder holds a stage that was started with other options or weights; the text names them.
    """
    path = Path(folder) / "settings.json"
    wanted = json.loads(json.dumps({**asdict(settings), "start": start, "data": data}))  # as they are read again
    if path.exists():
        found = _settings(path)
        changed = [k for k in wanted if found.get(k) != wanted[k]]
        if changed:
            listed = ", ".join(f"{k} {found.get(k)} then, {wanted[k]} now" for k in changed)
            raise UserError(
                f"{folder}: was started with other settings ({listed}); give the same to continue, or another --out"
            )
        return
    write_json(path, wanted)


def _settings(path):
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UserError(f"{path}: damaged, expected what this stage was started with; give another --out")
    return found


def publish(final, result):
    """Put the finished weights `final` (Path) where tools/benchmark.py finds them, `result` (Path), without paths."""
    content = handed_on.without_places(final.read_bytes())
    if not result.is_file() or result.read_bytes() != content:
        caffe_files.write_whole(result, content)


def is_summed_up(out, result):
    """Whether `out` (Path) holds the summary of the weights `result` (Path): a kill may have come between."""
    try:
        return json.loads((out / "summary.json").read_text(encoding="utf-8"))["weights_sha256"] == file_sha256(result)
    except (OSError, ValueError, KeyError, TypeError):
        return False
