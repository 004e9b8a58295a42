#!/usr/bin/env python3
"""Renew the tables of README.md and docs/ from the committed measurements in results/.

    tools/readme.py
    tools/readme.py --check        # exit status 2 when a page is not what results/ say
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import json
import re

from data_prep.files import together, write_text
from tools.benchmarking import cells, paper, reports, tables
from tools.common import cli, markdown
from tools.common.errors import UserError
from tools.common.paths import ROOT
from tools.report import against_paper


def summary(folder):
    """The figures of IDN alone, ours beside the paper's, for the first screen."""
    report = reports.read_report(folder / "benchmark" / "benchmark.json")
    head, body = ["IDN", "PSNR (dB), here", "paper", "SSIM, here", "paper", "IFC, here", "paper"], []
    for row in report["rows"]:
        if row["method"] == "IDN" and not row.get("gap") and not row.get("trained_here"):
            cells = [(row[f], row["paper"][f], paper.decimals(f)) for f in ("psnr", "ssim", "ifc")]
            numbers = [markdown.number(value, digits) for *pair, digits in cells for value in pair]
            body.append([f"{row['dataset']} x{row['scale']}", *numbers])
    return markdown.table(head, body, text_columns=1)


def results(folder):
    """Tables 2 and 3 from results/benchmark, each cell ours / the paper's / difference."""
    return tables.results_block(reports.read_report(folder / "benchmark" / "benchmark.json"))


def agreement(folder):
    """Every cell of Tables 2 and 3 that was measured: how many equal the paper's, and why the others do not."""
    report = reports.read_report(folder / "benchmark" / "benchmark.json")
    return cells.block(report, cells.read_explanations(folder / "benchmark" / "explanations.json"))


def time(folder):
    """Table 4 from results/time."""
    return tables.time_block(reports.read_report(folder / "time" / "benchmark.json"))


def data(folder):
    """Pairs, bytes and costs of the databases from results/data/counts.json."""
    rows = json.loads((folder / "data" / "counts.json").read_text(encoding="utf-8"))
    head = ["stage", "scale", "LR/HR", "pairs", "shards", "GB", "seconds", "peak MB"]
    body = [
        [
            row["stage"], f"x{row['scale']}", f"{row['lr_size']}/{row['hr_size']}", f"{row['pairs']:,}",
            str(row["shards"]), f"{row['bytes'] / 1e9:.2f}", f"{row['seconds']:.0f}", str(row["peak_mb"]),
        ]
        for row in rows
    ]  # fmt: skip
    note = (
        f"From `tools/prepare_data.py --report results/data/counts.json` on {rows[0]['workers']} cores that did other "
        "work as well; pairs before truncation to whole batches, seeds and hashes are in "
        "[results/data/counts.md](results/data/counts.md)."
    )
    return f"{markdown.table(head, body, text_columns=3)}\n\n{note}"


def training(folder):
    """Training runs from results/training/*/summary.json, with every command that made them, and their curves."""
    head = ["run", "method", "iterations", "hours", "PSNR (dB)", "bicubic", "paper"]
    body, notes = [], []
    for path in sorted((folder / "training").glob("*/summary.json")):
        run = json.loads(path.read_text(encoding="utf-8"))
        name, method = path.parent.name, run.get("method", "IDN")
        printed = paper.compare({"dataset": run["validation"]["name"], "scale": run["scale"], "method": method,
                                 **dict.fromkeys(paper.METRICS)})["paper"]["psnr"]  # fmt: skip
        body.append([
            f"{name}, {run['validation']['name']} x{run['scale']}", method,
            f"{sum(stage['iterations'] for stage in run['stages'].values()):,}",
            f"{run['hours']:.1f}", *(markdown.number(psnr, 2) for psnr in (run["psnr"], run["bicubic"], printed)),
        ])  # fmt: skip
        notes.append(_how(name, run))
    return "\n\n".join([markdown.table(head, body, text_columns=2), *notes])


def distances(folder):
    """How far IDN's trainings came from the paper: table and curves that tools/learning_log.py --paper made."""
    found = json.loads((folder / "figures/learning_idn.json").read_text(encoding="utf-8"))
    picture = "![distance from the paper over the iterations](results/figures/learning_idn.png)"
    return f"{against_paper.table(found['runs'])}\n\n{picture}"


def _how(name, run):
    """Machine, day, commands and curve of one run."""
    commands = "\n".join(run["commands"] if "commands" in run else [run["command"]])
    return "\n\n".join([
        f"### {name}",
        f"{run['device']}, {run['date'][:10]}, [log](results/training/{name}/log.csv).",
        f"```\n{commands}\n```",
        *([run["note"]] if "note" in run else []),
        f"![learning curve](results/training/{name}/learning_curve.png)",
    ])  # fmt: skip


# which page has which generated blocks
PAGES = {
    "README.md": {"summary": summary},
    "docs/reproduce.md": {"data": data},
    "docs/tables.md": {
        "results": results, "cells": agreement, "time": time, "distances": distances, "training": training,
    },
}


def renewed(text, folder, page):
    """The text of `page`, a key of `PAGES`, with new generated blocks from `folder`, the results folder."""
    for name, make in PAGES[page].items():
        try:
            block = make(folder)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            what = f"{type(error).__name__}: {error}"
            raise UserError(f"{folder}: the files behind block {name} are damaged ({what}); restore them") from None
        text = markdown.with_block(text, name, _linked_from(page, block), page)
    return text


def _linked_from(page, block):
    """Blocks link from the checkout, a page from its own folder."""
    return re.sub(r"(?<=\]\()(?=results/)", "../" * page.count("/"), block)


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    p = cli.Parser(__doc__)
    p.add_argument("--check", action="store_true", help="compare instead of writing")
    return p


def main(argv=None):
    """Renew or check the pages; gives the exit status."""
    args = parser().parse_args(argv)
    old = {page: (ROOT / page).read_text(encoding="utf-8") for page in PAGES}
    new = {page: renewed(text, ROOT / "results", page) for page, text in old.items()}
    stale = [page for page in PAGES if new[page] != old[page]]
    if args.check and stale:
        raise UserError(f"{', '.join(stale)}: not what results/ say; run tools/readme.py")
    with together():
        for page in stale:
            write_text(ROOT / page, new[page])
    return 0


if __name__ == "__main__":
    cli.run(main)
