#!/usr/bin/env python3
"""The log of a training run (log.csv), and the learning curves of one or several runs.

    tools/learning_log.py runs/x3 -o curve.png                 # one run, one curve per stage
    tools/learning_log.py runs/x3 runs/x3_beta -o curves.png   # several runs in one diagram
    tools/learning_log.py runs/x2 runs/x3 --paper -o idn.png   # how far each came from the paper, as idn.json too
    tools/learning_log.py runs/sweep/* -o sweep.png --table sweep.md   # and what differs between them, best run first

With --paper the diagram has each run's distance from the PSNR that the paper prints for its network, factor and set.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import sys
from pathlib import Path

from data_prep.files import write_json, write_text
from tools.common import cli, provenance, ranges
from tools.common.errors import UserError
from tools.figures import style
from tools.figures.curves import plot, plot_runs
from tools.report import against_paper
from tools.training import sweep_table
from tools.training.log import run_of

SAME = "{}: there is another run called {}; rename one of the folders"


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    p = cli.Parser(__doc__)
    p.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="log.csv of a run, or its folder")
    p.add_argument("-o", "--output", type=Path, default=Path("learning_curve.png"), help="PNG, with an SVG beside it")
    p.add_argument("--table", type=Path, metavar="FILE", help="also a Markdown table of the runs, best PSNR first")
    p.add_argument("--title", default="IDN")
    p.add_argument("--bicubic", type=ranges.real(-1000, 1000), help="PSNR of bicubic interpolation (dB), for a line")
    p.add_argument("--paper", action="store_true", help="draw the distance from the paper's PSNR, print a table")
    return p


def _beside_the_paper(args, argv):
    """Draw, print and write how far the runs came; gives the exit status."""
    found = [against_paper.run_of(path) for path in args.runs]
    folder, runs = args.output.parent, [one for one, _ in found]
    for path, one in zip(args.runs, runs):
        if [other["run"] for other in runs].count(one["run"]) > 1:
            raise UserError(SAME.format(path, one["run"]))
    against_paper.plot(found, folder, args.output.stem, args.title)
    command = cli.shown(provenance.command("tools/learning_log.py", sys.argv[1:] if argv is None else list(argv)))
    write_json(args.output.with_suffix(".json"), {"command": command, "runs": runs})
    print(against_paper.table(runs))
    print(args.output.with_suffix(".png"))
    return 0


def main(argv=None):
    """Draw the curves of the runs that are named; gives the exit status."""
    args = parser().parse_args(argv)
    if args.paper:
        return _beside_the_paper(args, argv)
    runs, known = {}, args.bicubic
    for path in args.runs:
        name, rows, bicubic = run_of(path)
        if name in runs:
            raise UserError(SAME.format(path, name))
        runs[name] = rows
        known = bicubic if known is None else known
    folder, stem = args.output.parent, args.output.stem
    if len(runs) == 1:
        (rows,) = runs.values()
        for kind in style.FORMATS:
            plot(rows, folder / f"{stem}.{kind}", title=args.title, bicubic=known)
    else:
        plot_runs(runs, folder, stem, title=args.title, bicubic=known)
    print(args.output.with_suffix(".png"))
    if args.table:
        write_text(args.table, sweep_table.of(args.runs))
        print(args.table)
    return 0


if __name__ == "__main__":
    cli.run(main)
