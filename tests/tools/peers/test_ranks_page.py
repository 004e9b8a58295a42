"""The reckoning of where more ranks stop paying, against figures worked out by hand."""

import json

import pytest

from tools.peers import ranks_page

MB = 2_000_000  # bytes


def test_the_exchange():
    """4 ranks at 1 Gb/s: each sends 2 x 3/4 of 16 Mbit, which takes 24 ms, and 4 messages wait for 2 x 50 us each."""
    assert ranks_page.exchange_seconds(4, MB, 1) == pytest.approx(0.024 + 0.0004)
    assert ranks_page.exchange_seconds(4, MB, 10) == pytest.approx(0.0024 + 0.0004)
    assert ranks_page.exchange_seconds(1, MB, 1) == 0


def test_the_speed_up():
    assert ranks_page.speed_up(0.4, 4, MB, 1) == pytest.approx(0.4 / (0.1 + 0.0244))
    assert ranks_page.speed_up(0.4, 1, MB, 1) == 1
    # however many machines: the exchange takes 32 ms for all of 2 MB twice, so that 12.5 is out of reach
    assert ranks_page.speed_up(0.4, 64, MB, 1) < 12.5


def test_where_it_stops_paying():
    """0.4 s at 1 Gb/s: 8 ranks take 50 + 28.6 ms, efficiency 64 %; 16 take 25 + 30.8 ms, 45 %."""
    assert ranks_page.most_ranks(0.4, MB, 1) == 8
    assert ranks_page.most_ranks(0.01, MB, 1) == 1
    assert ranks_page.most_ranks(0.4, MB, 100) == 64


def test_idn_has_two_megabytes_of_gradients():
    """The paper: 553 K parameters at x3 (with the biases 552,962 here)."""
    assert ranks_page.gradient_bytes(3) / 4 == pytest.approx(553_000, rel=0.01)


def test_the_page():
    report = {
        "meta": {
            "command": "tools/bench_ranks.py", "device": "a CPU", "cores": 2, "threads": 1, "date": "2026-11-26 04:00",
            "load_average": 9.5, "scale": 3, "iterations": 40, "rounds": 3, "by": "MPI",
        },
        "rows": [
            {"ranks": 1, "seconds": 0.4, "cpu_seconds": 0.36}, {"ranks": 2, "seconds": 0.25, "cpu_seconds": 0.4},
        ],
        "bytes": MB,
    }  # fmt: skip
    text = ranks_page.markdown(report)
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    assert ["2", "250", "400", "80%", "90%"] in lines
    assert "load average before the run 9.5" in text and "1 thread in each process" in text
    assert any(line[0] == "64" and len(line) == 4 for line in lines)


def test_the_guide_has_the_result(root):
    report = json.loads((root / "results" / "speed" / "ranks.json").read_text())
    page = (root / "docs" / "parallel_training.md").read_text()
    assert ranks_page.renewed(page, report) == page
    assert (root / "results" / "speed" / "ranks.md").read_text() == ranks_page.markdown(report)
