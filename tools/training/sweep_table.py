"""A table of several runs: in what their settings differ, how far they are, and what they reached."""

import math

from tools.common import json_file, texts
from tools.common.markdown import number, table
from tools.training.log import run_of

HEAD = ["run", "what differs", "stage", "iteration", "loss", "PSNR (dB)", "over bicubic", "best PSNR", "hours", "done"]
_RUN = "settings.json of tools/train.py"


def of(paths):
    """The table (str, Markdown) of runs.

    Parameters
    ----------
    paths : sequence of Path
        Their folders, or their log.csv.

    Raises
    ------
    UserError
        A run has no log, or a file of it is damaged.

    Notes
    -----
    Best last validation PSNR first; runs without any come last. Hours are those of the iterations alone, as in
    summary.json.
    """
    runs = [_Run(path) for path in paths]
    names = _differing([run.settings for run in runs])
    runs.sort(key=lambda run: (-run.psnr, run.name))
    return table(HEAD, [run.cells(names) for run in runs], 3) + "\n"


class _Run:
    def __init__(self, path):
        self.name, rows, self.bicubic = run_of(path)
        folder = path if path.is_dir() else path.parent
        self.last, psnrs = rows[-1], [row["psnr"] for row in rows if "psnr" in row]
        self.psnr, self.best = (psnrs[-1], max(psnrs)) if psnrs else (-math.inf, None)
        ends = {row["stage"]: row for row in rows}
        self.hours = sum(row["iteration"] / row["iterations_per_second"] for row in ends.values()) / 3600
        self.finished = (folder / "summary.json").is_file()
        found = [path for path in (folder / stage / "settings.json" for stage in ends) if path.is_file()]
        self.settings = {
            f"{path.parent.name}: {name}": value
            for path in found
            for name, value in json_file.read(path, _RUN).items()
        }

    def cells(self, names):
        """The run's line (list of str), with the settings `names`."""
        gain = None if self.bicubic is None or self.best is None else self.psnr - self.bicubic
        told = [name for name in names if self.settings.get(name) is not None]
        differ = dict.fromkeys(_said(name, self.settings[name]) for name in told)
        return [
            texts.in_markdown(self.name), texts.in_markdown(", ".join(differ)), self.last["stage"],
            f"{self.last['iteration']:,}", f"{self.last['loss']:.4g}", number(self.best and self.psnr, 3),
            number(gain, 3, signed=True), number(self.best, 3), f"{self.hours:.3f}", "yes" if self.finished else "no",
        ]  # fmt: skip


def _differing(settings):
    """Settings (list of str) that are not the same in all runs that have them, but for what follows from others."""
    names = dict.fromkeys(name for one in settings for name in one)
    # the weights that a later stage starts from are another's result
    return [
        name for name in names
        if not name.endswith(": start") and len({repr(one[name]) for one in settings if name in one}) > 1
    ]  # fmt: skip


def _said(name, value):
    """A setting in words (str); the same one of several stages is said once where it has one value."""
    name = name.partition(": ")[2]
    if isinstance(value, dict):
        return ", ".join(f"{key} {one}" for key, one in value.items())
    return f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
