#!/usr/bin/env python3
"""Renew the README's tables from the committed measurements in results/.

    tools/readme.py
    tools/readme.py --check        # exit status 2 when the README is not what results/ say
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import json

from data_prep.files import write_text
from tools.benchmarking import paper, reports, tables
from tools.common import cli, markdown
from tools.common.errors import UserError
from tools.common.paths import ROOT


def summary(folder):
    """The figures of IDN alone, ours beside the paper's, for the first screen."""
    report = reports.read_report(folder / "benchmark" / "benchmark.json")
    head, body = ["IDN", "PSNR (dB), here", "paper", "SSIM, here", "paper", "IFC, here", "paper"], []
    for row in report["rows"]:
        if row["method"] == "IDN" and not row.get("gap"):
            cells = [(row[f], row["paper"][f], paper.decimals(f)) for f in ("psnr", "ssim", "ifc")]
            numbers = [markdown.number(value, digits) for *pair, digits in cells for value in pair]
            body.append([f"{row['dataset']} x{row['scale']}", *numbers])
    return markdown.table(head, body, text_columns=1)


def results(folder):
    """Tables 2 and 3 from results/benchmark, each cell ours / the paper's / difference."""
    return tables.results_block(reports.read_report(folder / "benchmark" / "benchmark.json"))


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
    """Training runs from results/training/*/summary.json, with their curves."""
    head = ["run", "iterations", "hours", "PSNR (dB)", "bicubic", "paper"]
    body, notes = [], []
    for path in sorted((folder / "training").glob("*/summary.json")):
        run = json.loads(path.read_text(encoding="utf-8"))
        printed = paper.compare({"dataset": run["validation"]["name"], "scale": run["scale"], "method": "IDN",
                                 **dict.fromkeys(paper.METRICS)})["paper"]["psnr"]  # fmt: skip
        name = path.parent.name
        body.append([
            f"[{name}](results/training/{name}/log.csv), {run['validation']['name']} x{run['scale']}",
            f"{sum(stage['iterations'] for stage in run['stages'].values()):,}",
            f"{run['hours']:.1f}", *(markdown.number(psnr, 2) for psnr in (run["psnr"], run["bicubic"], printed)),
        ])  # fmt: skip
        notes.append(
            f"{name}: `{run['command']}`, {run['device']}, {run['date'][:10]}.\n\n"
            f"![learning curve](results/training/{name}/learning_curve.png)"
        )
    return "\n\n".join([markdown.table(head, body, text_columns=1), *notes])


BLOCKS = {"summary": summary, "results": results, "time": time, "data": data, "training": training}


def renewed(text, folder):
    """The README's text with every generated block renewed from `folder`, the results folder."""
    for name, make in BLOCKS.items():
        try:
            block = make(folder)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            what = f"{type(error).__name__}: {error}"
            raise UserError(f"{folder}: the files behind block {name} are damaged ({what}); restore them") from None
        text = markdown.with_block(text, name, block)
    return text


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    p = cli.Parser(__doc__)
    p.add_argument("--check", action="store_true", help="compare instead of writing")
    return p


def main(argv=None):
    """Renew or check the README; gives the exit status."""
    args = parser().parse_args(argv)
    readme = ROOT / "README.md"
    old = readme.read_text(encoding="utf-8")
    new = renewed(old, ROOT / "results")
    if args.check and new != old:
        raise UserError("README.md: not what results/ say; run tools/readme.py")
    if not args.check:
        write_text(readme, new)
    return 0


if __name__ == "__main__":
    cli.run(main)
