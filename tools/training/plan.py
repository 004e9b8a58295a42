"""What a run is to do: its stages, each with its settings, from --iters, --schedule and --hours."""

from data_prep.geometry import geometry
from prototxt.solver import PHASE_OF_STAGE
from tools.common.errors import UserError
from tools.gpu.device import Device
from tools.training import schedules
from tools.training.pace import Counted, Hours, Timed
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
        self.options, self.hours = options, None
        given = _given(options)
        if options.hours is not None:
            if options.iters is not None:
                raise UserError("iters: given with --hours, which finds the iterations itself; omit one of them")
            if len(Device.parse(options.gpu).gpus) > 1:
                raise UserError("hours: works on the CPU and on one GPU; give one GPU, or --iters in its place")
            self.hours = Hours(options.hours, options.out / HOURS, options.began)
            self.settings = self._by_hours(given or _only(schedules.parse(schedules.PAPER), options.stage))
        elif given:
            given = schedules.shrunk(given, options.iters) if options.iters else given
            self.settings = {
                stage: settings_of(
                    options, stage, s.iterations, falls=s.falls, factor=s.factor if s.falls else None, base_lr=s.base_lr
                )
                for stage, s in given.items()
            }
        else:
            lengths = schedule(options.iters, options.stage)
            self.settings = {stage: settings_of(options, stage, n) for stage, n in lengths.items()}
        if options.average is not None:
            self._check_average()

    def _by_hours(self, given):
        """Settings of each stage, with its parts' shares of the time: in proportion to iterations times pixels."""
        scale = self.options.scale
        pixels = {stage: geometry(scale, PHASE_OF_STAGE[stage]).hr_size ** 2 for stage in given}
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
            return Counted(settings, intervals_of(settings.iterations, options.snapshot, options.test_interval))
        stages = list(self.settings)
        until = sum(sum(self.settings[s].shares) for s in stages[: stages.index(stage) + 1])
        return Timed(
            settings, self.hours, 1 if stage == stages[-1] else until, options.test_interval, options.snapshot
        )

    def outcome(self):
        """Settings (list) of the finished stages, with the iterations and falls that they have got."""
        return [self.hours.outcome(s) if self.hours else s for s in self.settings.values()]

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
        kind = "of --schedule" if self.options.schedule else "the paper's stages"
        if self.hours:
            return f"{kind}, shrunk to {self.options.hours:g} hours by the measured speed (--hours)"
        return f"{kind}, shrunk to {self.options.iters:,} iterations (--iters)" if self.options.iters else kind


def _given(options):
    """What --schedule says (dict of str to StageSchedule), or None."""
    if options.schedule is None:
        return None
    given = _only(schedules.read(options.schedule), options.stage)
    if options.lr_given and all(s.base_lr is not None for s in given.values()):
        raise UserError("lr: given together with a --schedule that has all rates itself; omit one of them")
    return given


def _only(schedule_of, stage):
    if stage and stage not in schedule_of:
        raise UserError(f"stage: got {stage}, but --schedule only has {', '.join(schedule_of)}")
    return {stage: schedule_of[stage]} if stage else schedule_of
