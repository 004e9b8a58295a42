"""The record beside weights that were trained here: what net they are for, and how they were made.

tools/train.py writes it as NAME.json beside NAME.caffemodel; results/models has them as well. Weights without one are
somebody else's.
"""

from pathlib import Path

from tools.common import json_file
from tools.common.errors import UserError

HERE = "trained here"
LATE = "late"  # pixel of the result on which the first of a net's output lies
WHAT = "the record of weights that tools/train.py wrote"


def record(path):
    """The record (dict) beside the weights `path` (Path), or None; raises UserError for a damaged one."""
    if path is None:
        return None
    beside = Path(path).with_suffix(".json")
    return json_file.read(beside, WHAT) if beside.is_file() else None


def options(path):
    """Options (dict) of the net's body that the weights `path` (Path) need; empty for the generator's own."""
    found = (record(path) or {}).get("net", {})
    if not isinstance(found, dict) or not all(isinstance(value, (int, float)) for value in found.values()):
        beside = Path(path).with_suffix(".json")
        raise UserError(f"{beside}: its 'net' is damaged, expected the net's options as tools/train.py wrote them")
    return found


def late(path):
    """Where the output of a net with the weights `path` (Path) lies, for registry.Method.late.

    Records without it are of trainings whose labels began m - 1 pixels late.

    Returns
    -------
    tuple of (int, int)

    Raises
    ------
    UserError
        The record is damaged.
    """
    found = record(path) or {}
    if LATE not in found:
        return ()
    scale, pixels = found.get("scale"), found[LATE]
    if not (type(scale) is type(pixels) is int and 0 <= pixels < scale):
        beside = Path(path).with_suffix(".json")
        raise UserError(f"{beside}: its '{LATE}' is damaged, expected a number of pixels below its scale")
    return ((scale, pixels),)


def label(path):
    """"trained here" (str) for weights (Path) with such a record, else an empty text."""
    return HERE if record(path) else ""
