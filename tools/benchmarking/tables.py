"""Tables 2 to 4 as text: ours, the paper's, the difference; the blocks of the pages."""

import math

from tools.benchmarking import paper
from tools.benchmarking.ranks import ranked
from tools.common import markdown, texts
from tools.common.markdown import MISSING, number
from tools.methods import trained

NAMES = {"psnr": "PSNR (dB)", "ssim": "SSIM", "ifc": "IFC", "seconds": "seconds"}
TITLES = {2: "PSNR and SSIM", 3: "IFC", 4: "seconds per image"}


def value(row, figure):
    """A figure of a row: a float, inf where the mean is infinite (which JSON cannot say), None without a value."""
    return math.inf if figure in row.get("infinite", ()) else row[figure]


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
    return markdown.table(head, body, text_columns=3)


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
    return [texts.in_cell(shown_set(row)), f"x{row['scale']}", texts.in_cell(shown_method(row))]


def shown_method(row):
    """The method of a row for tables and figures: "FSRCNN (trained here)" where the weights are not its authors'."""
    return f"{row['method']} ({trained.HERE})" if row.get("trained_here") else row["method"]


def shown_set(row):
    """The image set of a row for a table: "Set14 (13 of 14)" where it has other images than the paper's in number."""
    expected, found = paper.images(row["dataset"]), row.get("images")
    if not found or expected in (None, found):
        return row["dataset"]
    return f"{row['dataset']} ({found} of {expected})"


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


def results_block(report):
    """The table of results for a page: a line for each row, each cell `ours / paper's / difference`.

    Best and second best are marked as in the paper. A set at a scale of which nothing was measured is left out; sets
    and methods that were not measured at all are named in one line; benchmark.md says why.

    Parameters
    ----------
    report : dict
    """
    body = []
    for line in _lines(report["rows"]):
        marks = {figure: _marks(line, figure) for figure in ("psnr", "ssim", "ifc")}
        body += [_named(row) + [_triple(row, figure, *both) for figure, both in marks.items()] for row in line]
    head = ["Set", "Scale", "Method", "PSNR (dB)", "SSIM", "IFC"]
    meta = report["meta"]
    runs = dict.fromkeys(run["command"] for run in (*meta.get("earlier", ()), meta))
    commands = ", ".join(map(texts.as_code, runs))
    parts = [
        "Each cell: ours / the paper's / difference. **Best** and <ins>second best</ins> of a set at a scale are "
        "marked as in the paper: ours among the paper's methods that were measured here, the paper's among all of its "
        "own.",
        markdown.table(head, body, text_columns=3),
        f"Measured by {commands} ({meta['device']}, {meta['date'][:10]}); this table by `tools/readme.py`.",
    ]
    missing = _never_measured(report["rows"])
    if missing:
        reasons = "[why, and where to get what is missing](results/benchmark/benchmark.md)"
        parts.append(f"Not measured: {', '.join(missing)}; {reasons}.")
    return "\n\n".join(parts)


def time_block(report, dataset="Set5"):
    """Table 4 of one image set for a page: a line for each method that the paper times, a column for each scale.

    Parameters
    ----------
    report : dict
    dataset : str

    Returns
    -------
    str
        In each cell seconds per image here and in the paper, in brackets the multiple of IDN's.
    """
    rows = [row for row in report["rows"] if row["dataset"] == dataset and row["paper"]["seconds"] is not None]
    scales = sorted({row["scale"] for row in rows})
    by_method = {}
    for row in rows:
        ours, papers = (_with_multiple(row, rows, seconds) for seconds in (_warm, lambda one: one["paper"]["seconds"]))
        by_method.setdefault(shown_method(row), {})[row["scale"]] = f"{ours} / {papers}"
    body = [[name, *(cells.get(scale, MISSING) for scale in scales)] for name, cells in by_method.items()]
    meta = report["meta"]
    return "\n\n".join(
        [
            f"Seconds per image of {dataset}: here / the paper's; in brackets the multiple of IDN's.",
            markdown.table(["Method", *(f"x{scale}" for scale in scales)], body, text_columns=1),
            f"Here: {meta['device']}, {meta['date'][:10]}, the median of warmed-up forwards where there is one, in "
            f"Caffe alone. The paper: {paper.load()['seconds_device']}, in two frameworks. This table by "
            "`tools/readme.py`; with Set14, memory, tiles and how it was measured in "
            "[results/time](results/time/benchmark.md).",
        ]
    )


def _with_multiple(row, rows, seconds):
    digits = paper.decimals("seconds")
    return f"{number(seconds(row), digits)} ({number(_relative(row, rows, seconds), 1)})"


def _never_measured(rows):
    """What has no figures, in the order of the table: sets, methods, and one on the other where both have some.

    Methods that the paper does not have are nowhere missed.
    """
    sets = list(dict.fromkeys(row["dataset"] for row in rows))
    methods = list(dict.fromkeys(row["method"] for row in rows if any(row["paper"].values())))
    found = {(row["dataset"], row["method"]) for row in rows if not row.get("gap")}
    no_sets = [one for one in sets if not any((one, method) in found for method in methods)]
    no_methods = [method for method in methods if not any((one, method) in found for one in sets)]
    single = [
        f"{method} on {one}"
        for method in methods if method not in no_methods
        for one in sets if one not in no_sets and (one, method) not in found
    ]  # fmt: skip
    return [*no_sets, *no_methods, *single]


def _place(row):
    return row["dataset"], row["scale"]


def _lines(rows):
    """The rows of each set at each scale of which something was measured (list of list of dict)."""
    lines = {}
    for row in rows:
        lines.setdefault(_place(row), []).append(row)
    return [line for line in lines.values() if not all(row.get("gap") for row in line)]


def _marks(line, figure):
    """Best and second best of a line's rows (list of dict), ours and the paper's: two dicts of method to rank."""
    ours = {row["method"]: value(row, figure) for row in line}
    papers = {name: paper.figures(*_place(line[0]), name)[figure] for name in paper.load()["methods"]}
    return ranked(ours, figure), ranked(papers, figure)


def _triple(row, figure, ours_ranked, papers_ranked):
    digits, name = paper.decimals(figure), row["method"]
    ours = _marked(number(value(row, figure), digits), ours_ranked.get(name))
    papers = _marked(number(row["paper"][figure], digits), papers_ranked.get(name))
    return f"{ours} / {papers} / {number(row['delta'][figure], digits, signed=True)}"


def _marked(text, rank):
    return {"best": f"**{text}**", "second": f"<ins>{text}</ins>"}.get(rank, text)
