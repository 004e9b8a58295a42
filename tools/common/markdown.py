"""Markdown tables, and the generated parts of a page, between `<!-- NAME:begin -->` and `<!-- NAME:end -->`."""

from tools.common.errors import UserError


def markers(name):
    """The two lines that enclose block `name`."""
    return f"<!-- {name}:begin -->", f"<!-- {name}:end -->"


def with_block(text, name, block, page="README.md"):
    """`text` with everything between the markers of block `name` replaced by `block`; the rest is untouched.

    Raises
    ------
    UserError
        The markers are missing, doubled or in the wrong order; `page` is the page's name for the message.
    """
    begin, end = markers(name)
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise UserError(f"{page}: expected one line {begin} and below it one line {end}; put them where it goes")
    before, rest = text.split(begin)
    return f"{before}{begin}\n{block.strip()}\n{end}{rest.split(end)[1]}"


MISSING = "-"


def number(figure, digits, signed=False):
    """A figure as text: `digits` after the point, `-` for None, no sign before a zero difference."""
    if figure is None:
        return MISSING
    text = f"{figure:+.{digits}f}" if signed else f"{figure:.{digits}f}"
    return text.lstrip("+-") if signed and float(text) == 0 else text


def table(head, body, text_columns):
    """A Markdown table (str) with aligned columns.

    Parameters
    ----------
    head : list of str
    body : list of list of str
        The lines, each with a cell for every column.
    text_columns : int
        So many columns from the left are flushed left, the numbers after them right.
    """
    widths = [max(len(line[k]) for line in [head, *body]) for k in range(len(head))]

    def line(cells):
        pads = [c.ljust(w) if k < text_columns else c.rjust(w) for k, (c, w) in enumerate(zip(cells, widths))]
        return f"| {' | '.join(pads)} |"

    rule = ["-" * w if k < text_columns else "-" * (w - 1) + ":" for k, w in enumerate(widths)]
    return "\n".join([line(head), line(rule), *map(line, body)])
