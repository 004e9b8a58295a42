"""Trainings of a known length: they end in time, annealed, resume, and can be repeated by what they leave."""

import json
import shutil
import signal
from contextlib import contextmanager

import pytest

from prototxt.solver import STAGES
from tools import train
from tools.common.errors import UserError
from tools.figures import curves
from tools.methods import evaluation
from tools.training import pace, snapshots, stepping
from tools.training.log import read

# 14.4 seconds by the clock of these tests
HOURS, TEXT = 0.004, "pretrain: 4 at 2e-4, 3 at 2e-5, 1 at 2e-6; finetune: 1"
ITERATION, OTHER = 0.2, 0.1  # seconds of an iteration, and of a validation, a snapshot, a drawing


class Clock:
    """In place of the time module: a clock that goes on by what the training does, and not by how fast this machine is.

    Attributes
    ----------
    seconds : float
        What it shows.
    stop_at : int or None
        Iteration of a solver after which the user stops the training.
    """

    def __init__(self):
        self.seconds, self.stop_at = 1000.0, None

    def monotonic(self):
        return self.seconds

    def iterate(self, stepper, count):
        """As stepping.Plain.step."""
        losses = STEP(stepper, count)
        self.seconds += ITERATION * count
        if stepper.solver.iter == self.stop_at:
            signal.raise_signal(signal.SIGTERM)
        return losses

    def taking_time(self, function):
        """The function, with its time."""

        def run(*args, **options):
            self.seconds += OTHER
            return function(*args, **options)

        return run

    @contextmanager
    def on_the_wall(self):
        """Trainings by this clock while the context lasts."""
        with pytest.MonkeyPatch.context() as patch:
            for module in (train, pace):
                patch.setattr(module, "time", self)
            patch.setattr(stepping.Plain, "step", lambda stepper, count: self.iterate(stepper, count))
            for module, name in ((evaluation, "validation_psnr"), (snapshots, "save"), (curves, "plot")):
                patch.setattr(module, name, self.taking_time(getattr(module, name)))
            yield self


STEP = stepping.Plain.step


@pytest.fixture
def clock():
    with Clock().on_the_wall() as clock:
        yield clock


@pytest.fixture(scope="module")
def timed(training, tmp_path_factory):
    """Folder of a run by --hours through two stages, and the seconds that its command took."""
    out = tmp_path_factory.mktemp("timed") / "run"
    with Clock().on_the_wall() as clock:
        began = clock.seconds
        assert training.run(out, "--hours", str(HOURS), "--schedule", TEXT, "--average", "3") == 0
        return out, clock.seconds - began


def test_it_ends_in_time_with_every_part(training, timed):
    """Within an iteration of the end; the average of the snapshots, which is validated as well, comes on top."""
    out, seconds = timed
    summary = training.read_json(out / "summary.json")
    hours = summary["schedule"]["hours"]
    assert hours["asked"] == HOURS and hours["used"] * 3600 == pytest.approx(HOURS * 3600, abs=ITERATION)
    assert hours["used"] * 3600 <= seconds <= hours["used"] * 3600 + OTHER + 0.02
    assert "shrunk to 0.004 hours by the measured speed" in summary["schedule"]["what"]
    rows = read(out / "log.csv")
    rates = [r["learning_rate"] for r in rows if r["stage"] == "pretrain"]
    assert rates == sorted(rates, reverse=True)
    assert sorted(set(rates), reverse=True) == [pytest.approx(rate) for rate in (2e-4, 2e-5, 2e-6)]
    assert {r["stage"] for r in rows} == {"pretrain", "finetune"} and "psnr" in rows[-1]


def test_the_parts_have_their_shares(timed):
    out, _ = timed
    record = json.loads((out / "hours.json").read_text())["stages"]["pretrain"]
    one, two = record["falls"]
    assert one / record["iterations"] == pytest.approx(4 / 8, abs=0.15)
    assert two / record["iterations"] == pytest.approx(7 / 8, abs=0.1)


