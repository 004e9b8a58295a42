"""The tables of tools/bench_matlab_compat.py as Markdown, and their place in docs/matlab.md."""

from data_prep.files import write_text
from tools.common.errors import UserError
from tools.common.markdown import markers, with_block

BLOCK = "tables"  # of the page


def markdown(report):
    """The tables as Markdown."""
    about, resize = report["meta"], report["resize"]
    first = resize[0]
    lines = [
        f"`{about['command']}`, {about['device']}, {about['date'][:10]}.",
        f"Mismatch: share of the {first['values']:,} values of MATLAB's own output (replicate edge; Set5 to 1/2, 1/3, "
        f"1/4) that differ; inside: without the outermost {about['frame']} pixels. Time: all images of Set14 to 1/2, "
        "1/3, 1/4 (down) and by 2, 3, 4 (up); x: as multiples of matlab_compat's.",
        "",
        "| | mismatch | inside | largest (inside) | down (ms) | x | up (ms) | x |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [_resize_line(row, first) for row in resize]
    if about["not_installed"]:
        lines += ["", f"Not installed, so not measured: {', '.join(about['not_installed'])}."]
    lines += ["", "| metric | largest difference from the authors' scripts | 512 x 512 (ms) |", "|---|---:|---:|"]
    for row in report["metrics"]:
        pairs = f"{row['largest_difference']:.1e} ({row['images']} pairs)"
        lines.append(f"| {row['name']} | {pairs} | {1000 * row['seconds']:.1f} |")
    if report["memory"]:
        lines += ["", "| call, 3000 x 2400 pixels | peak memory / larger image as double |", "|---|---:|"]
        lines += [f"| {row['name']} | {row['double_images']:.1f} |" for row in report["memory"]]
    return "\n".join(lines) + "\n"


def _resize_line(row, ours):
    def times(key):
        return f"{1000 * row[key]:.0f} | {row[key] / ours[key]:.2f}"

    shares = " | ".join(f"{row[key]:.2f} %" for key in ("mismatch_percent", "mismatch_inside_percent"))
    largest = f"{row['largest_difference']} ({row['largest_inside']})"
    return f"| {row['name']} | {shares} | {largest} | {times('down_s')} | {times('up_s')} |"


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
