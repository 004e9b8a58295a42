"""Every cell of Tables 2 and 3: counted, and explained where it differs."""

import json
import math
import re

import pytest

from tools.benchmarking import cells, paper, reports
from tools.benchmarking.cells import DIFFERENT, EQUAL, NEAR, Cell
from tools.common.errors import UserError


@pytest.fixture
def committed(root):
    """The committed report and explanations."""
    folder = root / "results/benchmark"
    return reports.read_report(folder / "benchmark.json"), cells.read_explanations(folder / "explanations.json")


def whole(rows, change=0.0):
    """A report of `rows` and every row of the paper that is not among them, with the paper's figures plus `change`."""
    made = {reports.key(row): row for row in rows if not row["gap"]}
    for dataset in paper.DATASETS:
        for scale in (2, 3, 4):
            for method in paper.load()["methods"]:
                figures = paper.figures(dataset, scale, method)
                ours = {name: value and value + change for name, value in figures.items()}
                row = {"dataset": dataset, "scale": scale, "method": method, **ours}
                made.setdefault(reports.key(row), paper.compare(row))
    return {"meta": {}, "rows": sorted(made.values(), key=reports.place)}


@pytest.mark.parametrize(
    ("figure", "ours", "papers", "units", "state"),
    [
        ("psnr", 33.6649, 33.66, 0, EQUAL),
        ("psnr", 33.6651, 33.66, 1, NEAR),
        ("psnr", 33.68, 33.66, 2, DIFFERENT),
        ("ssim", 0.77361, 0.7742, -6, DIFFERENT),
        ("ssim", 0.89024, 0.8903, -1, NEAR),
        ("ifc", 9.2519, 9.252, 0, EQUAL),
        ("psnr", math.inf, 33.66, math.inf, DIFFERENT),
    ],
)
def test_units_of_the_last_printed_digit(figure, ours, papers, units, state):
    cell = Cell("Set5", 2, "IDN", figure, ours, papers)
    assert (cell.units, cell.state) == (units, state)


def test_every_committed_cell_that_differs_has_a_word(committed):
    """More than one unit: an explanation, or plainly that there is none; and no explanation that nothing needs."""
    report, groups = committed
    different = [cell for cell in cells.measured(report["rows"]) if cell.state != EQUAL]
    silent = [str(cell) for cell in different if cell.state == DIFFERENT and cells.explanation(cell, groups) is None]
    assert silent == []
    used = [cells.explanation(cell, groups) for cell in different]
    assert [group["why"] for group in groups if group not in used] == []


def test_committed_counts(committed):
    """The counts of the page against the differences of the printed table."""
    report, groups = committed
    text = cells.block(report, groups)
    last = next(line for line in text.splitlines() if line.startswith("| together"))
    printed, measured, *counts = [int(cell) for cell in last.split("|")[2:-1]]
    assert printed == 4 * 3 * 7 * 3 and measured == sum(counts) == len(cells.measured(report["rows"]))
    listed = re.findall(r"^\| (\w+) +\| x(\d) +\| (\w+) .*\| +([+-]\d+) \|$", text, re.M)
    assert len(listed) == counts[1] + counts[2] and sum(abs(int(units)) > 1 for *_, units in listed) == counts[2]
    for name in ("Set5", "IDN"):
        assert any(name in one for one in listed)


def test_the_table_grows_with_the_sets(committed):
    """All of the paper's rows: 252 cells, each new one as it is; a cell without an explanation is named as such."""
    report, groups = committed
    first = [row for row in report["rows"] if row["dataset"] in ("Set5", "Set14")]
    text = cells.block(whole(first), groups)
    assert re.search(r"^\| IDN +\| +36 \| +36 \| +31 \|", text, re.M)  # 13 of Set5 and Set14, all 18 of the others
    assert re.search(r"^\| together +\| +252 \| +252 \|", text, re.M) and "No cell of" not in text
    text = cells.block(whole([], change=0.02), groups)
    assert re.search(r"^\| together +\| +252 \| +252 \| +0 \| +0 \| +252 \|", text, re.M)
    unexplained = text.split(cells.UNKNOWN)[-1]
    assert "| Urban100 | x2    | IDN " in unexplained and "| +2 |" in re.sub(" +", " ", unexplained)


def test_another_method_has_no_cells():
    row = {"dataset": "Set5", "scale": 4, "method": "IDN-MSCOCO", "psnr": 31.84, "ssim": 0.8908, "ifc": 3.891}
    assert cells.measured([paper.compare({**row, "seconds": None})]) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "expected a list under groups"),
        ({"groups": [{"methods": ["IDN"]}]}, 'groups[0]: expected an object with a text "why"'),
        ({"groups": [{"why": "x", "method": "IDN"}]}, "groups[0].method: expected a list under one of methods, "),
        ({"groups": [{"why": "x", "scales": 4}]}, "groups[0].scales: expected a list under one of methods, "),
    ],
)
def test_a_damaged_file_is_one_line(tmp_path, content, said):
    (tmp_path / "explanations.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="explanations.json: not a list of explanations") as error:
        cells.read_explanations(tmp_path / "explanations.json")
    assert said in str(error.value) and "\n" not in str(error.value)
