#!/usr/bin/env python3
"""The log of a training run (log.csv), and the learning curves of one or several runs.

    tools/learning_log.py runs/x3 -o curve.png                 # one run, a curve a stage
    tools/learning_log.py runs/x3 runs/x3_beta -o curves.png   # runs over each other
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import csv
import io
import math
from pathlib import Path

from data_prep.files import write_text
from tools import cli, json_file, ranges, style

COLUMNS = ("stage", "iteration", "loss", "learning_rate", "iterations_per_second", "test_loss", "psnr")
LARGEST = 1e12  # of an iteration's number, or of a figure that can be drawn
STAGE_ORDER = ("pretrain", "train", "finetune")


class Log:
    """log.csv: one row a display or validation; kept in memory and written whole, so that it is never half a row.

    Parameters
    ----------
    path : Path
        Read when it exists.

    Raises
    ------
    UserError
        The file exists and is no such log.
    """

    def __init__(self, path):
        self.path = Path(path)
        self.rows = read(self.path) if self.path.exists() else []

    def add(self, row):
        """Append a row (dict of COLUMNS; missing ones are left empty) and write the file."""
        self.rows.append(row)
        self._write()

    def forget_after(self, stage, iteration):
        """Drop rows of `stage` after `iteration`: a resumed run goes through them again."""
        kept = [r for r in self.rows if r["stage"] != stage or r["iteration"] <= iteration]
        if len(kept) != len(self.rows):
            self.rows = kept
            self._write()

    def _write(self):
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in self.rows:
            writer.writerow({name: _short(row.get(name)) for name in COLUMNS})
        write_text(self.path, text.getvalue())


def _short(value):
    return f"{value:.6g}" if isinstance(value, float) else value


def read(path):
    """Rows of a log.csv: list of dict with int and float values, without the empty ones.

    Raises
    ------
    UserError
        The file is missing or is no such log.
    """
    try:
        with Path(path).open(newline="") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise cli.UserError(f"{path}: not a training log; expected the columns {','.join(COLUMNS)}")
            return [_typed(row) for row in reader]
    except (ValueError, TypeError, csv.Error):
        raise cli.UserError(f"{path}: a row is damaged; move the file away to start a new log") from None


def _typed(row):
    typed = {"stage": row["stage"], "iteration": int(row["iteration"])}
    typed.update({name: float(row[name]) for name in COLUMNS[2:] if row[name]})
    if typed["stage"] not in STAGE_ORDER or "loss" not in typed or not 0 <= typed["iteration"] < LARGEST:
        raise ValueError("no row of a log")
    return typed


def plot(rows, path, *, title, bicubic=None):
    """Draw loss and validation PSNR of one run over the iterations of all its stages.

    Parameters
    ----------
    rows : list of dict
        See `read`; at least one.
    path : Path
        A PNG or SVG; written atomically.
    title : str
    bicubic : float, optional
        PSNR of bicubic interpolation on the same images, drawn as a line.
    """
    with style.figure(6.4, 5.2) as figure:
        _draw(figure, _stages(rows), title, bicubic)
        style.save(figure, path)


def plot_runs(runs, folder, stem, *, title, bicubic=None):
    """Draw several runs over each other into `folder`/`stem`.png and .svg; gives their paths.

    Parameters
    ----------
    runs : dict of str to list of dict
        Name of each run and its rows, see `read`; at least one row each.
    folder : Path
    stem, title : str
    bicubic : float, optional
        As of `plot`.
    """
    curves = []
    for name, rows in runs.items():
        x, joined = [], []
        for _, places, part in _stages(rows):
            x += [*places, places[-1]]
            joined += [*part, {"loss": float("nan")}]  # a gap: the next stage has another loss
        curves.append((name, x, joined))
    with style.figure(6.4, 5.2) as figure:
        _draw(figure, curves, title, bicubic)
        return style.save_both(figure, folder, stem)


def _stages(rows):
    """[(stage, iterations counted from the start of the run, its rows)] in the order of training."""
    found, offset = [], 0
    for stage in (s for s in STAGE_ORDER if any(r["stage"] == s for r in rows)):
        part = [r for r in rows if r["stage"] == stage]
        x = [offset + r["iteration"] for r in part]
        found.append((stage, x, part))
        offset = x[-1]
    return found


def _draw(figure, curves, title, bicubic):
    losses, psnrs = figure.subplots(2, 1, sharex=True)
    for number, (name, x, rows) in enumerate(curves):
        look = style.curve(number)
        losses.plot(x, [_drawable(r["loss"]) for r in rows], label=name, linewidth=1, **{**look, "marker": None})
        tested = [(at, _drawable(r["psnr"])) for at, r in zip(x, rows) if "psnr" in r]
        if tested:
            psnrs.plot(*zip(*tested), markersize=3, label=name, **look)
    if bicubic is not None and math.isfinite(bicubic):  # infinite: a flat image
        psnrs.axhline(bicubic, color=style.GRAY, linestyle=":", label=f"bicubic, {bicubic:.2f} dB")
    losses.set(yscale="log", ylabel="training loss (of the stage)", title=title)
    psnrs.set(xlabel="iteration", ylabel="validation PSNR (dB)")
    losses.grid(True, which="both")
    for axes in (losses, psnrs):
        if axes.get_legend_handles_labels()[0]:
            axes.legend()


def _drawable(figure):
    """A figure, or nan, which leaves a gap, for one that no axis reaches: that of a training that diverged."""
    return figure if abs(figure) < LARGEST else math.nan


def run_of(path):
    """Name, rows and bicubic PSNR (None where it is not known) of a run's folder or log.csv.

    Raises
    ------
    UserError
        There is no log, it has no rows, or it is none.
    """
    path = Path(path)
    log = path / "log.csv" if path.is_dir() else path
    if not log.is_file():
        raise cli.UserError(f"{log}: no such file, expected the log.csv of tools/train.py or the folder of a run")
    rows = read(log)
    if not rows:
        raise cli.UserError(f"{log}: has no rows yet; expected the log of a run that has begun")
    summary = log.with_name("summary.json")
    known = json_file.read(summary, "summary.json of tools/train.py") if summary.is_file() else {}
    bicubic = known.get("bicubic")
    right = isinstance(bicubic, (int, float)) and abs(bicubic) < LARGEST
    return log.resolve().parent.name, rows, bicubic if right else None


def main(argv=None):
    """Draw the curves of the runs that are named; gives the exit status."""
    parser = cli.Parser(__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="log.csv of a run, or its folder")
    parser.add_argument("-o", "--output", type=Path, default=Path("learning_curve.png"), help="PNG, and SVG beside")
    parser.add_argument("--title", default="IDN")
    parser.add_argument("--bicubic", type=ranges.real(-1000, 1000), help="PSNR of bicubic interpolation (dB), a line")
    args = parser.parse_args(argv)
    runs, known = {}, args.bicubic
    for path in args.runs:
        name, rows, bicubic = run_of(path)
        if name in runs:
            raise cli.UserError(f"{path}: there is another run called {name}; rename one of the folders")
        runs[name] = rows
        known = bicubic if known is None else known
    folder, stem = args.output.parent, args.output.stem
    if len(runs) == 1:
        rows = next(iter(runs.values()))
        for kind in style.FORMATS:
            plot(rows, folder / f"{stem}.{kind}", title=args.title, bicubic=known)
    else:
        plot_runs(runs, folder, stem, title=args.title, bicubic=known)
    print(args.output.with_suffix(".png"))
    return 0


if __name__ == "__main__":
    cli.run(main)
