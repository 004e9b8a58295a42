#!/usr/bin/env python3
"""The log of a training run (log.csv) and its picture.

    tools/learning_log.py runs/x3/log.csv -o curve.png
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import csv
import io
from pathlib import Path

from data_prep.files import atomic_path, write_text
from tools import cli

COLUMNS = ("stage", "iteration", "loss", "learning_rate", "iterations_per_second", "test_loss", "psnr")
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
    except (ValueError, TypeError):
        raise cli.UserError(f"{path}: a row is damaged; move the file away to start a new log") from None


def _typed(row):
    typed = {"stage": row["stage"], "iteration": int(row["iteration"])}
    typed.update({name: float(row[name]) for name in COLUMNS[2:] if row[name]})
    return typed


def plot(rows, path, *, title, bicubic=None):
    """Draw loss and validation PSNR over the iterations of all stages.

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
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 6), layout="constrained")
    losses, psnrs = figure.subplots(2, 1, sharex=True)
    offset = 0
    for number, stage in enumerate(s for s in STAGE_ORDER if any(r["stage"] == s for r in rows)):
        part = [r for r in rows if r["stage"] == stage]
        x = [offset + r["iteration"] for r in part]
        colour = f"C{number}"
        losses.plot(x, [r["loss"] for r in part], color=colour, label=stage, linewidth=1)
        tested = [(at, r["psnr"]) for at, r in zip(x, part) if "psnr" in r]
        psnrs.plot(*zip(*tested), "o-", color=colour, markersize=3, linewidth=1, label=stage) if tested else None
        offset = x[-1]
    if bicubic is not None:
        psnrs.axhline(bicubic, color="0.4", linestyle="--", linewidth=1, label=f"bicubic, {bicubic:.2f} dB")
    losses.set(yscale="log", ylabel="training loss (of the stage)", title=title)
    psnrs.set(xlabel="iteration", ylabel="validation PSNR (dB)")
    for axes in (losses, psnrs):
        axes.grid(True, which="both", linewidth=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150)


def main(argv=None):
    """Draw the curve of a log that exists."""
    parser = cli.Parser(__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("learning_curve.png"))
    parser.add_argument("--title", default="IDN")
    parser.add_argument("--bicubic", type=float, help="PSNR of bicubic interpolation, for a line (dB)")
    args = parser.parse_args(argv)
    rows = read(args.log)
    if not rows:
        raise cli.UserError(f"{args.log}: has no rows yet")
    plot(rows, args.output, title=args.title, bicubic=args.bicubic)
    print(args.output)
    return 0


if __name__ == "__main__":
    cli.run(main)
