"""Put benchmark reports together: what is measured now beside what was measured before."""

import csv
import io
from functools import partial
from pathlib import Path

from data_prep.files import json_text, together, write_text
from tools.benchmarking import paper, report_check, spent
from tools.benchmarking.tables import shown_method, tables_text
from tools.common import cli, json_file, texts
from tools.methods.registry import METHODS


def key(row):
    """What a row (dict) is about: (dataset, scale, method)."""
    return row["dataset"], row["scale"], row["method"]


def updated(report, earlier):
    """`report` (dict) with the rows of an `earlier` one that it does not have, in the order of the paper's tables.

    Of two rows of one key the new one is taken as it is; keeping.merged is what puts their figures together.
    The commands behind the earlier rows are kept in meta["earlier"].
    """
    new = {key(row) for row in report["rows"]}
    rows = [row for row in earlier["rows"] if key(row) not in new] + report["rows"]
    meta, old = dict(report["meta"]), earlier["meta"]
    for name in ("image_sets", "weights"):
        meta[name] = {**old[name], **meta[name]}
    meta["tables"] = sorted({*old["tables"], *meta["tables"]})
    said = {name: old[name] for name in ("command", "date", "device", "load_average", "repeats")}
    # of a command that was stopped and went on, the last start is told
    told = [*old.get("earlier", []), said, *meta.get("earlier", [])]
    runs = {(run["command"], run["device"], run["repeats"]): run for run in told}
    meta["earlier"] = list(runs.values())
    return {"meta": meta, "rows": sorted(rows, key=place)}


def place(row):
    """Where a row comes in the tables; for sorting."""
    orders = [list(paper.DATASETS), list(cli.SCALES), list(METHODS)]
    return [order.index(one) if one in order else len(order) for order, one in zip(orders, key(row))]


# suffixes of the files of a report
KINDS = ("json", "csv", "md")
IDENTITY = ("dataset", "scale", "method", "images")

# facts of a report that stand above its tables
NOTES = (("Timed", "timed"), ("Peak MB", "memory"), ("Caffe's layers on the CPU by", "cpu_engine"))


def read_report(path, needs=None):
    """A benchmark.json as a dict with "meta" and "rows", compared again with the paper's figures.

    Parameters
    ----------
    path : str or Path
    needs : sequence of str, optional
        What must be in "meta"; default: all that the tables and pages print.

    Raises
    ------
    UserError
        The file is missing or is no benchmark.json.
    """
    parse = report_check.parsed if needs is None else partial(report_check.parsed, needs=needs)
    report = json_file.read(Path(path), "benchmark.json of tools/benchmark.py", parse)
    return {"meta": report["meta"], "rows": [paper.compare(row) for row in report["rows"]]}


def to_markdown(report):
    """The content (str) of benchmark.md: how it was measured, the tables, the hashes."""
    meta = report["meta"]
    said = {name: texts.in_markdown(one) for name, one in meta.items() if isinstance(one, str)}
    lines = [
        "# Benchmark",
        "",
        f"{texts.as_code(meta['command'])}, {said['date']}, {said['device']}, edge {said['edge']}.",
        "",
        *[_earlier_line(earlier) for earlier in meta.get("earlier", ())],
        f"Clock: {said['clock']}; repeats {meta['repeats']}. Load average before the run {meta['load_average']:.1f}. "
        f"The paper's seconds: {paper.load()['seconds_device']}.",
        *[f"\n{title}: {said[key]}." for title, key in NOTES if said.get(key)],
        "",
        tables_text(report, meta["tables"]),
        *[f"{seconds}\n" for seconds in [spent.table(report["rows"])] if seconds],
        "Versions: "
        + ", ".join(f"{texts.in_markdown(name)} {texts.in_markdown(one)}" for name, one in meta["versions"].items())
        + ".",
        "",
    ]
    sets = [_hash_line(name, _counted(entry), entry) for name, entry in meta["image_sets"].items()]
    weights = [_hash_line(name, entry["file"], entry) for name, entry in meta["weights"].items()]
    return "\n".join([*lines, "Image sets and weights:", "", *sets, *weights]) + "\n"


def _counted(entry):
    other = entry.get("expected") not in (None, entry["images"])
    return f"{entry['images']} images" + (f" (the paper's set has {entry['expected']})" if other else "")


def _earlier_line(run):
    about = f"{run['date']}, {run['device']}, repeats {run['repeats']}, load average {run['load_average']:.1f}."
    return f"Rows of earlier runs: {texts.as_code(run['command'])}, {texts.in_markdown(about)}\n"


def _hash_line(name, what, entry):
    return f"- {texts.in_markdown(name)}: {texts.in_markdown(what)}, SHA-256 {texts.in_markdown(entry['sha256'])}"


def to_csv(report):
    """The content (str) of benchmark.csv: a line for each row, full precision, empty where there is no value.

    Text that a spreadsheet would take for a formula begins with an apostrophe.
    """
    stream = io.StringIO()
    compared = [f"{figure}{suffix}" for figure in paper.METRICS for suffix in ("", "_paper", "_delta")]
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*IDENTITY, *compared, "seconds_median", "repeats", "gap", "notes"])
    for row in report["rows"]:
        shown = {**row, "method": shown_method(row)}
        values = [texts.in_csv(one) if isinstance(one, str) else one for one in (shown[name] for name in IDENTITY)]
        for figure in paper.METRICS:
            values += [_full(row[figure]), _full(row["paper"][figure]), _full(row["delta"][figure])]
        said = texts.in_csv(row["gap"]), texts.in_csv("; ".join(row["notes"]))
        writer.writerow([*values, _full(row["seconds_median"]), row["repeats"], *said])
    return stream.getvalue()


def _full(figure):
    return None if figure is None else f"{figure:.6f}".rstrip("0").rstrip(".")


def write_report(report, folder):
    """Write benchmark.json, .csv and .md into `folder`, all of them or none; gives their paths."""
    folder = Path(folder)
    contents = {"json": json_text(report), "csv": to_csv(report), "md": to_markdown(report)}
    with together():
        for suffix, content in contents.items():
            write_text(folder / f"benchmark.{suffix}", content)
    return [folder / f"benchmark.{suffix}" for suffix in contents]
