"""The tables of tools/bench_speed.py as Markdown, and their place in docs/speed.md."""

from data_prep.files import write_text
from tools.common.markdown import MISSING, table, with_block

OURS = "Caffe, oneDNN"
BLOCK = "speed"  # of the page


def markdown(report):
    """The content (str) of cpu.md."""
    return "# Caffe on the CPU beside other engines\n\n" + body(report)


def renew(page, report):
    """Put the tables between the markers of the page (Path)."""
    write_text(page, renewed(page.read_text(encoding="utf-8"), report, page.name))


def renewed(text, report, name="speed.md"):
    """The page's text (str) with the tables of `report` (dict) between its markers."""
    return with_block(text, BLOCK, body(report).rstrip("\n"), name)


def body(report):
    """How it was measured, the tables, the versions (str)."""
    about = report["meta"]
    lines = [
        f"`{about['command']}`, {about['device']}, {about['threads']} threads, {about['date'][:10]}, load average "
        f"before the run {about['load_average']:.1f}.",
        "",
        f"Milliseconds: median of {about['rounds']} rounds in which the engines took turns, each after runs for "
        f"{about['warm_up']} s that are not timed; in brackets the multiple of {OURS}'s. Memory: how much the process "
        f"grew by one run, its peak. {_sharing(about)}All results agreed with stock Caffe's.",
        "",
        *tables(report),
        *_share(report),
        "Versions: " + ", ".join(f"{name} {version}" for name, version in about["engines"].items()) + ".",
    ]
    if about["not_installed"]:
        lines += ["", f"Not installed, so not measured: {', '.join(about['not_installed'])}."]
    return "\n".join(lines) + "\n"


def _sharing(about):
    return "In Caffe's forward passes the blobs share memory, as in the tools. " if about.get("shared_memory") else ""


def _share(report):
    """A table of the rates (list of str) beside that of products of matrices; none in a report without that."""
    sgemm = report["meta"].get("sgemm_gflops")
    if not sgemm:
        return []
    lines = [
        f"NumPy's BLAS multiplies 2048x2048 matrices with {sgemm:.0f} GFLOP/s here. Each row's rate as a share of "
        "that, in percent, its work counted as that of direct convolutions (a training iteration: three forward "
        "passes); Winograd's transforms do with fewer products, so more than 100 % is possible.",
        "",
    ]
    names = list(dict.fromkeys(row["engine"] for row in report["rows"]))
    body = []
    for kind in dict.fromkeys(row["kind"] for row in report["rows"]):
        rows = [row for row in report["rows"] if row["kind"] == kind]
        for task in dict.fromkeys(map(_task, rows)):
            line = _line(task, _of_task(rows, task), names, lambda row, _: _percent(row, sgemm))
            body.append([f"{kind}: {task}", *line[1:]])
    return [*lines, table(["Share of sgemm, %", *names], body, text_columns=1), ""]


def _percent(row, sgemm):
    return f"{100 * row['gflop'] / row['seconds'] / sgemm:.0f}"


def tables(report):
    """The tables alone (list of str, each with an empty line after it): forward and training, milliseconds, memory."""
    lines = []
    for kind, title in (("forward", "Forward pass"), ("train", "Training iteration")):
        rows = [row for row in report["rows"] if row["kind"] == kind]
        if not rows:
            continue
        names = list(dict.fromkeys(row["engine"] for row in rows))
        for value, cell in (("ms", _milliseconds), ("peak MB", _memory)):
            body = [_line(task, _of_task(rows, task), names, cell) for task in dict.fromkeys(map(_task, rows))]
            lines += [table([f"{title}, {value}", *names], body, text_columns=1), ""]
    return lines


def _task(row):
    batch = f"batch {row['batch']} of " if "batch" in row else ""
    return f"{row['method']} x{row['scale']}, {batch}{row['size']}x{row['size']}"


def _of_task(rows, task):
    return {row["engine"]: row for row in rows if _task(row) == task}


def _line(task, by_engine, names, cell):
    ours = by_engine.get(OURS)
    return [task, *(cell(by_engine[name], ours) if name in by_engine else MISSING for name in names)]


def _milliseconds(row, ours):
    text = f"{1000 * row['seconds']:.0f}"
    return f"{text} ({row['seconds'] / ours['seconds']:.2f})" if ours else text


def _memory(row, _):
    return str(row["peak_mb"])
