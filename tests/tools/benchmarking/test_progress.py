"""Lines that tell where a benchmark is, with a clock of the test's own."""

import io
import sys

from tools.benchmarking import progress


def log(monkeypatch):
    """Standard error as a log: no terminal (io.StringIO)."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    return sys.stderr


def test_a_line_per_row_and_one_where_none_came_for_long(monkeypatch):
    said, clock = log(monkeypatch), [100.0]
    with progress.Progress(2, every=50, clock=lambda: clock[0]) as place:
        place.begin("Set14 x3 VDSR", 3)
        place.due()
        assert said.getvalue() == ""
        place.image()
        clock[0] += 51
        place.due()
        place.due()  # said a moment ago
        for _ in range(2):
            place.image()
        place.score()
        clock[0] += 50
        place.due()
        clock[0] += 10
        place.end("29.77 dB")
        clock[0] += 100
        place.due()  # between two rows
        place.begin("Set14 x4 VDSR", 3)
        place.due()
    assert said.getvalue().splitlines() == [
        "[1/2] Set14 x3 VDSR: image 2 of 3, 51 s so far",
        "[1/2] Set14 x3 VDSR: scores, image 2 of 3, 101 s so far",
        "[1/2] Set14 x3 VDSR: 29.77 dB",
        "[2/2] Set14 x4 VDSR: image 1 of 3, 0 s so far",
    ]


def test_the_clock_is_watched_while_a_row_runs(monkeypatch):
    """The lines come from a thread of their own: here from the first look, which is waited for, not timed."""
    said = log(monkeypatch)
    monkeypatch.setattr(progress, "TICK", 0.001)
    looked = progress.threading.Event()

    class Watched(progress.Progress):
        def due(self):
            super().due()
            if said.getvalue():
                looked.set()

    with Watched(1, every=0) as place:
        place.begin("Set5 x2 IDN", 5)
        assert looked.wait(30)
    assert said.getvalue().startswith("[1/1] Set5 x2 IDN: image 1 of 5, 0 s so far\n")


def test_one_line_a_minute_at_least():
    assert progress.EVERY + progress.TICK < 60
