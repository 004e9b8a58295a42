"""The tables of tools/bench_matlab_compat.py as Markdown, and their place in docs/matlab.md."""

from data_prep.files import write_text
from tools.common.errors import UserError
from tools.common.markdown import markers, table, with_block

BLOCK = "tables"  # of the page


def markdown(report):
    """The tables as Markdown (str)."""
    about, resize = report["meta"], report["resize"]
    values = resize[0]["values"]
    parts = [
        f"`{about['command']}`, {about['device']}, {about['date'][:10]}.\n"
        f"Mismatch: share of the {values:,} values of MATLAB's own output (replicate edge; Set5 to 1/2, 1/3, 1/4) that "
        f"differ; inside: without the outermost {about['frame']} pixels. Time: all images of Set14 to 1/2, 1/3, 1/4 "
        "(down) and by 2, 3, 4 (up); x: as multiples of matlab_compat's.",
        _resizing(resize),
    ]
    if about["not_installed"]:
        parts.append(f"Not installed, so not measured: {', '.join(about['not_installed'])}.")
    parts.append(_metrics(report["metrics"]))
    if report["memory"]:
        parts.append(_memory(report["memory"]))
    return "\n\n".join(parts) + "\n"


def _resizing(rows):
    head = ["", "mismatch", "inside", "largest (inside)", "down (ms)", "x", "up (ms)", "x"]
    return table(head, [_resize_line(row, rows[0]) for row in rows], text_columns=1)


def _resize_line(row, ours):
    shares = [f"{row[key]:.2f} %" for key in ("mismatch_percent", "mismatch_inside_percent")]
    times = [
        cell for key in ("down_s", "up_s") for cell in (f"{1000 * row[key]:.0f}", f"{row[key] / ours[key]:.2f}")
    ]
    return [row["name"], *shares, f"{row['largest_difference']} ({row['largest_inside']})", *times]


def _metrics(rows):
    head = ["metric", "largest difference from the authors' scripts", "512 x 512 (ms)"]
    body = [
        [row["name"], f"{row['largest_difference']:.1e} ({row['images']} pairs)", f"{1000 * row['seconds']:.1f}"]
        for row in rows
    ]
    return table(head, body, text_columns=1)


def _memory(rows):
    head = ["call, 3000 x 2400 pixels", "peak memory / larger image as double"]
    return table(head, [[row["name"], f"{row['double_images']:.1f}"] for row in rows], text_columns=1)


def check_page(page):
    """Raise UserError unless the page has the markers; before the long measurement rather than after it."""
    renewed(page, "")


def renew(page, text):
    """Put the tables between the markers of the page."""
    write_text(page, renewed(page, text))


def renewed(page, text):
    """The page's text (str) with `text` between its markers."""
    if not page.exists():
        raise UserError(f"{page}: no such page; expected one with the lines {' and '.join(markers(BLOCK))}")
    return with_block(page.read_text(encoding="utf-8"), BLOCK, text, page.name)
