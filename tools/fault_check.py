#!/usr/bin/env python3
"""Try the tools with damaged files, kills, full disks and nonsense, and count what fails.

    tools/fault_check.py                                   # short: 4 to 5 minutes on two cores
    tools/fault_check.py --long --out results              # an hour; writes faults.json and faults.md
    tools/fault_check.py --list                            # the kinds of fault that are tried
    tools/fault_check.py --only damaged-tiff netpbm --seed 7 --cases 200 --verbose
    tools/fault_check.py --checkout ../older --out before  # the same cases on the tools of another checkout
    tools/fault_check.py --baseline before/faults.json --out results

Each case runs a tool as a user would and looks at the outcome: it must be the right pixels or bits, or a one-line error
with exit status 2 (1 when some of several inputs were skipped). Faults are tracebacks, aborts, messages of libraries,
files or processes left behind, files outside their folder, and more memory than allowed. Random choices depend on
--seed; files are kept in a temporary folder; full disks are small ones mounted for the case (root only). Exit status 1:
something failed.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import os
import sys
from pathlib import Path

from tools.common import cli
from tools.common.errors import UserError
from tools.common.paths import ROOT
from tools.fault_checks import catalogue, report, session


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    p = cli.Parser(__doc__)
    p.add_argument("--only", nargs="+", metavar="KIND", help="only these kinds (see --list); a name may end in *")
    p.add_argument("--seed", type=_count(0), default=1, metavar="N", help="of the random choices (default: 1)")
    p.add_argument("--cases", type=_count(1), metavar="N", help="random cases of each kind (default: a few)")
    p.add_argument("--long", action="store_true", help="more cases, and the slow kinds")
    p.add_argument("--list", action="store_true", help="list the kinds")
    p.add_argument("--verbose", action="store_true", help="print every case, not only those that failed")
    p.add_argument("--jobs", type=_count(1), metavar="N", default=min(2, os.cpu_count() or 1),
                   help="kinds tried at the same time (default: at most 2)")  # fmt: skip
    p.add_argument("--checkout", type=Path, metavar="DIR", default=ROOT,
                   help="whose tools are tried (default: this one)")
    p.add_argument("--baseline", type=Path, metavar="FILE", help="faults.json of an earlier run, for `failed before`")
    p.add_argument("--update", type=Path, metavar="FILE", help="keep the kinds of this faults.json not tried now")
    p.add_argument("--out", type=Path, metavar="DIR", help="write faults.json and faults.md there")
    p.add_argument("--keep", type=Path, metavar="DIR", help="keep the files of what failed there")
    return p


def _count(least):
    def number(text):
        if int(text) < least:
            raise ValueError
        return int(text)

    number.__name__ = f"whole number of at least {least}"  # argparse puts it into its message
    return number


def main(argv=None):
    """Try all, print what failed and the counts; gives the exit status."""
    args = parser().parse_args(argv)
    trials = catalogue.chosen(args.only, args.long)
    if args.list:
        print("\n".join(f"{one.kind:<24} {one.about}{' (long)' if one.slow else ''}" for one in trials))
        return 0
    if not (args.checkout / ".venv/bin/python").exists():
        raise UserError(f"--checkout {args.checkout}: has no environment; run `make setup` there first")
    baseline, earlier = (report.read(path) if path else None for path in (args.baseline, args.update))
    found = session.run(trials, args)
    made = report.make(found, args, sys.argv[1:] if argv is None else list(argv))
    if earlier:
        made = report.updated(made, earlier, [one.kind for one in catalogue.every()])
    print(report.table(made, baseline))
    if args.out:
        for path in report.write(made, baseline, args.out):
            print(f"written: {path}", file=sys.stderr)
    return 1 if any(row["failed"] for row in made["kinds"]) else 0


if __name__ == "__main__":
    cli.run(main)
