"""tools/bench_data.py: a folder that it makes and removes, its tables, its mistakes."""

import json
import tempfile

import pytest

from tools import bench_data
from tools.common.errors import UserError


def test_a_large_folder_is_made_cut_and_removed(tmp_path, monkeypatch, capsys):
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    out = tmp_path / "large.json"
    asked = ["large", "--images", "4", "--max-pairs", "64", "--workers", "1", "--out", str(out)]
    assert bench_data.main(asked) == 0
    (row,) = json.loads(out.read_text())
    assert (row["images"], row["pairs"], row["workers"]) == (4, 64, 1)
    assert row["pairs_before_truncation"] > 64 and row["processor_seconds"] > 0 and row["peak_mb"] > 0
    assert str(tmp_path) not in row["command"]
    page = out.with_suffix(".md").read_text()
    assert ["4", f"{row['pairs_before_truncation']:,}", "64", "1"] in [line[:4] for line in cells(page)]
    assert list((tmp_path / "scratch").iterdir()) == []


def cells(page):
    """Cells of the lines of the tables of a page: list of list of str."""
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("|")]


@pytest.mark.parametrize("count", ["0", "many", "10000000"])
def test_a_number_of_images_that_is_none(tmp_path, count):
    with pytest.raises(UserError, match=f"images: got {count}, expected how many are to be made"):
        bench_data.main(["large", "--images", count, "--out", str(tmp_path / "large.json")])


def test_the_page_of_the_stream():
    """64 x 213 pairs per second over 6,816 pairs per processor second are 2 cores."""
    found = {
        "stream": [{"folder": "291", "images": 291, "pairs": 9, "workers": 2, "pairs_at_the_start": 6400,
                    "pairs_per_second": 12_000.4, "pairs_per_processor_second": 6816.0}],
        "trainings": [{"from": "images", "iterations_per_second": 3.25, "processor_seconds_per_iteration": 0.5}],
        "command": "tools/bench_data.py stream", "date": "today", "device": "a processor", "cores": 2,
        "load_average": 1.5,
    }  # fmt: skip
    page = bench_data.stream_page(found)
    assert ["291 of 291", "2", "12,000", "6,816", "2.0"] in cells(page)
    assert ["images", "3.25", "0.50"] in cells(page)
    assert "cuts 6,400 pairs, enough for\n100 iterations; the pairs of one iteration take 9.4 ms" in page
    assert "takes 13,632 pairs per second" in page and "load average 1.5" in page