def test_its_schedule_repeats_it(training, timed, tmp_path):
    """The same weights, bit by bit, from counting instead of the clock; the solver files say the same as well."""
    out, _ = timed
    assert training.run(tmp_path, "--schedule", str(out / "schedule.txt")) == 0
    for stage in ("pretrain", "finetune"):
        training.assert_same_weights(*(folder / stage / "final.caffemodel" for folder in (out, tmp_path)))
        kept = ("stepvalue", "gamma", "lr_policy", "base_lr", "max_iter")
        one, other = (
            [line for line in (folder / stage / "solver.prototxt").read_text().splitlines() if line.startswith(kept)]
            for folder in (out, tmp_path)
        )
        assert one == other and len(one) >= 3
    assert (tmp_path / "schedule.txt").read_bytes() == (out / "schedule.txt").read_bytes()


def test_a_finished_one_is_not_run_again(training, timed, capsys):
    out, _ = timed
    summary, record = (out / "summary.json").read_bytes(), (out / "hours.json").read_bytes()
    assert training.run(out, "--hours", str(HOURS), "--schedule", TEXT) == 0
    assert capsys.readouterr().out.count("finished before") == 2
    assert ((out / "summary.json").read_bytes(), (out / "hours.json").read_bytes()) == (summary, record)


def test_a_resumed_run_counts_the_time_before(training, tmp_path, clock):
    """Stopped after a third of it; the pause does not count, what was used does."""
    out, asked = tmp_path / "run", 0.003 * 3600
    options = ("--hours", "0.003", "--stage", "pretrain", "--schedule", "pretrain: 3, 1")
    clock.stop_at = 18
    assert training.run(out, *options) == 130
    used = json.loads((out / "hours.json").read_text())["used_seconds"]
    assert used == pytest.approx(clock.seconds - 1000, abs=OTHER + 0.01) and 18 * ITERATION < used < asked / 2
    clock.stop_at, clock.seconds = None, 50_000.0
    assert training.run(out, *options) == 0
    assert clock.seconds - 50_000 == pytest.approx(asked - used, abs=ITERATION)
    record = json.loads((out / "hours.json").read_text())
    assert record["used_seconds"] == pytest.approx(asked, abs=ITERATION + OTHER)
    (stage,) = record["stages"].values()
    assert stage["falls"][0] / stage["iterations"] == pytest.approx(3 / 4, abs=0.1)


def test_its_time_is_over_before_the_next_stage(training, finished, tmp_path):
    """Every part still has an iteration, so that the result is what its name says."""
    out = tmp_path / "run"
    out.mkdir()
    (out / "hours.json").write_text('{"used_seconds": 9999, "stages": {}}')
    assert training.run(out, "--hours", "0.001") == 0
    lines = (out / "schedule.txt").read_text().splitlines()
    assert lines == [
        "pretrain: 1 at 0.0001", "train: 1 at 0.0001, 1 at 1e-05, 1 at 1e-06", "finetune: 1 at 1e-05"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"used_seconds": -1, "stages": {}}', '{"used_seconds": 1, "stages": {"train": {}}}']
)
def test_a_damaged_record(training, tmp_path, content):
    (tmp_path / "hours.json").write_text(content)
    with pytest.raises(UserError, match=r"hours.json: damaged, expected the time that this run has used"):
        training.run(tmp_path, "--hours", "0.001")


def test_a_lost_record(training, timed, tmp_path):
    shutil.copytree(timed[0], tmp_path / "run")
    (tmp_path / "run" / "hours.json").unlink()
    (tmp_path / "run" / "finetune" / "final.caffemodel").unlink()
    with pytest.raises(UserError, match="hours.json: does not say what finetune has used; put the file back"):
        training.run(tmp_path / "run", "--hours", str(HOURS), "--schedule", TEXT)


def test_the_papers_stages_have_shares_of_the_time():
    from tools.training.plan import Plan

    settings = Plan(train.parse(["--scale", "3", "--hours", "5"])).settings
    shares = {stage: s.shares for stage, s in settings.items()}
    assert list(shares) == list(STAGES) and sum(map(sum, shares.values())) == pytest.approx(1)
    # 43 and 76 pixels a side
    assert sum(shares["finetune"]) / sum(shares["train"]) == pytest.approx(20 / 600 * (76 / 43) ** 2)
    assert shares["train"][0] / sum(shares["train"]) == pytest.approx(250 / 600)


@pytest.mark.parametrize("value", ["0", "-1", "nan", "x", "1e9"])
def test_hours_out_of_range(value, capsys):
    with pytest.raises(SystemExit, match="2"):
        train.parse(["--scale", "3", f"--hours={value}"])
    assert f"--hours: got {value}, expected a number from 0.001 to 10000" in capsys.readouterr().err
