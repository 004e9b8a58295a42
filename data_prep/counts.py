"""Keep the counts and costs of databases in a JSON file, and beside it as a Markdown table."""

import json
from pathlib import Path

from data_prep.errors import DataError
from data_prep.files import write_text
from data_prep.geometry import STAGES, patch_bytes
from data_prep.sampling import ENTRIES

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


METHOD_COLUMNS = (
    ("method", "title"),
    ("scales", "scales"),
    ("stage", "stage"),
    ("images", "images"),
    ("variants", "variants"),
    ("patches", "sides"),
    ("stride", "stride"),
    ("pairs before truncation", "pairs_before_truncation"),
    ("pairs", "pairs"),
    ("published", "published"),
    ("difference", "difference"),
    ("bytes", "bytes"),
    ("seconds", "seconds"),
)
METHOD_NOTES = (
    "Without seconds: only counted (`--dry-run --report`); bytes are then the pairs' own. Published is what the paper",
    "or the released files name, before truncation to whole batches; data_prep/sampling.py says where a difference",
    "comes from.",
)


def add_row(path, plan, report=None):
    """Put a database's counts into a JSON file, in the place of an older row of the same method, scale and stage,
    and for a method other than IDN of the same stride.

    Parameters
    ----------
    path : str or Path
        The JSON file: a list of rows. The table is written beside it, with the ending .md.
    plan : Plan
        What was made.
    report : Report, optional
        What it took; None when it was only counted: bytes are then those of the pairs, without the files' own.

    Raises
    ------
    DataError
        The file is there but is no such list.
    """
    path = Path(path)
    row = {**plan.identity(), **_measured(plan, report), "command": command(plan, report)}
    rows = [old for old in _load(path) if _which(old) != _which(row)]
    rows.append(row)
    rows.sort(key=lambda one: (one.get("method", ""), STAGES.index(one["stage"]), _which(one)))
    write_text(path, json.dumps(rows, indent=1) + "\n")
    write_text(path.with_suffix(".md"), _table(rows))


def _measured(plan, report):
    if report is None:
        counted = plan.pairs * patch_bytes(plan.geometry.sides)
        return {"bytes": counted, "seconds": None, "workers": None, "peak_mb": None}
    return {
        "bytes": report.bytes, "seconds": round(report.seconds, 1), "workers": report.workers,
        "peak_mb": round(report.peak_bytes / 1e6),
    }  # fmt: skip


def _which(row):
    """What tells a row from others (tuple)."""
    return row.get("method", ""), str(row.get("scales", row.get("scale"))), row["stage"], row.get("stride", 0)


def command(plan, report=None):
    """The command that makes this database again (str), without this machine's folders; with no report: counts it."""
    ending = f"--workers {report.workers}" if report else "--dry-run"
    sample = f" --max-pairs {plan.pairs}" if plan.is_sample else ""
    return f"tools/prepare_data.py {plan.geometry.command()} --seed {plan.seed}{sample} {ending}"


def _load(path):
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        if all("stage" in row and ("scale" in row or "scales" in row) for row in rows):
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
    ]
    own = [{**row, "sizes": f"{row['lr_size']}/{row['hr_size']}"} for row in rows if "method" not in row]
    others = [_method_cells(row) for row in rows if "method" in row]
    if own:
        lines += ["", *_rows(COLUMNS, own)]
    if others:
        lines += ["", "## Other methods", "", *METHOD_NOTES, "", *_rows(METHOD_COLUMNS, others)]
    sets = sorted({(row["source_set"], row["images"], row["seed"], row["source_sha256"]) for row in rows})
    lines += [""] + ["{}: {} images, seed {}, set hash `{}`".format(*one) for one in sets]
    return "\n".join(lines) + "\n"


def _method_cells(row):
    """A row of another method as its table shows it; published is what the authors name, see data_prep/sampling.py."""
    entry = ENTRIES[row["method"]]
    published = entry.published if row["stage"] == "train" else None
    off = None if published is None else f"{(row['pairs_before_truncation'] / published - 1) * 100:+.2f} %"
    places = f"{row['crops']} random" if row["crops"] else row["stride"]
    scales = " ".join(f"x{m}" for m in row["scales"].split())
    return {**row, "title": entry.title, "scales": scales, "stride": places, "published": published, "difference": off}


def _rows(columns, rows):
    """Lines of a Markdown table; `columns` are (title, key)."""
    lines = [" | ".join(title for title, _ in columns), " | ".join("---" for _ in columns)]
    lines += [" | ".join(_cell(row[key]) for _, key in columns) for row in rows]
    return [f"| {line} |" for line in lines]


def _cell(value):
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else str(value)
