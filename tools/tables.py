#!/usr/bin/env python3
"""Tables of benchmark results beside the paper's figures: Markdown, CSV, and the README's table.

    tools/tables.py results/benchmark/benchmark.json                    # print the tables

A cell that was not measured, or that the paper does not print, is `-`. Differences are ours minus the
paper's, whatever their sign.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import csv
import io
import math
import sys
from functools import partial
from pathlib import Path

from data_prep.files import json_text, together, write_text
from tools import cli, json_file, paper, report_check, texts

MISSING = "-"
NAMES = {"psnr": "PSNR (dB)", "ssim": "SSIM", "ifc": "IFC", "seconds": "seconds"}
TITLES = {2: "PSNR and SSIM", 3: "IFC", 4: "seconds per image"}
IDENTITY = ("dataset", "scale", "method", "images")

# facts of a report that stand above its tables
NOTES = (("Timed", "timed"), ("Peak MB", "memory"), ("Caffe's layers on the CPU by", "cpu_engine"))


def read_report(path, needs=None):
    """A benchmark.json as a dict with "meta" and "rows", compared anew with the paper's figures.

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


def value(row, figure):
    """A figure of a row: a float, inf where the mean is infinite (which JSON cannot say), None without a value."""
    return math.inf if figure in row.get("infinite", ()) else row[figure]


def number(figure, digits, signed=False):
    """A figure as text: `digits` after the point, `-` for None, no sign before a zero difference."""
    if figure is None:
        return MISSING
    text = f"{figure:+.{digits}f}" if signed else f"{figure:.{digits}f}"
    return text.lstrip("+-") if signed and float(text) == 0 else text


def paper_table(rows, table):
    """One table of the paper as Markdown.

    Parameters
    ----------
    rows : list of dict
        Benchmark rows with "paper" and "delta".
    table : {2, 3, 4}

    Returns
    -------
    str
        A line for each row: ours, the paper's, the difference for each figure of that table.
    """
    figures = paper.TABLES[table]
    head = ["Set", "Scale", "Method"]
    for figure in figures:
        head += [NAMES[figure], "paper", "difference"]
    if table == 4:
        head += ["median", "runs", "times IDN's", "paper", "peak MB", "tile+overlap"]
        rows = [row for row in rows if _timed(row)]
    body = [_cells(row, figures) + (_time_cells(row, rows) if table == 4 else []) for row in rows]
    return markdown(head, body, text_columns=3)


def _timed(row):
    """Bicubic is nowhere timed: the clock of Table 4 leaves it out."""
    return row["seconds"] is not None or row["paper"]["seconds"] is not None


def _cells(row, figures):
    cells = _named(row)
    for figure in figures:
        digits = paper.decimals(figure)
        cells += [number(value(row, figure), digits), number(row["paper"][figure], digits)]
        cells.append(number(row["delta"][figure], digits, signed=True))
    return cells


def _named(row):
    return [texts.in_cell(row["dataset"]), f"x{row['scale']}", texts.in_cell(row["method"])]


def _time_cells(row, rows):
    """Median of the warmed-up forwards, their number, the times relative to IDN, memory, tiles."""
    digits = paper.decimals("seconds")
    ours, papers = (_relative(row, rows, seconds) for seconds in (_warm, lambda one: one["paper"]["seconds"]))
    tile = row.get("tile")
    return [
        number(row["seconds_median"], digits),
        str(row["repeats"]) if row.get("repeats") else MISSING,
        number(ours, 1),
        number(papers, 1),
        number(row.get("peak_memory_mb"), 0),
        f"{tile[0]}+{tile[1]}" if tile and row["seconds"] is not None else MISSING,
    ]


def _warm(row):
    return row["seconds"] if row["seconds_median"] is None else row["seconds_median"]


def _relative(row, rows, seconds):
    """A row's time over that of IDN on the same set at the same scale, None where one is missing."""
    wanted = (row["dataset"], row["scale"], "IDN")
    same = [one for one in rows if (one["dataset"], one["scale"], one["method"]) == wanted]
    if not same or not seconds(same[0]) or not seconds(row):
        return None
    return seconds(row) / seconds(same[0])


def markdown(head, body, text_columns):
    """A Markdown table with aligned columns; all but the first `text_columns` are flushed right."""
    widths = [max(len(line[k]) for line in [head, *body]) for k in range(len(head))]

    def line(cells):
        pads = [c.ljust(w) if k < text_columns else c.rjust(w) for k, (c, w) in enumerate(zip(cells, widths))]
        return f"| {' | '.join(pads)} |"

    rule = ["-" * w if k < text_columns else "-" * (w - 1) + ":" for k, w in enumerate(widths)]
    return "\n".join([line(head), line(rule), *map(line, body)])


def remarks(rows):
    """What is missing and why, one line each, equal reasons said once."""
    lines = []
    for row in rows:
        if row.get("gap"):
            lines.append(f"gap: {row['gap']}")
        where = f"{row['dataset']} x{row['scale']} {row['method']}"
        lines += [f"{where}: {note}" for note in row.get("notes", ())]
    return list(dict.fromkeys(map(texts.one_line, lines)))


