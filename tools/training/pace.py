"""When a stage logs, validates, snapshots, lowers its rate and ends: by counting, or by the clock (--hours)."""

import json
import math
import time
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from data_prep.files import write_json
from tools.common.errors import UserError

# of a stage's time between two log lines, and between two validations or snapshots; never more than so many seconds
_SHOWN, _TENTH = (1 / 50, 60), (1 / 10, 1800)
# a validation or snapshot may take a tenth of the time: after one that took a second come nine of training
_WAIT = 9


class Due(NamedTuple):
    """What is to be done at an iteration (bool each)."""

    display: bool
    test: bool
    snapshot: bool
    last: bool


class Counted:
    """A stage whose length and falls are known in iterations; Caffe's own solver lowers the rate.

    Parameters
    ----------
    settings : Settings
    intervals : Intervals
    """

    def __init__(self, settings, intervals):
        self.end, self.falls = settings.iterations, settings.all_falls
        self.intervals = intervals

    def begin(self, solver):
        """Nothing to set."""

    def finished(self, done):
        """Whether the stage is over after `done` (int) iterations."""
        return done >= self.end

    def until_event(self, done, at_most):
        """Iterations (int) until something is to be done between two of them, `at_most` that many."""
        ahead = (fall - done for fall in self.falls if fall > done)
        return min(at_most, self.end - done, *(n - done % n for n in self.intervals), *ahead)

    def lower_rate(self, solver):
        """Caffe's solver does it; gives None."""

    def due(self, done):
        """What is to be done (Due) after `done` iterations."""
        last = done == self.end
        display, test, snapshot = (done % n == 0 for n in self.intervals)
        return Due(display, test or last, snapshot or last, last)

    def measured(self, what):
        """A context in which a validation ("test") or a snapshot ("save") is made."""
        return nullcontext()

    def expected(self, done, speed):
        """Iterations (int) that the stage will have; `speed` (float) is in iterations per second."""
        return self.end

    def finish(self, done):
        """Nothing to keep."""


class Hours:
    """The time of a run of a known length, kept in its folder so that a resumed run counts what is used.

    Parameters
    ----------
    hours : float
        Of the whole run, starting and validating included.
    path : Path
        The record, read when it exists.
    began : float
        time.monotonic() when this process began.

    Raises
    ------
    UserError
        The record is damaged.
    """

    def __init__(self, hours, path, began):
        self.seconds, self.path, self.began = hours * 3600, path, began
        self.before, self.stages, self.costs = 0.0, {}, {}
        if path.exists():
            self._read()

    def _read(self):
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
            self.before, self.stages = float(found["used_seconds"]), found["stages"]
            for entry in self.stages.values():
                right = isinstance(entry["began_seconds"], (int, float)) and all(type(n) is int for n in entry["falls"])
                if not right or type(entry.get("iterations", 1)) is not int:
                    raise ValueError
            if not 0 <= self.before < math.inf:
                raise ValueError
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UserError(
                f"{self.path}: damaged, expected the time that this run has used; give another --out"
            ) from None

    def used(self):
        """Seconds (float) that the run has taken, in this process and in those before."""
        return self.before + time.monotonic() - self.began

    def write(self):
        """Write the record."""
        write_json(self.path, {"used_seconds": round(self.used(), 3), "stages": self.stages})

    def outcome(self, settings):
        """Settings of a finished stage with the iterations and falls that it has got in place of its share of the time.

        Raises
        ------
        UserError
            The record does not have them.
        """
        entry = self.stages.get(settings.stage, {})
        if "iterations" not in entry:
            raise UserError(
                f"{self.path}: does not say how long {settings.stage} was; put the file back, or give another --out"
            )
        return replace(settings, iterations=entry["iterations"], falls=tuple(entry["falls"]), hours=None, shares=None)

    @contextmanager
    def measured(self, what):
        """Measure what comes up again at the end ("test", "save", "draw"), so that time is left for it."""
        began = time.monotonic()
        yield
        self.costs[what] = time.monotonic() - began


