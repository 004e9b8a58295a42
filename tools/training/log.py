"""log.csv of a training run: columns, written row by row, read back."""

import csv
import io
from pathlib import Path

from data_prep.files import write_text
from prototxt.solver import STAGES
from tools.common import json_file
from tools.common.errors import UserError
from tools.figures.curves import LARGEST

COLUMNS = ("stage", "iteration", "loss", "learning_rate", "iterations_per_second", "test_loss", "psnr")


class Log:
    """log.csv: one row per display or validation; kept in memory and written whole, so that it is never half a row.

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

    def of(self, stage):
        """Rows (list of dict) of a stage."""
        return [row for row in self.rows if row["stage"] == stage]

    def add(self, row):
        """Append a row (dict of COLUMNS; missing ones are left empty) and write the file.

        It is kept as it will be read again, so that what follows from it does so in a resumed run as well.
        """
        kept = {name: float(_short(value)) if isinstance(value, float) else value for name, value in row.items()}
        self.rows.append(kept)
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
                raise UserError(f"{path}: not a training log; expected the columns {','.join(COLUMNS)}")
            return [_typed(row) for row in reader]
    except (ValueError, TypeError, csv.Error):
        raise UserError(f"{path}: a row is damaged; move the file away to start a new log") from None


def _typed(row):
    typed = {"stage": row["stage"], "iteration": int(row["iteration"])}
    typed.update({name: float(row[name]) for name in COLUMNS[2:] if row[name]})
    if typed["stage"] not in STAGES or "loss" not in typed or not 0 <= typed["iteration"] < LARGEST:
        raise ValueError("no row of a log")
    return typed


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
        raise UserError(f"{log}: no such file, expected the log.csv of tools/train.py or the folder of a run")
    rows = read(log)
    if not rows:
        raise UserError(f"{log}: has no rows yet; expected the log of a run that has begun")
    summary = log.with_name("summary.json")
    known = json_file.read(summary, "summary.json of tools/train.py") if summary.is_file() else {}
    bicubic = known.get("bicubic")
    right = isinstance(bicubic, (int, float)) and abs(bicubic) < LARGEST
    return log.resolve().parent.name, rows, bicubic if right else None
