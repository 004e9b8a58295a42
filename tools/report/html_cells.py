"""Every cell of Tables 2 and 3 as HTML: how many are the paper's, and those that are not with what is known of them."""

import re

from tools.benchmarking import cells
from tools.common.texts import in_html


def section(report, groups):
    """The counts, and each cell that differs under its explanation (str of HTML).

    Parameters
    ----------
    report : dict
    groups : list of dict
        From cells.read_explanations.
    """
    found = cells.measured(report["rows"])
    parts = [f"<p>{_prose(cells.SAID)}</p>", table(*cells.counts(found), 1)]
    parts += [f"<p>{_prose(said)}</p>" for said in cells.unmeasured(found)]
    differing = [f"<p>{_prose(why)}</p>{table(*cells.listed(some), 4)}" for why, some in cells.explained(found, groups)]
    if not differing:
        return "".join([*parts, f"<p>{cells.NOTHING}</p>"])
    number = len(cells.others(found))
    which = "The cell that differs" if number == 1 else f"The {number} cells that differ"
    return "".join([*parts, f"<details><summary>{which}</summary>", *differing, "</details>"])


def table(head, body, text_columns):
    """A table (str of HTML) of texts: head (list of str), body (list of list of str); the first column heads its line.

    Parameters
    ----------
    text_columns : int
        So many columns, from the left, are text and not numbers.
    """
    kinds = [' class="text"'] * text_columns + [""] * (len(head) - text_columns)
    heads = "".join(f'<th scope="col"{kind}>{in_html(one)}</th>' for kind, one in zip(kinds, head))
    lines = []
    for first, *rest in body:
        tags = "".join(f"<td{kind}>{in_html(one)}</td>" for kind, one in zip(kinds[1:], rest))
        lines.append(f'<tr><th scope="row">{in_html(first)}</th>{tags}</tr>')
    return (
        f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'
    )


def _prose(text):
    """A sentence of Markdown: code stays code, of a link its words stay, since the page has no other file beside it."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", in_html(text))
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", words)