class Timed:
    """A stage that ends at a given moment, and lowers its rate at given moments before.

    Parameters
    ----------
    settings : Settings
        With hours and shares.
    hours : Hours
    end : float
        Share of the run's time that is used when the stage ends: 0 to 1.
    test, snapshot : int, optional
        Iterations between validations and snapshots; None: by the time.
    """

    def __init__(self, settings, hours, end, test=None, snapshot=None):
        self.settings, self.hours = settings, hours
        self.end = end * hours.seconds
        self.closing = ("test", "save", "draw") if end == 1 else ("test", "save")
        self.every = {"test": test, "save": snapshot}
        self.iteration_seconds, self.last_count, self.stepped = None, 1, None

    def begin(self, solver):
        """Set the rate of `solver` (caffe solver), which stands where the stage goes on; start the clock of a new one.

        Raises
        ------
        UserError
            The stage has run before, but how long is not known.
        """
        stage, done = self.settings.stage, solver.iter
        if stage not in self.hours.stages:
            if done:
                raise UserError(
                    f"{self.hours.path}: does not say what {stage} has used; put the file back, or give another --out"
                )
            self.hours.stages[stage] = {"began_seconds": round(self.hours.used(), 3)}
        self.entry = self.hours.stages[stage]
        self.entry["falls"] = [n for n in self.entry.get("falls", ()) if n <= done]
        if self.entry.get("iterations") != done:
            self.entry.pop("iterations", None)
        start, shares = min(self.entry["began_seconds"], self.end), self.settings.shares
        length = self.end - start
        self.edges = [start + length * sum(shares[: i + 1]) / sum(shares) for i in range(len(shares))]
        self.periods = {
            name: min(fraction * length, most)
            for name, (fraction, most) in {"display": _SHOWN, "test": _TENTH, "save": _TENTH}.items()
        }
        now = self.hours.used()
        self.next = {name: now + period for name, period in self.periods.items()}
        self._set_rate(solver)
        self.hours.write()

    def finished(self, done):
        """Whether the stage was over after `done` iterations."""
        return self.entry.get("iterations") == done

    @property
    def _part(self):
        """Number (int) of the part that runs, from 0."""
        return min(len(self.entry["falls"]), len(self.edges) - 1)

    def until_event(self, done, at_most):
        """Iterations (int) that fit before the next moment, `at_most` that many; first ones are few, to be measured."""
        now, counts = self.hours.used(), [n - done % n for n in self.every.values() if n]
        if self.iteration_seconds is None:
            fitting = 1
        else:
            edge = self.edges[self._part] - (self._reserve() if self._in_last_part() else 0)
            fitting = max(1, min(2 * self.last_count, int(min((edge - now) / self.iteration_seconds, at_most))))
        self.last_count, self.stepped = min(at_most, fitting, *counts), (done, now)
        return self.last_count

    def _in_last_part(self):
        return self._part == len(self.edges) - 1

    def _reserve(self):
        """Seconds (float) that the end takes: validation and snapshot, and the drawing after the last stage."""
        return sum(self.hours.costs.get(name, 0) for name in self.closing)

    def lower_rate(self, solver):
        """Begin the next part of the stage when it is time; gives its rate (float), else None."""
        if self._in_last_part() or self.hours.used() < self.edges[self._part]:
            return None
        if solver.iter in (0, *self.entry["falls"]):  # every part has an iteration, however late it is
            return None
        self.entry["falls"].append(solver.iter)
        self._set_rate(solver)
        self.hours.write()
        return solver.lr

    def _set_rate(self, solver):
        """The rate as Caffe's multistep computes it: float times double, rounded to float."""
        base, factor = np.float32(self.settings.base_lr), np.float32(self.settings.fall_factor)
        solver.param.base_lr = float(np.float32(float(base) * math.pow(float(factor), self._part)))

    def due(self, done):
        """What is to be done (Due) after `done` iterations."""
        now = self.hours.used()
        before, began = self.stepped
        self.iteration_seconds = max(now - began, 1e-9) / (done - before)
        # the end is the nearest iteration to the moment, not the one after
        last = self._in_last_part() and now + self._reserve() + self.iteration_seconds / 2 >= self.edges[-1]
        test, save = (
            done % self.every[name] == 0 if self.every[name] else now >= self.next[name] for name in ("test", "save")
        )
        display = now >= self.next["display"]
        if display:
            self.next["display"] = now + self.periods["display"]
            self.hours.write()
        return Due(display, test or last, save or last, last)

    @contextmanager
    def measured(self, what):
        """A context in which a validation ("test") or a snapshot ("save") is made and measured."""
        with self.hours.measured(what):
            yield
        self.next[what] = self.hours.used() + max(self.periods[what], _WAIT * self.hours.costs[what])
        if what == "save":
            self.hours.write()

    def expected(self, done, speed):
        """Iterations (int) that the stage will have at a speed (float) of so many per second."""
        return done + max(0, int((self.edges[-1] - self._reserve() - self.hours.used()) * speed))

    def finish(self, done):
        """Keep the length that the stage has got."""
        self.entry["iterations"] = done
        self.hours.write()

    def outcome(self):
        """The finished stage's Settings, by which it can be repeated."""
        return self.hours.outcome(self.settings)
