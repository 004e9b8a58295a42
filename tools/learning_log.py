#!/usr/bin/env python3
"""The log of a training run (log.csv), and the learning curves of one or several runs.

    tools/learning_log.py runs/x3 -o curve.png                 # one run, one curve per stage
    tools/learning_log.py runs/x3 runs/x3_beta -o curves.png   # several runs in one diagram
    tools/learning_log.py runs/sweep/* -o sweep.png --table sweep.md   # and what differs between them, best run first
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

from pathlib import Path

from data_prep.files import write_text
from tools.common import cli, ranges
from tools.common.errors import UserError
from tools.figures import style
from tools.figures.curves import plot, plot_runs
from tools.training import sweep_table
from tools.training.log import run_of


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    p = cli.Parser(__doc__)
    p.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="log.csv of a run, or its folder")
    p.add_argument("-o", "--output", type=Path, default=Path("learning_curve.png"), help="PNG, with an SVG beside it")
    p.add_argument("--table", type=Path, metavar="FILE", help="also a Markdown table of the runs, best PSNR first")
    p.add_argument("--title", default="IDN")
    p.add_argument("--bicubic", type=ranges.real(-1000, 1000), help="PSNR of bicubic interpolation (dB), for a line")
    return p


def main(argv=None):
    """Draw the curves of the runs that are named; gives the exit status."""
    args = parser().parse_args(argv)
    runs, known = {}, args.bicubic
    for path in args.runs:
        name, rows, bicubic = run_of(path)
        if name in runs:
            raise UserError(f"{path}: there is another run called {name}; rename one of the folders")
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
