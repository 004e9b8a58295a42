"""The text of --schedule: how long each stage runs, and at which learning rates.

    # a stage a line, or all in one line with ; between them
    train:    52700 at 3e-4, 22000 at 3e-5
    finetune: 2000 at 1e-5

A part is a number of iterations and its rate. Without rates a stage begins at its own (that of --lr, in finetune a
tenth of it), and every further part runs at a tenth of the part before. The rates of a stage fall by one factor, as
those of Caffe's lr_policy "multistep" do. Stages that are not named are not run.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from prototxt.solver import ITERATIONS, STAGES
from tools.common.errors import UserError

LARGEST = 2**31 - 1  # Caffe's whole numbers end here
FACTOR = 0.1  # by which a rate falls where the text gives none, as in the paper
EXAMPLE = "'train: 6000 at 1e-4, 2000 at 1e-5'"
LARGEST_FILE = 1 << 20  # bytes
# the stages as the paper and the release have them; stages other than train end before their first fall
PAPER = "; ".join(
    f"{stage}: {'250000, 250000, 100000' if stage == 'train' else count}" for stage, count in ITERATIONS.items()
)
_PART = re.compile(r"(\d{1,10})(?:\s+at\s+(\S+))?")


@dataclass(frozen=True)
class StageSchedule:
    """What a schedule says of one stage.

    Attributes
    ----------
    parts : tuple of int
        Iterations at one rate each; with --hours only their proportions count.
    base_lr : float or None
        Rate of the first part; None: the stage's own.
    factor : float
        By which it is multiplied from each part to the next.
    """

    parts: tuple
    base_lr: Optional[float] = None
    factor: float = FACTOR

    @property
    def iterations(self):
        """Length (int) of the stage."""
        return sum(self.parts)

    @property
    def falls(self):
        """Iterations (tuple of int) at which a further part begins."""
        return tuple(sum(self.parts[: i + 1]) for i in range(len(self.parts) - 1))


def read(option):
    """The schedule (dict of str to StageSchedule, in the order of training) that --schedule names or is.

    Parameters
    ----------
    option : str
        A file, or the text itself.

    Raises
    ------
    UserError
        No such file, or a text that is no schedule; the error names the place.
    """
    path = Path(option)
    try:
        is_file = path.is_file()
    except OSError:  # longer than a name can be
        is_file = False
    if not is_file:
        if ":" not in option:
            raise UserError(
                f"schedule {option[:80]!r}: no such file; expected one, or a text like {EXAMPLE}"
            )
        return parse(option, "--schedule")
    if path.stat().st_size > LARGEST_FILE:
        raise UserError(f"{path}: larger than 1 MB, expected a schedule of a few lines")
    try:
        return parse(path.read_text(encoding="utf-8-sig"), path)
    except UnicodeDecodeError:
        raise UserError(f"{path}: not text, expected lines like {EXAMPLE}") from None


def parse(text, name="schedule"):
    """As `read`, of the text itself; `name` is what errors call it."""
    found = {}
    for line in re.split(r"[\n;]", re.sub(r"#[^\n]*", "", text)):
        if not line.strip():
            continue
        stage, colon, parts = (word.strip() for word in line.partition(":"))
        if not colon or stage not in STAGES:
            raise UserError(f"{name}: {line.strip()[:80]!r} names no stage; expected {', '.join(STAGES)}, then a colon")
        if stage in found:
            raise UserError(f"{name}: {stage} is there twice; give all its parts in one line, with commas between them")
        found[stage] = _stage(parts, f"{name}: {stage}")
    if not found:
        raise UserError(f"{name}: names no stage; expected a line like {EXAMPLE}")
    return {stage: found[stage] for stage in STAGES if stage in found}


def _stage(text, name):
    """The StageSchedule in "6000 at 1e-4, 2000 at 1e-5"."""
    parts, rates = [], []
    for part in text.split(","):
        match = _PART.fullmatch(part.strip())
        if not match or not 1 <= int(match[1]) <= LARGEST:
            raise UserError(
                f"{name}: got {part.strip()[:60]!r}, expected a number of iterations from 1 to {LARGEST}, as in "
                "'6000' or '6000 at 1e-4'"
            )
        parts.append(int(match[1]))
        rates.append(_rate(match[2], name) if match[2] else None)
    if sum(parts) > LARGEST:
        raise UserError(f"{name}: {sum(parts)} iterations, expected at most {LARGEST}, which is as far as Caffe counts")
    return StageSchedule(tuple(parts), rates[0], _factor(rates, name))


def _rate(text, name):
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 1e-30 <= rate <= 1e30:
        raise UserError(f"{name}: got the learning rate {text[:40]!r}, expected a number from 1e-30 to 1e+30")
    return rate


def _factor(rates, name):
    """The one factor of a stage's rates (list of float or None)."""
    if not any(rates[1:]):
        return FACTOR
    if None in rates:
        raise UserError(f"{name}: some parts have a rate and some none; give every part its rate, or only the first")
    factor = float(f"{rates[1] / rates[0]:.12g}")
    for before, after in zip(rates, rates[1:]):
        if abs(after / before / factor - 1) > 1e-6:
            raise UserError(
                f"{name}: the rate changes by {factor:g} and then by {after / before:g}; expected one factor in a "
                "stage, because Caffe's lr_policy multistep has one"
            )
    return factor


def shrunk(schedule, iterations):
    """A schedule (dict of str to StageSchedule) with `iterations` (int) in all and the same proportions.

    Raises
    ------
    UserError
        Fewer iterations than parts.
    """
    every = [(stage, count) for stage, s in schedule.items() for count in s.parts]
    if iterations < len(every):
        raise UserError(f"iters: got {iterations}, expected at least {len(every)} (one for each part of the schedule)")
    total, spare = sum(count for _, count in every), iterations - len(every)
    shared = [[stage, 1 + spare * count // total] for stage, count in every]
    longest = max(range(len(every)), key=lambda i: every[i][1])
    shared[longest][1] += iterations - sum(count for _, count in shared)
    return {
        stage: StageSchedule(tuple(n for at, n in shared if at == stage), s.base_lr, s.factor)
        for stage, s in schedule.items()
    }


def line(stage, iterations, falls, base_lr, factor):
    """One stage as a line (str) of a schedule, from its length, the iterations at which its rate falls, and rates."""
    edges = (0, *falls, iterations)
    parts = (f"{end - begin} at {base_lr * factor**i:.12g}" for i, (begin, end) in enumerate(zip(edges, edges[1:])))
    return f"{stage}: {', '.join(parts)}"
