"""The figures of the paper's Tables 2, 3 and 4, and how far a measured row is from them."""

import json
from functools import lru_cache
from pathlib import Path

from data_prep import manifest

METRICS = ("psnr", "ssim", "ifc", "seconds")
DATASETS = ("Set5", "Set14", "BSD100", "Urban100")
# which figures each table of the paper prints
TABLES = {2: ("psnr", "ssim"), 3: ("ifc",), 4: ("seconds",)}


@lru_cache(maxsize=1)
def load():
    """tools/benchmarking/paper_tables.json as a dict: source, seconds_device, methods, decimals, figures."""
    return json.loads(Path(__file__).with_name("paper_tables.json").read_text(encoding="utf-8"))


def decimals(figure):
    """Digits after the point that the paper prints of a figure ("psnr", "ssim", "ifc" or "seconds")."""
    return load()["decimals"][figure]


def figures(dataset, scale, method):
    """The paper's figures for one cell of its tables.

    Parameters
    ----------
    dataset, method : str
        As the paper names them ("Set5", "IDN"); a name that it does not have gives None everywhere.
    scale : int

    Returns
    -------
    dict of str to float or None
        psnr (dB), ssim, ifc, seconds (an image, on the paper's GPU).
    """
    paper = load()
    if method not in paper["methods"]:
        return dict.fromkeys(METRICS)
    column = paper["methods"].index(method)
    cells = {name: paper["figures"][name].get(dataset, {}).get(str(scale)) for name in METRICS}
    return {name: cell and cell[column] for name, cell in cells.items()}


def images(dataset):
    """How many images a set of the paper has (int), by the manifest of what can be fetched; None for another set."""
    if dataset not in DATASETS:
        return None
    return sum(entry.set == dataset for entry in manifest.registry()) or None


def compare(row):
    """Put the paper's figures and the differences (ours minus the paper's) beside a measured row.

    Parameters
    ----------
    row : dict
        With dataset, scale, method and the METRICS, each a float or None.

    Returns
    -------
    dict
        A copy with "paper" and "delta" added or renewed; a difference is None where one side is.
    """
    paper = figures(row["dataset"], row["scale"], row["method"])
    delta = {name: _difference(row[name], paper[name]) for name in METRICS}
    return {**row, "paper": paper, "delta": delta}


def _difference(ours, papers):
    return None if ours is None or papers is None else ours - papers