def tables_text(report, tables=(2, 3, 4)):
    """All asked tables as one Markdown text, the remarks below; what tools/benchmark.py prints."""
    parts = []
    for table in tables:
        if table == 4 and not any(map(_timed, report["rows"])):
            continue
        parts.append(f"Table {table}: {TITLES[table]}, ours, the paper's, difference")
        parts.append(paper_table(report["rows"], table))
    return "\n\n".join([*parts, *_remarks_block(report["rows"])]) + "\n"


def _remarks_block(rows):
    lines = remarks(rows)
    return ["\n".join(f"- {texts.in_markdown(line)}" for line in lines)] if lines else []


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
        "Versions: "
        + ", ".join(f"{texts.in_markdown(name)} {texts.in_markdown(one)}" for name, one in meta["versions"].items())
        + ".",
        "",
    ]
    sets = [_hash_line(name, f"{entry['images']} images", entry) for name, entry in meta["image_sets"].items()]
    weights = [_hash_line(name, entry["file"], entry) for name, entry in meta["weights"].items()]
    return "\n".join([*lines, "Image sets and weights:", "", *sets, *weights]) + "\n"


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
    compared = [f"{figure}{suffix}" for figure in paper.FIGURES for suffix in ("", "_paper", "_delta")]
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*IDENTITY, *compared, "seconds_median", "repeats", "gap", "notes"])
    for row in report["rows"]:
        values = [texts.in_csv(one) if isinstance(one, str) else one for one in (row[name] for name in IDENTITY)]
        for figure in paper.FIGURES:
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


def results_block(report):
    """The README's table of results: one line a measured row, each cell `ours / paper's / difference`.

    Sets and methods that were not measured at all are named in one line; benchmark.md says why.

    Parameters
    ----------
    report : dict
    """
    body = []
    for row in report["rows"]:
        if row.get("gap"):
            continue
        body.append(_named(row) + [_triple(row, figure) for figure in ("psnr", "ssim", "ifc")])
    head = ["Set", "Scale", "Method", "PSNR (dB)", "SSIM", "IFC"]
    meta = report["meta"]
    commands = ", ".join(texts.as_code(run["command"]) for run in (*meta.get("earlier", ()), meta))
    parts = [
        "Each cell: ours / the paper's / difference.",
        markdown(head, body, text_columns=3),
        f"Measured by {commands} ({meta['device']}, {meta['date'][:10]}); this table by `tools/readme.py`.",
    ]
    missing = _never_measured(report["rows"], "dataset") + _never_measured(report["rows"], "method")
    if missing:
        reasons = "[why, and where to get what is missing](results/benchmark/benchmark.md)"
        parts.append(f"Not measured: {', '.join(missing)}; {reasons}.")
    return "\n\n".join(parts)


def time_block(report, dataset="Set5"):
    """The README's Table 4 of one image set: a line a method that the paper times, a column a scale.

    Parameters
    ----------
    report : dict
    dataset : str

    Returns
    -------
    str
        In each cell seconds an image here and in the paper, in brackets the multiple of IDN's.
    """
    rows = [row for row in report["rows"] if row["dataset"] == dataset and row["paper"]["seconds"] is not None]
    scales = sorted({row["scale"] for row in rows})
    by_method = {}
    for row in rows:
        ours, papers = (_with_multiple(row, rows, seconds) for seconds in (_warm, lambda one: one["paper"]["seconds"]))
        by_method.setdefault(row["method"], {})[row["scale"]] = f"{ours} / {papers}"
    body = [[name, *(cells.get(scale, MISSING) for scale in scales)] for name, cells in by_method.items()]
    meta = report["meta"]
    return "\n\n".join(
        [
            f"Seconds an image of {dataset}: here / the paper's; in brackets the multiple of IDN's.",
            markdown(["Method", *(f"x{scale}" for scale in scales)], body, text_columns=1),
            f"Here: {meta['device']}, {meta['date'][:10]}, the median of warmed-up forwards where there is one, in "
            f"Caffe alone. The paper: {paper.load()['seconds_device']}, in two frameworks. This table by "
            "`tools/readme.py`; with Set14, memory, tiles and how it was measured in "
            "[results/time](results/time/benchmark.md).",
        ]
    )


def _with_multiple(row, rows, seconds):
    digits = paper.decimals("seconds")
    return f"{number(seconds(row), digits)} ({number(_relative(row, rows, seconds), 1)})"


def _never_measured(rows, column):
    """Values of `column` whose rows are all gaps, in the order of the table."""
    measured = {row[column] for row in rows if not row.get("gap")}
    return [name for name in dict.fromkeys(row[column] for row in rows) if name not in measured]


def _triple(row, figure):
    digits = paper.decimals(figure)
    ours, papers = number(value(row, figure), digits), number(row["paper"][figure], digits)
    return f"{ours} / {papers} / {number(row['delta'][figure], digits, signed=True)}"


def main(argv=None):
    """Print the tables of a benchmark.json; gives the exit status."""
    parser = cli.Parser(__doc__)
    parser.add_argument("report", metavar="benchmark.json", help="what tools/benchmark.py wrote")
    parser.add_argument("--tables", nargs="+", type=int, choices=sorted(paper.TABLES), help="default: those measured")
    args = parser.parse_args(argv)
    report = read_report(args.report)
    sys.stdout.write(tables_text(report, args.tables or report["meta"]["tables"]))
    return 0


if __name__ == "__main__":
    cli.run(main)
