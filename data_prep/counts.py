"""Keep the counts and costs of databases in a JSON file, and beside it as a Markdown table."""

import json
from pathlib import Path

from data_prep.errors import DataError
from data_prep.files import write_text
from data_prep.geometry import STAGES

COLUMNS = (
    ("scale", "scale"),
    ("stage", "stage"),
    ("images", "images"),
    ("variants", "variants"),
    ("LR/HR", "sizes"),
    ("stride", "lr_stride"),
    ("pairs before truncation", "pairs_before_truncation"),
    ("pairs", "pairs"),
    ("shards", "shards"),
    ("bytes", "bytes"),
    ("seconds", "seconds"),
    ("workers", "workers"),
    ("peak MB", "peak_mb"),
)


def add_row(path, plan, report):
    """Put a database's counts into a JSON file, in the place of an older row of the same scale and stage.

    Parameters
    ----------
    path : str or Path
        The JSON file: a list of rows. The table is written beside it, with the ending .md.
    plan : Plan
        What was made.
    report : Report
        What it took.

    Raises
    ------
    DataError
        The file is there but is no such list.
    """
    path = Path(path)
    row = {
        **plan.identity(),
        "bytes": report.bytes,
        "seconds": round(report.seconds, 1),
        "workers": report.workers,
        "peak_mb": round(report.peak_bytes / 1e6),
        "command": command(plan, report),
    }
    rows = [old for old in _load(path) if (old["scale"], old["stage"]) != (row["scale"], row["stage"])]
    rows.append(row)
    rows.sort(key=lambda one: (STAGES.index(one["stage"]), one["scale"]))
    write_text(path, json.dumps(rows, indent=1) + "\n")
    write_text(path.with_suffix(".md"), _table(rows))


def command(plan, report):
    """The command that makes this database again (str), without this machine's folders."""
    shape = plan.geometry
    return (
        f"tools/prepare_data.py --scale {shape.scale} --stage {shape.stage} --stride {shape.stride} "
        f"--seed {plan.seed} --workers {report.workers}"
    )


def _load(path):
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        if all({"scale", "stage"} <= set(row) for row in rows):
            return rows
    except FileNotFoundError:
        return []
    except (ValueError, TypeError):
        pass
    raise DataError(f"{path}: not a list of counts; name another file for --report")


def _table(rows):
    lines = [
        "# Databases: counts and costs",
        "",
        "Written by `tools/prepare_data.py --report`, one row a run; the command of each row is in the JSON",
        "file. Seconds are wall-clock; peak MB is the sum of the largest resident sizes of all processes, in",
        "10^6 bytes.",
        "",
        "| " + " | ".join(title for title, _ in COLUMNS) + " |",
        "| " + " | ".join("---" for _ in COLUMNS) + " |",
    ]
    for row in rows:
        cells = {**row, "sizes": f"{row['lr_size']}/{row['hr_size']}"}
        lines.append("| " + " | ".join(_cell(cells[key]) for _, key in COLUMNS) + " |")
    sets = sorted({(row["source_set"], row["images"], row["seed"], row["source_sha256"]) for row in rows})
    lines += [""] + ["{}: {} images, seed {}, set hash `{}`".format(*one) for one in sets]
    return "\n".join(lines) + "\n"


def _cell(value):
    return f"{value:,}" if isinstance(value, int) else str(value)
