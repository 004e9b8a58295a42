"""What a folder already has of a benchmark: which of its rows are kept, which are measured again and why.

The report in a folder is always true as a whole: every row in it was measured with the images and weights that its
"meta" names. A row whose files have changed therefore goes when the first new row is written.
"""

from tools.benchmarking import paper, reports, row_means, saved_pictures
from tools.common.errors import UserError
from tools.methods import evaluation

# how a report must have been measured for rows to be added to it
SAME = ("device", "engine", "cpu_engine", "edge")
NAMED = 4  # rows that a line on standard error names


class Kept:
    """The report in a folder while a run completes it.

    Parameters
    ----------
    folder : Path
    meta : dict
        Of the new rows; see tools/benchmark.py.
    jobs : list of Job
        All that the command asks for, inspected.
    options : Options
        How to measure; what a row needs to be complete follows from it.
    fresh : bool
        Do not look at what is in the folder.
    update : dict, optional
        Another report, whose rows are taken over where neither the folder nor `jobs` has them.

    Attributes
    ----------
    todo : list of Job
        What must be measured.

    Raises
    ------
    UserError
        The report in the folder is damaged, or has rows from another device or setting that would have to stay.
    """

    def __init__(self, folder, meta, jobs, options, fresh=False, update=None):
        self.meta, self.folder, self._rows = meta, folder, []
        self._reasons = {}  # why rows are measured again or left out -> their names
        found = None if fresh else self._found(jobs)
        self._earlier = found and self._without_other_files(found, jobs)
        self._left_out = found is not None and (self._earlier or {"rows": []})["rows"] != found["rows"]
        self.todo, self._gaps = [], []
        for job in jobs:
            self._sort(job, options)
        self._taken_over = self._take_over(update, jobs) if update else False

    def _found(self, jobs):
        """The report in the folder, None where there is none of use."""
        path = self.folder / "benchmark.json"
        if not path.exists():
            return None
        try:
            report = reports.read_report(path)
        except UserError as error:
            raise UserError(f"{error}; --fresh replaces it, --out chooses another folder") from None
        wanted = {key(job) for job in jobs if not job.gap}
        measured = [row for row in report["rows"] if not row["gap"]]
        for name in SAME:
            found, expected = report["meta"].get(name), self.meta.get(name)
            if found is None or found == expected:
                continue
            if any(reports.key(row) not in wanted for row in measured):
                raise UserError(
                    f"{path}: was measured with {name} {found}, this run has {expected}; choose another folder with "
                    "--out, or give --fresh to replace it"
                )
            for row in measured:
                self._say(f"measured again, {name} was {found} and is {expected}", reports.key(row))
            return None
        return report

    def _without_other_files(self, report, jobs):
        """The report without the rows of images and weights that are other ones by now."""
        wanted, rows = {key(job) for job in jobs if not job.gap}, []
        for row in report["rows"]:
            changed = [] if row["gap"] else _changed_files(row, report["meta"], self.meta)
            if not changed:
                rows.append(row)
                continue
            done = "measured again" if reports.key(row) in wanted else "left out"
            self._say(f"{done}, other {' and '.join(changed)} than before", reports.key(row))
        return {**report, "rows": rows} if rows else None

    def _sort(self, job, options):
        row = self._row(key(job))
        if job.gap:  # where nothing can be measured now, what is there stays
            new = gap(job)
            if row is None or row["gap"] not in (None, new["gap"]):
                self._gaps.append(new)
            return
        if row is not None and not row["gap"]:
            different = _different(job, row)
            lacks = different or _lacks(job, row, options)
            if not lacks:
                return
            self._say(f"measured again, {lacks}", key(job))
            if different:
                self._drop(key(job))
        self.todo.append(job)

    def _row(self, wanted):
        rows = self._earlier["rows"] if self._earlier else ()
        return next((row for row in rows if reports.key(row) == wanted), None)

    def _drop(self, unwanted):
        rows = [row for row in self._earlier["rows"] if reports.key(row) != unwanted]
        self._earlier = {**self._earlier, "rows": rows} if rows else None

    def _take_over(self, update, jobs):
        """Add rows of another report; gives whether there was one to add."""
        there = {key(job) for job in jobs if not job.gap}
        there |= {reports.key(row) for row in (self._earlier["rows"] if self._earlier else ()) if not row["gap"]}
        rows = []
        for row in update["rows"]:
            if reports.key(row) in there:
                continue
            changed = [] if row["gap"] else _changed_files(row, update["meta"], self.meta)
            if changed:
                self._say(f"not taken over, other {' and '.join(changed)} than now", reports.key(row))
            elif not (row["gap"] and self._row(reports.key(row))):
                rows.append(row)
        if not rows:
            return False
        self._gaps = [row for row in self._gaps if reports.key(row) not in {reports.key(row) for row in rows}]
        other = {**update, "rows": rows}
        self._earlier = reports.updated(self._earlier, other) if self._earlier else other
        return True

    def _say(self, reason, row):
        self._reasons.setdefault(reason, []).append("{} x{} {}".format(*row))

    def reasons(self):
        """A line (str) for each reason for which rows are measured again or left out."""
        lines = []
        for reason, rows in self._reasons.items():
            more = f" and {len(rows) - NAMED} more" if len(rows) > NAMED else ""
            lines.append(f"{reason}: {', '.join(rows[:NAMED])}{more}")
        return lines

    def add(self, row):
        """Write the report with a new row (dict), which keeps what the same row had already."""
        before = self._row(reports.key(row))
        before = None if before is None or before["gap"] else before
        if row["gap"] and before:  # a measurement that failed takes nothing away
            return
        self._rows.append(merged(row, before) if before else row)
        self._write()

    def finish(self):
        """Write what no row has written yet; gives the report (dict), and whether any file was changed."""
        whole = all((self.folder / f"benchmark.{suffix}").exists() for suffix in reports.KINDS)
        if not self._rows:
            if self._earlier and whole and not (self._gaps or self._taken_over or self._left_out):
                return self._earlier, False
            self._write()
        return self._report(), True

    def _report(self):
        report = {"meta": self.meta, "rows": sorted([*self._gaps, *self._rows], key=reports.place)}
        return reports.updated(report, self._earlier) if self._earlier else report

    def _write(self):
        reports.write_report(self._report(), self.folder)


