"""Generated parts of a Markdown page: what stands between `<!-- NAME:begin -->` and `<!-- NAME:end -->`."""

from tools import cli


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
        raise cli.UserError(f"{page}: expected one line {begin} and below it one line {end}; put them where it goes")
    before, rest = text.split(begin)
    return f"{before}{begin}\n{block.strip()}\n{end}{rest.split(end)[1]}"
