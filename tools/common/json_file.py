"""JSON that this process has not written itself: it may be large, deep, damaged, or something else."""

import json

from tools.common.errors import UserError

LARGEST = 64 << 20  # bytes
DEEPEST = 8  # lists and objects inside each other


def parsed(content):
    """The object (dict) in the bytes of a JSON file; NaN and infinities are taken, strict JSON does not have them.

    Raises
    ------
    ValueError
        One line: it is no JSON, no object, too large or too deep.
    """
    if len(content) > LARGEST:
        raise ValueError(f"larger than {LARGEST >> 20} MB")
    try:
        found = json.loads(content.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("expected an object")
    if _depth(found) > DEEPEST:
        raise ValueError("nested too deeply")
    return found


def _depth(value):
    """How many lists and objects lie inside each other; counts no further than it must."""
    level, depth = [value], 0
    while level and depth <= DEEPEST:
        level = [x for one in level if isinstance(one, (list, dict)) for x in _inside(one)]
        depth += bool(level)
    return depth


def _inside(value):
    return value.values() if isinstance(value, dict) else value


def read(path, what, parse=parsed):
    """What `parse` makes of the bytes of a file.

    Parameters
    ----------
    path : Path
    what : str
        What it should be: "benchmark.json of tools/benchmark.py".
    parse : callable (bytes) -> dict
        Raises ValueError with the reason when it is something else.

    Raises
    ------
    UserError
        The file is missing, cannot be read, or is something else.
    """
    try:
        with path.open("rb") as stream:
            return parse(stream.read(LARGEST + 1))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file, expected the {what}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); expected the {what}") from None
    except ValueError as error:
        raise UserError(f"{path}: not a {what} ({error}); run it again") from None


def text(found, name, path, what, default=None):
    """A field (str) of an object from `read`; raises UserError when it is no text, or missing without a default."""
    value = found.get(name, default)
    if not isinstance(value, str):
        raise UserError(f"{path}: not a {what} ({name}: expected text); run it again")
    return value


def texts(found, name, path, what):
    """A list of texts (list of str) from an object of `read`; raises UserError when it is anything else."""
    value = found.get(name)
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise UserError(f"{path}: not a {what} ({name}: expected a list of texts); run it again")
    return value