def key(job):
    """What a job is about, as reports.key."""
    return job.dataset, job.scale, job.method.name


def gap(job):
    """The row (dict) of a job that is a gap."""
    return paper.compare({**row_means.row(job, []), "peak_memory_mb": None})


def _changed_files(row, old, new):
    """Which of "images" and "weights" of a row have other hashes in the meta `new` than in `old`."""
    asked = (("images", "image_sets", row["dataset"]), ("weights", "weights", f"{row['method']} x{row['scale']}"))
    changed = []
    for what, field, name in asked:
        before, now = old[field].get(name), new[field].get(name)
        if before and now and before["sha256"] != now["sha256"]:
            changed.append(what)
    return changed


def _different(job, row):
    """How a row was measured otherwise than `job` asks (str), "" where it was not."""
    if row.get("protocol") != job.protocol.name:
        return f"protocol was {row.get('protocol')} and is {job.protocol.name}"
    tile = job.tile and list(job.tile)
    if row.get("tile") != tile:
        return f"tile was {row.get('tile')} and is {tile}"
    if bool(row.get("random_weights")) != job.random:
        return "random weights now" if job.random else "random weights before"
    return ""


def _lacks(job, row, options):
    """What a row has not that `job` would give (str), "" where it has everything."""
    timed = options.timed and job.method.network is not None
    if timed and row["seconds"] is None:
        return "no time yet"
    if timed and row["repeats"] < options.repeats:
        return "fewer repeats before"
    lacking = [name for name in options.metrics if not job.random and not _scored(row, name)]
    if lacking:
        return f"no {' and '.join(lacking)} yet"
    pictures = saved_pictures.paths(job, options)
    if pictures and not (row.get("pictures") and all(path.is_file() for path in pictures.values())):
        return "pictures missing"
    return ""


def _scored(row, figure):
    """Whether a figure has been computed; what came out may be infinite, or nothing where the image is too small."""
    return bool(row["per_image"]) and all(figure in one for one in row["per_image"])


def merged(row, before):
    """`row` with the figures that were not measured this time, from the same row of before (both dict)."""
    names = [name for name in evaluation.METRICS if not _scored(row, name) and _scored(before, name)]
    fields = list(names)
    # a row that was timed with more repeats, or at all, keeps its time
    if before["seconds"] is not None and (row["seconds"] is None or row["repeats"] < before["repeats"]):
        fields += ["seconds", "seconds_median", "repeats"]
    old = {one["image"]: one for one in before["per_image"]}
    images = []
    for one in row["per_image"]:
        other = old.get(one["image"], {})
        added = {name: other[name] for name in fields if name in other}
        if names and "note" in other:
            added["note"] = "; ".join(dict.fromkeys(filter(None, (one.get("note"), other["note"]))))
        images.append({**one, **added})
    kept = {name: before[name] for name in fields}
    if names:
        kept["notes"] = list(dict.fromkeys([*row["notes"], *before["notes"]]))
        kept["infinite"] = sorted({*row.get("infinite", ()), *before.get("infinite", ())})
    pictures = bool(row.get("pictures") or before.get("pictures"))
    return paper.compare({**row, **kept, "per_image": images, "pictures": pictures})
