"""What was found, as JSON for programs and as a table for people."""

import json
import subprocess
from pathlib import Path

from data_prep.files import write_text
from tools.common import markdown, provenance
from tools.common.errors import UserError

NAME = "faults"
TITLE = "# Faults: what was tried and what failed"
TEXT = """\
A case is one file, command, kill or disk. It fails when the answer is neither what was asked for nor one line that
names the thing with its exit status, or when anything stays behind; see `tools/fault_check.py --help`. `before`: the
same cases on an earlier state of the tools."""


def make(found, args, argv):
    """The report (dict) of what was found.

    Parameters
    ----------
    found : list of session.Found
    args : argparse.Namespace
    argv : list of str
        The command line.
    """
    kinds = [
        {
            "kind": one.kind,
            "about": one.about,
            "cases": len(one.results),
            "failed": len(one.failed),
            "seconds": round(one.seconds, 1),
            "left_out": one.skipped,
            "faults": [
                {"case": r.case, "faults": list(r.faults), "command": r.command, "again": again(one.kind, args)}
                for r in one.failed
            ],
        }
        for one in found
    ]
    meta = {
        "command": provenance.command("tools/fault_check.py", argv),
        "date": provenance.now(),
        "device": provenance.processor(),
        "commit": commit(args.checkout),
        "seed": args.seed,
        "long": args.long,
        "cases": args.cases,
        "versions": provenance.versions(),
    }
    return {"meta": meta, "kinds": kinds}


def again(kind, args):
    """The command (str) that tries a kind again with the same cases and keeps their files."""
    more = f" --cases {args.cases}" if args.cases else ""
    return f"tools/fault_check.py --only {kind} --seed {args.seed}{more}{' --long' * args.long} --keep kept"


def commit(checkout):
    """Commit (str) of a checkout, or "unknown"."""
    try:
        done = subprocess.run(["git", "-C", checkout, "rev-parse", "HEAD"], capture_output=True, text=True)
    except OSError:
        return "unknown"
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def read(path):
    """An earlier report (dict); raises UserError when it is none."""
    try:
        report = json.loads(Path(path).read_text(encoding="utf-8"))
        dict(report["meta"]), [(row["kind"], row["cases"], row["failed"]) for row in report["kinds"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not a faults.json of tools/fault_check.py ({error})") from None
    return report


def updated(report, earlier, order):
    """The report with the rows of an earlier one for kinds that it has not, in the `order` (list of str) of kinds."""
    tried = {row["kind"] for row in report["kinds"]}
    rows = report["kinds"] + [row for row in earlier["kinds"] if row["kind"] not in tried]
    rows.sort(key=lambda row: order.index(row["kind"]) if row["kind"] in order else len(order))
    return {"meta": {**report["meta"], "earlier": earlier["meta"]}, "kinds": rows}


def table(report, baseline=None):
    """Markdown table of the counts; `baseline` (an earlier report) gives the column of what failed before."""
    earlier = {row["kind"]: row for row in baseline["kinds"]} if baseline else {}
    head = ["kind", "what is tried", "cases", "failed before", "failed"]
    body = [[row["kind"], row["about"], f"{row['cases']:,}", _before(row, earlier), f"{row['failed']:,}"]
            for row in report["kinds"]]
    total = [sum(row[name] for row in report["kinds"]) for name in ("cases", "failed")]
    same = [earlier[row["kind"]]["failed"] for row in report["kinds"] if row["kind"] in earlier]
    body.append(["all", "", f"{total[0]:,}", f"{sum(same):,}" if baseline else markdown.MISSING, f"{total[1]:,}"])
    return markdown.table(head, body, text_columns=2)


def _before(row, earlier):
    found = earlier.get(row["kind"])
    if found is None:
        return markdown.MISSING
    # fewer cases may be judged where a tool broke early: the figure then says of how many
    return f"{found['failed']:,}" + (f" of {found['cases']:,}" if found["cases"] != row["cases"] else "")


def page(report, baseline=None):
    """The page (str) for results/."""
    meta = report["meta"]
    parts = [TITLE, TEXT, f"`{meta['command']}`", f"{meta['date']}, {meta['device']}, commit {meta['commit'][:12]}, "
             f"seed {meta['seed']}."]
    if "earlier" in meta:
        older = meta["earlier"]
        parts.append(f"Kinds not tried then: `{older['command']}`, {older['date']}, commit {older['commit'][:12]}.")
    if baseline:
        parts.append(f"Before: commit {baseline['meta']['commit'][:12]}, {baseline['meta']['date']}.")
    parts.append(table(report, baseline))
    failed = [(row["kind"], fault) for row in report["kinds"] for fault in row["faults"]]
    if failed:
        parts.append("## What failed")
        parts.append("\n".join(f"- {kind}: {one['case']}: {'; '.join(one['faults'])}" for kind, one in failed))
    left_out = [f"- {row['kind']}: {why}" for row in report["kinds"] for why in row["left_out"]]
    if left_out:
        parts += ["## Left out", "\n".join(left_out)]
    return "\n\n".join(parts) + "\n"


def write(report, baseline, folder):
    """Write faults.json and faults.md into `folder` (Path); gives their paths."""
    paths = [folder / f"{NAME}.json", folder / f"{NAME}.md"]
    write_text(paths[0], json.dumps(report, indent=1) + "\n")
    write_text(paths[1], page(report, baseline))
    return paths
