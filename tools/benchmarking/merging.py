"""Put the reports of several machines together, each of which has measured a share of the rows (--shard)."""

from tools.benchmarking import reports
from tools.benchmarking.keeping import SAME
from tools.common.errors import UserError

# how rows must have been measured to stand in one report; a device says itself which machine it was
_SAME = (*(name for name in SAME if name != "device"), "protocol")


def together(found):
    """One report with the rows of several.

    Parameters
    ----------
    found : dict of Path to dict
        Where each report was read, at least one.

    Returns
    -------
    dict
        With "meta" and "rows", in the order of the paper's tables. Of a row that two reports have, the first that is
        not a gap is taken. With the rows of different devices, times are those of each row's own machine.

    Raises
    ------
    UserError
        Two were measured in different ways, or of images or weights that had changed in between.
    """
    (first, whole), *others = found.items()
    for path, report in others:
        _check(first, whole["meta"], path, report["meta"])
        measured = {reports.key(row) for row in report["rows"] if not row["gap"]}
        rows = [row for row in whole["rows"] if not row["gap"] or reports.key(row) not in measured]
        whole = reports.updated({**whole, "rows": rows}, report)
    return whole


def _check(first, meta, path, other):
    for name in _SAME:
        if meta.get(name) != other.get(name):
            raise UserError(
                f"{path}: was measured with {name} {other.get(name)}, but {first} with {meta.get(name)}; measure one "
                "of them again"
            )
    for field, what in (("image_sets", "images"), ("weights", "weights")):
        for name in meta[field].keys() & other[field].keys():
            if meta[field][name]["sha256"] != other[field][name]["sha256"]:
                raise UserError(
                    f"{path}: has other {what} of {name} than {first}: they have changed between the two; measure one "
                    "of them again"
                )
