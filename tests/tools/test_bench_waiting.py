"""What waiting threads cost: a machine that is not idle is said to be so, and each way to wait reaches its process."""

import ast
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tools import bench_waiting
from tools.peers import speed_tasks


def test_work_of_others_is_seen():
    """A process that computes takes about a core; what was there before may come and go, so only much less is wrong."""
    with subprocess.Popen([sys.executable, "-c", bench_waiting.BUSY]) as other:
        try:
            assert bench_waiting.cores_taken(0.5) > 0.5
        finally:
            other.kill()


@pytest.mark.parametrize(("others", "said"), [(0.05, False), (0.9, True)])
def test_the_page_says_what_was_not_idle(others, said):
    seconds = {way: {"idle": 0.1, "busy": 0.25} for way in bench_waiting.WAYS}
    report = {"command": "c", "date": "d", "device": "e", "threads": 2, "seconds": {"forward": seconds},
              "others": {"forward": others}}  # fmt: skip
    page = bench_waiting.page(report)
    assert ("Not idle: around the idle rounds of `forward` other programs took 0.9 cores." in page) == said
    assert page.count(" 100.0 | 250.0 |") == len(bench_waiting.WAYS)


@pytest.mark.parametrize("way", ["ours (1,000 looks)", "0", "passive"])
def test_a_way_to_wait_reaches_its_process(monkeypatch, way):
    """The choice of whoever starts the tool does not, and stays as it is."""
    monkeypatch.setenv("GOMP_SPINCOUNT", "77")
    monkeypatch.setattr(speed_tasks, "Worker", _Process)
    worker = bench_waiting.started(Path(), bench_waiting.WAYS[way], SimpleNamespace())
    assert worker.choices == bench_waiting.WAYS[way]
    assert os.environ["GOMP_SPINCOUNT"] == "77"


def test_each_timed_run_follows_untimed_ones():
    """Every one: while another way runs, a way's threads sleep."""
    turns = []
    workers = {way: _Runner(way, turns) for way in ("a", "b")}
    assert bench_waiting.timed(workers, 3) == {"a": 1, "b": 1}
    assert turns == ["a", "b"] * 3


class _Runner:
    """In a worker's place: notes whose turn it was, and takes longer when it was not warmed up."""

    def __init__(self, way, turns):
        self.way, self.turns, self.warm = way, turns, False

    def warm_up(self):
        self.warm = True

    def ask(self, command):
        self.turns.append(self.way)
        warm, self.warm = self.warm, False
        return {"seconds": 1 if warm else 2}


class _Process:
    """A process in a worker's place, asked for its environment."""

    def __init__(self, engine, folder, args):
        code = "import os; print({n: os.environ[n] for n in ('GOMP_SPINCOUNT', 'OMP_WAIT_POLICY') if n in os.environ})"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        self.choices = ast.literal_eval(done.stdout)
