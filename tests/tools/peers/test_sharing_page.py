"""The report of tools/bench_sharing.py: its tables, and that the page shows the committed results."""

import json

import pytest

from tools.common.errors import UserError
from tools.peers import sharing_page

META = {
    "command": "tools/bench_sharing.py", "device": "a CPU", "date": "2026-11-26 04:00", "threads": 4, "rounds": 9,
    "images": 32, "warm_up": 0.1, "load_average": 0.25,
}  # fmt: skip


def row(kind, method, size, **figures):
    return {"kind": kind, "method": method, "scale": 3, "size": size, **figures}


@pytest.fixture
def report():
    memory = [row("memory", "IDN", size, apart=size << 20, shared=None) for size in (64, 170)]
    times = [
        row("at once", method, size, layers=0.012, nets=0.008) for method in ("IDN", "VDSR") for size in (32, 64)
    ]  # fmt: skip
    return {"meta": META, "rows": [*memory, *times]}


def cells(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]


def test_the_tables(report):
    text = sharing_page.markdown(report)
    lines = cells(text)
    assert ["MB", "64x64, apart", "shared", "170x170, apart", "shared"] in lines
    assert ["IDN x3", "64", "-", "170", "-"] in lines  # a system that cannot tell the peak
    assert ["ms per image", "32x32", "64x64"] in lines
    for net in ("IDN x3", "VDSR x3"):
        assert [f"{net}: 4 threads within each layer", "12.0", "12.0"] in lines
        assert [f"{net}: 4 nets at once", "8.0", "8.0"] in lines
        assert [f"{net}: ratio", "1.50", "1.50"] in lines
    assert "4 threads, 2026-11-26, load average before the run 0.2" in text and "with 32 images" in text


def test_both_blocks_are_renewed_and_the_rest_is_left(report):
    blocks = [f"<!-- {name}:begin -->\nstale\n<!-- {name}:end -->" for name in ("sharing", "at-once")]
    once = sharing_page.renewed("above\n{}\nbetween\n{}\nbelow\n".format(*blocks), report)
    assert once == sharing_page.renewed(once, report) and "stale" not in once
    assert all(f"{word}\n" in once for word in ("above", "between", "below"))
    assert once.index("apart") < once.index("between") < once.index("ratio")
    with pytest.raises(UserError, match="^page.md: expected one line <!-- at-once:begin -->"):
        sharing_page.renewed(blocks[0], report, "page.md")


def test_the_committed_page_is_what_results_say(root):
    made = json.loads((root / "results" / "speed" / "sharing.json").read_text())
    page = (root / "docs" / "speed.md").read_text()
    assert sharing_page.renewed(page, made) == page
    assert (root / "results" / "speed" / "sharing.md").read_text() == sharing_page.markdown(made)
