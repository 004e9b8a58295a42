"""Markdown tables, and the generated parts of a page."""

import pytest

from tools.common import markdown
from tools.common.errors import UserError

BEGIN, END = markdown.markers("table")


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}\n{BEGIN}", 2 * f"{BEGIN}{END}"])
def test_a_page_without_its_markers_is_refused(text):
    with pytest.raises(UserError, match="README.md: expected one line <!-- table:begin -->"):
        markdown.with_block(text, "table", "| a |")


def test_a_page_keeps_what_is_outside_its_markers():
    text = f"above\n{BEGIN}\nstale\n{END}\nbelow\n"
    assert markdown.with_block(text, "table", "fresh\n") == f"above\n{BEGIN}\nfresh\n{END}\nbelow\n"


def test_columns_of_a_table_are_aligned():
    text = markdown.table(["set", "", "dB"], [["Set5", "x3", "33.99"], ["a", "x10", "7"]], text_columns=2)
    assert text.splitlines() == [
        "| set  |     |    dB |",
        "| ---- | --- | ----: |",
        "| Set5 | x3  | 33.99 |",
        "| a    | x10 |     7 |",
    ]


def test_numbers_of_a_table():
    assert [markdown.number(n, 2) for n in (None, 1, float("inf"))] == ["-", "1.00", "inf"]
    signed = [markdown.number(n, 2, signed=True) for n in (0.001, -0.001, 0.126, -2)]
    assert signed == ["0.00", "0.00", "+0.13", "-2.00"]
