#!/usr/bin/env python3
"""Print the tables of a benchmark.json beside the paper's figures, as Markdown.

    tools/tables.py results/benchmark/benchmark.json                    # print the tables

A cell that was not measured, or that the paper does not print, is `-`. Differences are ours minus the
paper's, whatever their sign.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import sys

from tools.benchmarking import paper
from tools.benchmarking.reports import read_report
from tools.benchmarking.tables import tables_text
from tools.common import cli


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    p = cli.Parser(__doc__)
    p.add_argument("report", metavar="benchmark.json", help="what tools/benchmark.py wrote")
    p.add_argument("--tables", nargs="+", type=int, choices=sorted(paper.TABLES), help="default: those measured")
    return p


def main(argv=None):
    """Print the tables of a benchmark.json; gives the exit status."""
    args = parser().parse_args(argv)
    report = read_report(args.report)
    sys.stdout.write(tables_text(report, args.tables or report["meta"]["tables"]))
    return 0


if __name__ == "__main__":
    cli.run(main)
