#!/usr/bin/env python3
"""Figure 1 of the paper: PSNR against time, measured here beside the paper's own points.

    tools/plot_tradeoff.py                          # x3 on Set5, from results/benchmark and results/time
    tools/plot_tradeoff.py --psnr runs/benchmark/benchmark.json --seconds runs/benchmark/benchmark.json --out runs
    tools/plot_tradeoff.py --dataset Set14 --scale 2

Filled points: PSNR and time measured here. Hollow: time measured here with random weights, PSNR from the paper.
Crosses: both from the paper. Times are medians of warmed-up forward passes where there are some. Writes tradeoff.png
and tradeoff.svg.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

from pathlib import Path

from tools.benchmarking.reports import read_report
from tools.benchmarking.tradeoff import plot, points
from tools.common import cli, outputs
from tools.common.errors import UserError
from tools.common.paths import ROOT

RESULTS = ROOT / "results"


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    p = cli.Parser(__doc__)
    default = RESULTS / "benchmark/benchmark.json", RESULTS / "time/benchmark.json"
    p.add_argument("--psnr", type=Path, metavar="FILE", default=default[0], help="benchmark.json with Table 2")
    p.add_argument(
        "--seconds", nargs="+", type=Path, metavar="FILE", default=default[1:], help="benchmark.json files with Table 4"
    )
    p.add_argument("--dataset", default="Set5", help="default: Set5")
    p.add_argument("--scale", type=int, choices=cli.SCALES, default=3, help="default: 3")
    p.add_argument("--out", type=Path, metavar="DIR", default=RESULTS / "tradeoff", help="default: results/tradeoff")
    return p


def main(argv=None):
    """Plot; gives the exit status."""
    args = parser().parse_args(argv)
    reports = [read_report(path, ["device"]) for path in args.seconds]
    found = points(read_report(args.psnr, []), reports, args.dataset, args.scale)
    if not found["measured"] + found["timed"]:
        raise UserError(
            f"{args.seconds[0]}: has no times for {args.dataset} at x{args.scale}; run tools/benchmark.py --tables 4 "
            f"--datasets {args.dataset} --scales {args.scale}"
        )
    outputs.folder(args.out)
    title = f"PSNR against time, x{args.scale} on {args.dataset}"
    written = plot(found, title, reports[0]["meta"]["device"], args.out)
    print(f"written: {', '.join(map(str, written))}")
    return 0


if __name__ == "__main__":
    cli.run(main)
