"""Is it a benchmark.json? A report may come from another machine, an older version, or be no report at all.

What is checked is what the tables, the pages and a run that goes on take for granted, so that they need not ask again.
"""

import math

from tools.benchmarking import paper
from tools.common import json_file

_FURTHEST = 1e9  # no figure is beyond it

# name of a field -> what it must be; a field that older reports lack has a value for them
_META = {"command": str, "date": str, "device": str, "edge": str, "clock": str, "repeats": int, "load_average": float,
         "versions": dict, "image_sets": dict, "weights": dict, "tables": list}  # fmt: skip
_EARLIER = {"command": str, "date": str, "device": str, "load_average": float, "repeats": int}
_SAID = ("timed", "memory", "cpu_engine", "engine", "protocol")  # in meta, where they are there: text or null
_ROW = {"dataset": str, "scale": int, "method": str}
_ADDED = {"images": None, "seconds_median": None, "repeats": 0, "gap": None, "notes": (), "per_image": ()}
_WORDS = {str: "text", int: "a whole number", float: "a number", dict: "an object", list: "a list"}


def parsed(content, needs=tuple(_META)):
    """The report (dict with meta and rows) in the bytes of a file, with every field that this project reads checked.

    Of meta the fields in `needs` must be there; a field that is not needed must be right where it is there.

    NaN and infinities, which strict JSON does not have, become None; a PSNR that was infinite is named in the row's
    "infinite" and in its notes.

    Raises
    ------
    ValueError
        It is no report; the text says where and what was expected.
    """
    found = json_file.parsed(content)
    for name, kind in (("meta", dict), ("rows", list)):
        _field(found, name, kind, "")
    rows = [_row(row, f"rows[{number}]") for number, row in enumerate(found["rows"])]
    return {"meta": _meta(found["meta"], needs), "rows": rows}


def _expect(right, text):
    if not right:
        raise ValueError(text)


def _field(found, name, kind, where):
    """Check a field that must be there."""
    place = f"{where}.{name}".lstrip(".")
    _expect(isinstance(found, dict), f"{where}: expected an object")
    _expect(name in found, f"{place} is missing")
    value = found[name]
    numbers = (int, float) if kind is float else kind
    _expect(isinstance(value, numbers) and not isinstance(value, bool), f"{place}: expected {_WORDS[kind]}")
    if kind in (int, float):
        _expect(abs(value) <= _FURTHEST, f"{place}: no such number")  # NaN is refused as well
    return True


def _meta(meta, needs):
    for name, kind in _META.items():
        if name in needs or name in meta:
            _field(meta, name, kind, "meta")
    for name, one in meta.get("image_sets", {}).items():
        _field(one, "images", int, f"meta.image_sets.{name}")
        _field(one, "sha256", str, f"meta.image_sets.{name}")
        if one.get("expected") is not None:
            _field(one, "expected", int, f"meta.image_sets.{name}")
    for name, one in meta.get("weights", {}).items():
        _field(one, "file", str, f"meta.weights.{name}")
        _field(one, "sha256", str, f"meta.weights.{name}")
    for name in _SAID:
        _expect(isinstance(meta.get(name), (str, type(None))), f"meta.{name}: expected text")
    known, found = set(map(repr, paper.TABLES)), set(map(repr, meta.get("tables", ())))
    _expect(found <= known and (found or "tables" not in needs), "meta.tables: expected some of 2, 3, 4")
    earlier = meta.get("earlier", [])
    _expect(isinstance(earlier, list), "meta.earlier: expected a list")
    for number, one in enumerate(earlier):
        for name, kind in _EARLIER.items():
            _field(one, name, kind, f"meta.earlier[{number}]")
    return meta


def _row(row, where):
    for name, kind in _ROW.items():
        _field(row, name, kind, where)
    row = {**row, **{name: list(value) if value == () else value for name, value in _ADDED.items() if name not in row}}
    for name in ("images", "repeats"):
        _expect(row[name] is None or _field(row, name, int, where), name)
    _expect(isinstance(row.get("trained_here", False), bool), f"{where}.trained_here: expected true or false")
    _expect(isinstance(row["gap"], (str, type(None))), f"{where}.gap: expected text or null")
    for name, kind in (("notes", str), ("per_image", dict), ("infinite", str)):
        value = row.get(name, [])
        right = isinstance(value, list) and all(isinstance(one, kind) for one in value)
        _expect(right, f"{where}.{name}: expected a list of {_WORDS[kind]}")
    _tile(row, where)
    _spent(row, where)
    odd = {}
    for name in (*paper.METRICS, "seconds_median", "peak_memory_mb"):
        _expect(name in row or name == "peak_memory_mb", f"{where}.{name} is missing")
        odd[name], value = _figure(row.get(name), f"{where}.{name}")
        if name in row:
            row[name] = value
    return _noted({**row, "per_image": [_image(one, f"{where}.per_image") for one in row["per_image"]]}, odd)


def _tile(row, where):
    tile = row.get("tile")
    right = isinstance(tile, list) and len(tile) == 2 and all(type(n) is int and 0 <= n <= _FURTHEST for n in tile)
    _expect(tile is None or right, f"{where}.tile: expected two whole numbers or null")


def _spent(row, where):
    spent = row.get("spent")
    _expect(isinstance(spent, (dict, type(None))), f"{where}.spent: expected an object or null")
    for name, seconds in (spent or {}).items():
        _expect(_figure(seconds, f"{where}.spent")[1] is not None, f"{where}.spent.{name}: expected a number")


def _image(one, where):
    figures = [name for name in (*paper.METRICS, "seconds_median") if name in one]
    return {**one, **{name: _figure(one[name], f"{where}.{name}")[1] for name in figures}}


def _figure(value, where):
    """Whether a figure is "inf", "nan" or neither (""), and the figure, None for both."""
    if value is None:
        return "", None
    _expect(isinstance(value, (int, float)) and not isinstance(value, bool), f"{where}: expected a number or null")
    if isinstance(value, float) and not math.isfinite(value):
        return "inf" if value > 0 else "nan", None
    _expect(abs(value) <= _FURTHEST, f"{where}: no such number")
    return "", value


def _noted(row, odd):
    infinite = [name for name, kind in odd.items() if kind == "inf" and name == "psnr"]
    bad = [name for name, kind in odd.items() if kind and name not in infinite]
    if infinite:
        row["infinite"] = sorted({*row.get("infinite", ()), *infinite})
        row["notes"] = [*row["notes"], "the mean PSNR is infinite"]
    if bad:
        row["notes"] = [*row["notes"], f"{', '.join(bad)}: not a finite number in the report"]
    return row
