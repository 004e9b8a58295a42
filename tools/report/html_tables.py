"""Tables 2 to 4 as HTML: ours above the paper's, best and second best marked as in the paper."""

from tools.benchmarking import paper, tables
from tools.benchmarking.ranks import ranked
from tools.common import cli, markdown
from tools.common.texts import in_html
from tools.methods import trained


def table(rows, number):
    """One table of the paper as HTML: sets and scales down, methods across, ours above the paper's and the difference.

    Parameters
    ----------
    rows : list of dict
        Benchmark rows with "paper" and "delta".
    number : {2, 3, 4}
    """
    figures = paper.TABLES[number]
    has = [row for row in rows if any(tables.value(row, f) is not None for f in figures)]
    methods = list(dict.fromkeys([*paper.load()["methods"], *(row["method"] for row in has)]))
    if figures == ("seconds",):
        methods.remove("Bicubic")  # the clock leaves it out
    lines = []
    for dataset, scale in dict.fromkeys([*_printed(figures), *((row["dataset"], row["scale"]) for row in has)]):
        cells = {name: _row(has, dataset, scale, name) for name in methods}
        marks = {
            f: {
                side: ranked({name: _value(row, f, side) for name, row in cells.items()}, f)
                for side in ("ours", "paper")
            }
            for f in figures
        }
        body = "".join(f"<td>{_cell(row, name, figures, marks)}</td>" for name, row in cells.items())
        lines.append(f'<tr><th scope="row">{in_html(dataset)}</th><td>x{in_html(scale)}</td>{body}</tr>')
    heads = "".join(f'<th scope="col">{in_html(name)}</th>' for name in methods)
    head = f'<tr><th scope="col">Set</th><th scope="col">Scale</th>{heads}</tr>'
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>{"".join(lines)}</tbody></table></div>'


def _printed(figures):
    """Sets and scales that the paper's table of these figures has."""
    return [
        (dataset, scale)
        for dataset in paper.DATASETS
        for scale in cli.SCALES
        if any(paper.figures(dataset, scale, "IDN")[figure] is not None for figure in figures)
    ]


def _row(rows, dataset, scale, method):
    """The measured row, or one with nothing but the paper's figures."""
    for row in rows:
        if (row["dataset"], row["scale"], row["method"]) == (dataset, scale, method):
            return row
    empty = {"dataset": dataset, "scale": scale, "method": method}
    return paper.compare({**empty, **dict.fromkeys(paper.METRICS)})


def _value(row, figure, side):
    """A figure of a row: ours (the median of the times, where there is one), or the paper's."""
    if side == "paper":
        return row["paper"][figure]
    if figure == "seconds" and row.get("seconds_median") is not None:
        return row["seconds_median"]
    return tables.value(row, figure)


def _cell(row, name, figures, marks):
    """Ours, below it the paper's and the difference, each figure marked when it is among the best two."""
    parts = []
    for side in ("ours", "paper"):
        values = {f: _value(row, f, side) for f in figures}
        texts = [_marked(markdown.number(values[f], paper.decimals(f)), marks[f][side].get(name, "")) for f in figures]
        parts.append(markdown.MISSING if not any(v is not None for v in values.values()) else "/".join(texts))
    ours, papers = parts
    has_delta = figures != ("seconds",) and any(row["delta"][f] is not None for f in figures)
    delta = "/".join(markdown.number(row["delta"][f], paper.decimals(f), signed=True) for f in figures)
    below = f'<span class="delta">{delta}</span>' if has_delta else ""
    here = f'<span class="delta">{trained.HERE}</span>' if row.get("trained_here") else ""
    return f'{ours}{here}<span class="paper">{papers}</span>{below}'


def _marked(text, mark):
    return f'<span class="{mark}">{text}</span>' if mark else text


def section(report, timing):
    """Tables 2 to 4 (str of HTML)."""
    parts = [
        '<p>Each cell: ours, below it the paper\'s figure and the difference. <span class="best">Best</span> and '
        '<span class="second">second best</span> of a line are marked as in the paper, ours among the methods '
        "of the paper that were measured here, the paper's among its own. "
        f"{markdown.MISSING}: not measured, or not printed in the paper.</p>"
    ]
    for number, source in ((2, report), (3, report), (4, timing)):
        parts.append(f"<h3>Table {number}: {in_html(tables.TITLES[number])}</h3>{table(source['rows'], number)}")
    meta = timing["meta"]
    parts.append(
        f'<p class="faint">Seconds here on {in_html(meta["device"])}, the median of warmed-up forwards where there is '
        f"one; the paper's on {in_html(paper.load()['seconds_device'])}.</p>"
    )
    remarks = [f"<li>{in_html(line)}</li>" for line in tables.remarks([*report["rows"], *timing["rows"]])]
    return "".join(parts) + (f"<details><summary>Remarks</summary><ul>{''.join(remarks)}</ul></details>")
