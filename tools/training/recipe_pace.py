"""Rates that Caffe's solver cannot follow: one that has a least value, and one that falls with the validation."""

import math
from dataclasses import replace

import numpy as np

from tools.training.pace import Counted


def set_rate(solver, settings, level):
    """Give `solver` the rate after `level` falls, as Caffe's multistep computes it; gives the rate (float)."""
    base, factor = np.float32(settings.base_lr), np.float32(settings.fall_factor)
    rate = float(np.float32(float(base) * math.pow(float(factor), level)))
    solver.param.base_lr = max(rate, settings.least_lr or 0.0)
    return solver.lr


class Bounded(Counted):
    """A stage whose rate falls at known iterations, but never below settings.least_lr."""

    def __init__(self, settings, intervals):
        super().__init__(settings, intervals)
        rates = [settings.base_lr * settings.fall_factor**level for level in range(len(self.falls) + 1)]
        useful = sum(rate > settings.least_lr for rate in rates)
        self.settings, self.falls = settings, self.falls[:useful]

    def begin(self, solver):
        """Set the rate of `solver` (caffe solver) where the stage goes on."""
        set_rate(solver, self.settings, sum(fall <= solver.iter for fall in self.falls))

    def lower_rate(self, solver):
        """Lower the rate when it is time; gives it (float), else None."""
        if solver.iter not in self.falls:
            return None
        return set_rate(solver, self.settings, self.falls.index(solver.iter) + 1)


class Following(Counted):
    """A stage whose rate falls when the validation has not improved for some time, and that ends at a least rate.

    What counts is in the log, so that a resumed stage goes the same way.

    Parameters
    ----------
    settings : Settings
        With plateau: patience, least rate, validation interval.
    intervals : Intervals
        Those of log lines and snapshots; that of validations is the plateau's.
    log : Log
    """

    def __init__(self, settings, intervals, log):
        self.patience, self.least, every = settings.plateau
        super().__init__(settings, intervals._replace(test=every))
        self.settings, self.log, self.level = settings, log, 0

    def _state(self):
        """Falls so far (list of int, the iterations) and validations since the best or the last fall (int)."""
        best, since, falls = -math.inf, 0, []
        for row in self.log.of(self.settings.stage):
            if "psnr" in row:
                since = 0 if row["psnr"] > best else since + 1
                best = max(best, row["psnr"])
                if since == self.patience:
                    falls.append(row["iteration"])
                    since = 0
        return falls, since

    def _ends(self, level):
        return self.settings.base_lr * self.settings.fall_factor**level < self.least * 0.999

    def begin(self, solver):
        """Set the rate of `solver` (caffe solver) where the stage goes on."""
        self.level = len(self._state()[0])
        if not self._ends(self.level):
            set_rate(solver, self.settings, self.level)

    def lower_rate(self, solver):
        """Lower the rate when the validation says so; gives it (float), else None."""
        level = len(self._state()[0])
        if level == self.level:
            return None
        self.level = level
        return set_rate(solver, self.settings, level)

    def finished(self, done):
        """Whether the stage is over: the next rate would be too small, or the bound is reached."""
        return done >= self.end or self._ends(len(self._state()[0]))

    def due(self, done):
        """What is to be done (Due) after `done` iterations; the last validation comes with a snapshot."""
        due = super().due(done)
        falls, since = self._state()
        perhaps_last = due.test and since + 1 == self.patience and self._ends(len(falls) + 1)
        return due._replace(snapshot=due.snapshot or perhaps_last)

    def outcome(self):
        """The stage's Settings with the length and the falls that it has got."""
        last = self.log.of(self.settings.stage)[-1]["iteration"]
        falls = tuple(fall for fall in self._state()[0] if fall < last)
        return replace(self.settings, iterations=last, falls=falls, plateau=None)
