"""Text of others (names, reports, logs) on its way into a page, a table or a terminal: it stays text.

A file name may hold a line end or a terminal's control sequence, and a report may come from anywhere. So whatever is
not this project's own goes through one of these functions where it is put into something with a syntax.
"""

import html
import re
import unicodedata

from data_prep.files import shown

# what ends a line, steers a terminal or turns the direction of the text around
_STEERING = frozenset(("Cc", "Zl", "Zp"))
_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# a spreadsheet takes a cell that begins so as a formula
_FORMULA = ("=", "+", "-", "@")


def one_line(text):
    """Any text or path as one line (str): control characters and bytes that are not UTF-8 are written as \\xNN."""
    return "".join(_escaped(c) if _steers(c) else c for c in shown(text))


def _steers(character):
    return unicodedata.category(character) in _STEERING or character in _TURNING


def _escaped(character):
    return character.encode("unicode_escape").decode("ascii")


def in_html(text):
    """Text (str) as HTML shows it, between tags or in an attribute with quotes around it."""
    return html.escape(one_line(text))


def in_markdown(text):
    """Text (str) for a line of Markdown: no tags, no links, no pictures, no new cells."""
    return one_line(text).replace("](", "]\\(").replace("<", "\\<").replace("|", "\\|")


def in_cell(text):
    """A name (str) for a cell of a Markdown table, without any of Markdown's marks."""
    return re.sub(r"([\\`*|<\[\]])", r"\\\1", one_line(text))


def as_code(text):
    """Text (str) as Markdown's code, whatever backticks it holds."""
    text = one_line(text)
    runs = re.findall("`+", text)
    fence = "`" * (max(map(len, runs), default=0) + 1)
    return f"{fence} {text} {fence}" if runs else f"`{text}`"


def in_csv(text):
    """Text (str or None) for a cell of a CSV file that no spreadsheet takes for a formula."""
    if text is None:
        return None
    text = one_line(text)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
