"""How far trainings came from the figures of the paper: a table, and their learning curves over each other.

Networks of several factors have validation PSNRs of their own; what they have in common is their distance from the
paper's figure.
"""

import math

from tools.benchmarking import paper
from tools.common import json_file, markdown
from tools.common.errors import UserError
from tools.figures import curves
from tools.training import log

SUMMARY = "summary.json of tools/train.py"
METHOD = "IDN"  # of summaries that name none


def run_of(path):
    """A run beside the paper.

    Parameters
    ----------
    path : Path
        Of its folder or log.csv; summary.json lies there.

    Returns
    -------
    dict, list of dict
        For JSON: `run`, `method`, `scale`, `device`, `iterations`, `hours`, `set`, `psnr` and the `paper`'s (dB), and
        their `difference`; then the rows of its log.

    Raises
    ------
    UserError
        There is no log or summary, or the paper has no such figure.
    """
    name, rows, _ = log.run_of(path)
    file = (path if path.is_dir() else path.parent) / "summary.json"
    found = json_file.read(file, SUMMARY)
    try:
        validated, method = found["validation"]["name"], found.get("method", METHOD)
        made = {
            "run": name, "method": method, "scale": found["scale"], "device": found["device"],
            "iterations": sum(stage["iterations"] for stage in found["stages"].values()),
            "hours": float(found["hours"]), "set": validated, "psnr": float(found["psnr"]),
        }  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UserError(f"{file}: not a whole {SUMMARY}; give the folder of a finished run") from None
    figure = paper.figures(validated, made["scale"], method)["psnr"]
    if figure is None:
        what = f"{method} x{made['scale']} on {validated}"
        raise UserError(f"{file}: the paper's Table 2 has no {what}; leave the run out")
    return {**made, "paper": figure, "difference": made["psnr"] - figure}, rows


def table(runs):
    """Markdown (str) of runs (list of dict), as `run_of` gives them."""
    head = ["run", "network", "device", "iterations", "hours", "set", "PSNR (dB)", "paper", "difference"]
    body = [
        [one["run"], f"{one['method']} x{one['scale']}", one["device"], f"{one['iterations']:,}", f"{one['hours']:.2f}",
         one["set"], markdown.number(one["psnr"], 2), markdown.number(one["paper"], 2),
         markdown.number(one["difference"], 2, signed=True)]
        for one in runs
    ]  # fmt: skip
    return markdown.table(head, body, text_columns=3)


def plot(found, folder, stem, title):
    """Draw the distances of runs from the paper into `folder`/`stem`.png and .svg; gives their paths.

    Parameters
    ----------
    found : list of (dict, list of dict)
        As `run_of` gives them.
    folder : Path
    stem, title : str
    """
    lines = []
    for one, rows in found:
        points = [(x, one["paper"] - row["psnr"]) for x, row in curves.over_stages(rows) if "psnr" in row]
        # a logarithm has no room for what reaches the paper
        drawn = [(x, gap if gap > 0 else math.nan) for x, gap in points if x]
        lines.append((f"{one['run']}, {one['difference']:+.2f} dB", drawn))
    return curves.plot_gaps(lines, folder, stem, title=title)
