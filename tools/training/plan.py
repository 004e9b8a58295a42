"""What a run is to do: its stages, each with its settings, from --iters, --schedule and --hours."""

from dataclasses import replace

from tools.common.errors import UserError
from tools.training import schedules
from tools.training import subject as subjects
from tools.training.pace import Counted, Hours, Timed
from tools.training.recipe_pace import Bounded, Following
from tools.training.settings import intervals_of, schedule, settings_of

HOURS, SCHEDULE = "hours.json", "schedule.txt"


class Plan:
    """The plan of a run.

    Parameters
    ----------
    options : argparse.Namespace
        Of tools/train.py.

    Attributes
    ----------
    subject : Subject
        What is trained.
    settings : dict of str to Settings
        Of each stage, in the order of training.
    hours : Hours or None
        The time of a run of a known length.

    Raises
    ------
    UserError
        Options that contradict each other, or a schedule that is none.
    """

    def __init__(self, options):
        self.options, self.hours, self.log = options, None, None
        self.subject = subjects.complete(options)
        if options.stage and options.stage not in self.subject.stages:
            stages = ", ".join(self.subject.stages)
            raise UserError(f"stage: got {options.stage}, but {self.subject.method.name} has {stages}")
        given = _given(options, self.subject)
        usual = self.subject.schedule((options.stage,) if options.stage else self.subject.usual_stages)
        if options.iters and not given and not self.subject.is_idn and self.subject.recipe.plateau:
            given = usual
        if options.hours is not None:
            if options.iters is not None:
                raise UserError("iters: given with --hours, which finds the iterations itself; omit one of them")
            self.hours = Hours(options.hours, options.out / HOURS, options.began)
            self.settings = self._by_hours(given or usual)
        elif given:
            given = schedules.shrunk(given, options.iters) if options.iters else given
            self.settings = {
                stage: settings_of(
                    options, stage, s.iterations, falls=s.falls, factor=s.factor if s.falls else None, base_lr=s.base_lr
                )
                for stage, s in given.items()
            }
        else:
            lengths = schedule(options.iters, options.stage, self.subject)
            self.settings = {stage: settings_of(options, stage, n) for stage, n in lengths.items()}
        if options.average is not None:
            self._check_average()

    def _by_hours(self, given):
        """Settings of each stage, with its parts' shares of the time: in proportion to iterations times pixels."""
        subject = self.subject
        pixels = {stage: max(subject.cut(subject.database(stage)).sides.values()) ** 2 for stage in given}
        work = sum(pixels[stage] * s.iterations for stage, s in given.items())
        return {
            stage: settings_of(
                self.options, stage, None, base_lr=s.base_lr, factor=s.factor, hours=self.options.hours,
                shares=tuple(round(pixels[stage] * n / work, 9) for n in s.parts),
            )
            for stage, s in given.items()
        }  # fmt: skip

    def _check_average(self):
        """Raise UserError when the last stage will not have so many snapshots."""
        stage, settings = list(self.settings.items())[-1]
        if self.hours:
            return
        every = intervals_of(settings.iterations, self.options.snapshot).snapshot
        count = -(-settings.iterations // every)
        if count < self.options.average:
            raise UserError(
                f"average: got {self.options.average}, but {stage} has {count} snapshots ({settings.iterations} "
                f"iterations, one every {every}); give fewer, or a smaller --snapshot"
            )

    def pace(self, stage):
        """What says when `stage` validates, lowers its rate and ends: Counted or Timed."""
        settings, options = self.settings[stage], self.options
        if not self.hours:
            intervals = intervals_of(settings.iterations, options.snapshot, options.test_interval)
            if settings.plateau:
                return Following(settings, intervals, self.log)
            return (Bounded if settings.least_lr else Counted)(settings, intervals)
        stages = list(self.settings)
        until = sum(sum(self.settings[s].shares) for s in stages[: stages.index(stage) + 1])
        return Timed(
            settings, self.hours, 1 if stage == stages[-1] else until, options.test_interval, options.snapshot
        )

    def outcome(self):
        """Settings (list) of the finished stages, with the iterations and falls that they have got."""
        return [self._outcome(settings) for settings in self.settings.values()]

    def _outcome(self, settings):
        if self.hours:
            return self.hours.outcome(settings)
        if settings.plateau and self.log and self.log.of(settings.stage):
            return Following(settings, intervals_of(settings.iterations), self.log).outcome()
        if settings.least_lr:
            falls = Bounded(settings, intervals_of(settings.iterations)).falls
            return replace(settings, stepsize=None, falls=falls, least_lr=None)
        return settings

    def text(self):
        """The finished run as a schedule (str): --schedule repeats it."""
        return "".join(
            schedules.line(s.stage, s.iterations, s.all_falls, s.base_lr, s.fall_factor) + "\n" for s in self.outcome()
        )

    def title(self):
        """The plan in words (str)."""
        if not self.hours:
            return ", ".join(f"{stage} {s.iterations:,}" for stage, s in self.settings.items()) + " iterations"
        shares = ", ".join(f"{stage} {100 * sum(s.shares):.0f} %" for stage, s in self.settings.items())
        used = f", {self.hours.before / 3600:.3g} of them used" if self.hours.before else ""
        return f"{self.options.hours:g} hours{used}: {shares}"

    def label(self):
        """What kind of schedule this is (str), for the summary."""
        ours = "the paper's stages" if self.subject.is_idn else f"the recipe of {self.subject.method.name}'s authors"
        kind = "of --schedule" if self.options.schedule else ours
        if self.hours:
            return f"{kind}, shrunk to {self.options.hours:g} hours by the measured speed (--hours)"
        return f"{kind}, shrunk to {self.options.iters:,} iterations (--iters)" if self.options.iters else kind


def _given(options, subject):
    """What --schedule says (dict of str to StageSchedule), or None."""
    if options.schedule is None:
        return None
    given = _only(schedules.read(options.schedule), options.stage)
    unknown = [stage for stage in given if stage not in subject.stages]
    if unknown:
        raise UserError(f"schedule: {unknown[0]}: {subject.method.name} has {', '.join(subject.stages)}")
    if options.lr_given and all(s.base_lr is not None for s in given.values()):
        raise UserError("lr: given together with a --schedule that has all rates itself; omit one of them")
    return given


def _only(schedule_of, stage):
    if stage and stage not in schedule_of:
        raise UserError(f"stage: got {stage}, but --schedule only has {', '.join(schedule_of)}")
    return {stage: schedule_of[stage]} if stage else schedule_of
