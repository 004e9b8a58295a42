"""Text of others stays text in HTML, Markdown, CSV and on a terminal."""

import csv
import io
import os
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from tools.common import texts

HOSTILE = "<script>alert(1)</script> \" ' & `x` |a| [l](http://e) ![p](http://e)\n\x1b[2J \u202e"


class Seen(HTMLParser):
    """What a browser would see: tags with their attributes, and the text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


@given(st.text() | st.just(HOSTILE) | st.binary(max_size=20).map(os.fsdecode))
def test_html_shows_the_text_and_nothing_else(text):
    seen = Seen(f'<b title="{texts.in_html(text)}">{texts.in_html(text)}</b>')
    assert [tag for tag, _ in seen.tags] == ["b"] and set(seen.tags[0][1]) == {"title"}
    assert seen.text == seen.tags[0][1]["title"] == texts.one_line(text)


@given(st.text() | st.just(HOSTILE) | st.binary(max_size=20).map(os.fsdecode))
def test_one_line_steers_nothing(text):
    line = texts.one_line(text)
    assert len(line.splitlines()) <= 1
    line.encode("utf-8")  # no half characters
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c == "\u202e" for c in line)


def test_one_line():
    assert texts.one_line("a\nb\x1b[0m") == "a\\nb\\x1b[0m"
    assert texts.one_line(os.fsdecode(b"\xffa")) == "\\xffa"
    assert texts.one_line("Bild \u4e2d \u0416 é") == "Bild \u4e2d \u0416 é"


def test_markdown_has_no_tags_links_or_further_cells():
    assert texts.in_markdown("a <b> [x](y) | c\nd") == "a \\<b> [x]\\(y) \\| c\\nd"
    assert texts.in_cell("a|b<c>*d*_e_`f`[g]") == "a\\|b\\<c>\\*d\\*_e_\\`f\\`\\[g\\]"
    assert texts.as_code("plain") == "`plain`" and texts.as_code("a `b` ``c") == "``` a `b` ``c ```"


def test_no_spreadsheet_takes_a_cell_for_a_formula():
    for begin in "=+-@":
        assert texts.in_csv(f"{begin}cmd|' /C calc'!A0") == f"'{begin}cmd|' /C calc'!A0"
    assert texts.in_csv("\t=1") == "\\t=1" and texts.in_csv(" =1") == "' =1"
    assert texts.in_csv("Set5") == "Set5" and texts.in_csv(None) is None
    stream = io.StringIO()
    csv.writer(stream).writerow([texts.in_csv('a",\n=1')])
    assert len(stream.getvalue().splitlines()) == 1
