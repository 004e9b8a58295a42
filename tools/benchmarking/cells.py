"""Every cell of Tables 2 and 3: equal to the paper's, within one unit of the last printed digit, or different, and why.

The explanations are in results/benchmark/explanations.json: "groups" of cells, each with what is known of them ("why").
A group may name "methods", "datasets", "scales" and "figures", and holds for every one of what it does not name; a cell
belongs to the first group that fits.
"""

import math
from dataclasses import dataclass

from tools.benchmarking import paper, tables
from tools.common import json_file, markdown, texts

FIGURES = ("psnr", "ssim", "ifc")
EQUAL, NEAR, DIFFERENT = "equal", "within one unit", "more than one unit"
STATES = (EQUAL, NEAR, DIFFERENT)
# key of a group of explanations and the field of a cell that it restricts
_ASKS = {"methods": "method", "datasets": "dataset", "scales": "scale", "figures": "figure"}


@dataclass(frozen=True)
class Cell:
    """One figure of the paper's Tables 2 and 3 that was measured here.

    Attributes
    ----------
    dataset, method : str
    scale : int
    figure : {"psnr", "ssim", "ifc"}
    ours, papers : float
        As measured, and as printed; dB for PSNR.
    """

    dataset: str
    scale: int
    method: str
    figure: str
    ours: float
    papers: float

    @property
    def units(self):
        """Ours minus the paper's, both as printed, in units of the last printed digit (int, or inf)."""
        digits = paper.decimals(self.figure)
        difference = (round(self.ours, digits) - self.papers) * 10**digits
        return round(difference) if math.isfinite(difference) else difference

    @property
    def state(self):
        """One of STATES."""
        return STATES[min(abs(self.units), 2)] if math.isfinite(self.units) else DIFFERENT

    def __str__(self):
        return f"{self.dataset} x{self.scale} {self.method} {self.figure}"


def measured(rows):
    """The cells (list of Cell) of benchmark rows that both sides have, in the order of the rows.

    Weights that were trained here are not the paper's, and no figure of theirs is expected to be.
    """
    found = []
    for row in (one for one in rows if not one.get("trained_here")):
        for figure in FIGURES:
            ours, papers = tables.value(row, figure), row["paper"][figure]
            if ours is not None and papers is not None:
                found.append(Cell(row["dataset"], row["scale"], row["method"], figure, ours, papers))
    return found


def read_explanations(path):
    """The groups (list of dict) of a file of explanations; raises UserError when it is missing or is none."""
    return json_file.read(path, "list of explanations", _checked)


def _checked(content):
    groups = json_file.parsed(content).get("groups")
    if not isinstance(groups, list):
        raise ValueError("expected a list under groups")
    for number, group in enumerate(groups):
        if not isinstance(group, dict) or not isinstance(group.get("why"), str) or not group["why"].strip():
            raise ValueError(f"groups[{number}]: expected an object with a text \"why\"")
        odd = [key for key in group if key != "why" and not (key in _ASKS and isinstance(group[key], list))]
        if odd:
            raise ValueError(f"groups[{number}].{odd[0]}: expected a list under one of {', '.join(_ASKS)}")
    return groups


def explanation(cell, groups):
    """What is known of a cell: the first of `groups` (dict) that fits, None without one."""
    for group in groups:
        if all(getattr(cell, field) in group[key] for key, field in _ASKS.items() if key in group):
            return group
    return None


def block(report, groups):
    """How many cells agree, and each one that does not with its explanation, as Markdown for a page.

    Parameters
    ----------
    report : dict
    groups : list of dict
        From `read_explanations`.
    """
    found = measured(report["rows"])
    parts = [SAID, markdown.table(*counts(found), text_columns=1), *unmeasured(found)]
    for why, some in explained(found, groups):
        parts += [texts.one_line(why), markdown.table(*listed(some), text_columns=4)]
    return "\n\n".join([*parts, *([] if others(found) else [NOTHING])])


SAID = (
    "A cell is one figure of Table 2 or 3: PSNR, SSIM or IFC of a method on a set at a scale. Both sides are "
    "compared as printed; one unit is one of the last printed digit, 0.01 dB of PSNR, 0.0001 of SSIM, 0.001 of IFC."
)
UNKNOWN, NOTHING = "Not explained:", "No measured cell differs."


def counts(found):
    """Cells in the paper, measured, equal, near, different, of each method and together, for a table.

    Parameters
    ----------
    found : list of Cell

    Returns
    -------
    head : list of str
    body : list of list of str
    """
    printed = _printed()
    methods = [name for name in printed if any(cell.method == name for cell in found)]
    body = [_line(name, [c for c in found if c.method == name], printed[name]) for name in methods]
    return ["Method", "cells in the paper", "measured", *STATES], [
        *body,
        _line("together", found, sum(printed.values())),
    ]


def unmeasured(found):
    """The sentence (list of one str, or none) that names the paper's methods without a cell in `found`."""
    missing = [name for name in _printed() if not any(cell.method == name for cell in found)]
    return [f"No cell of {', '.join(missing)} was measured."] if missing else []


def _printed():
    """Number of cells that the paper prints of each method (dict of str to int)."""
    figures = paper.load()["figures"]
    columns = [cells for figure in FIGURES for scales in figures[figure].values() for cells in scales.values()]
    return {
        name: sum(cells[number] is not None for cells in columns) for number, name in enumerate(paper.load()["methods"])
    }


def _line(name, found, printed):
    states = [sum(cell.state == state for cell in found) for state in STATES]
    return [name, *map(str, (printed, len(found), *states))]


def others(found):
    """The cells (list of Cell) that are not equal."""
    return [cell for cell in found if cell.state != EQUAL]


def explained(found, groups):
    """Each cell that is not equal, under its explanation: list of (why, list of Cell) in the order of `groups`."""
    by_why = {group["why"]: [] for group in groups}
    for cell in others(found):
        group = explanation(cell, groups)
        by_why.setdefault(group["why"] if group else UNKNOWN, []).append(cell)
    return [(why, some) for why, some in by_why.items() if some]


def listed(found):
    """Cells (list of Cell) for a table: head (list of str) and body (list of list of str)."""
    body = []
    for cell in found:
        digits = paper.decimals(cell.figure)
        numbers = markdown.number(cell.ours, digits), markdown.number(cell.papers, digits), f"{cell.units:+}"
        body.append([cell.dataset, f"x{cell.scale}", cell.method, tables.NAMES[cell.figure], *numbers])
    return ["Set", "Scale", "Method", "Figure", "here", "paper", "units"], body
