"""Put benchmark reports together: what is measured now beside what was measured before."""

from tools import cli, paper
from tools.methods import METHODS


def key(row):
    """What a row (dict) is about: (dataset, scale, method)."""
    return row["dataset"], row["scale"], row["method"]


def updated(report, earlier):
    """`report` (dict) with the rows of an `earlier` one that it does not have, in the order of the paper's tables.

    Figures that `report` left out (no Table 4, no IFC) are not taken over from the earlier row of the same method.
    The commands behind the earlier rows are kept in meta["earlier"].
    """
    new = {key(row) for row in report["rows"]}
    rows = [row for row in earlier["rows"] if key(row) not in new] + report["rows"]
    meta, old = dict(report["meta"]), earlier["meta"]
    for name in ("image_sets", "weights"):
        meta[name] = {**old[name], **meta[name]}
    meta["tables"] = sorted({*old["tables"], *meta["tables"]})
    said = {name: old[name] for name in ("command", "date", "device", "load_average", "repeats")}
    meta["earlier"] = [*old.get("earlier", []), said]
    return {"meta": meta, "rows": sorted(rows, key=place)}


def place(row):
    """Where a row comes in the tables; for sorting."""
    orders = [list(paper.DATASETS), list(cli.SCALES), list(METHODS)]
    return [order.index(one) if one in order else len(order) for order, one in zip(orders, key(row))]
