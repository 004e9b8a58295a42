"""Make the trials, some at once, and go on whatever happens in one of them."""

import shutil
import sys
import tempfile
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tools.fault_checks.case import Result, Skipped
from tools.fault_checks.lab import Lab
from tools.fault_checks.material import Material
from tools.fault_checks.process import STOP


@dataclass
class Found:
    """What the trials of one kind found.

    Attributes
    ----------
    kind, about : str
    results : list of Result
    skipped : list of str
        Why something could not be tried.
    seconds : float
    """

    kind: str
    about: str
    results: list = field(default_factory=list)
    skipped: list = field(default_factory=list)
    seconds: float = 0.0

    @property
    def failed(self):
        """The results that failed (list of Result)."""
        return [one for one in self.results if one.failed]


def run(trials, args):
    """Make all trials; gives a Found for each.

    Parameters
    ----------
    trials : list of Trial
    args : argparse.Namespace
        Of tools/fault_check.py.
    """
    said = threading.Lock()
    with tempfile.TemporaryDirectory(prefix="fault_check_", ignore_cleanup_errors=True) as base:
        base = Path(base)
        material = Material(args.checkout.resolve(), base / "material")
        counter = iter(range(1, len(trials) + 1))

        def one(trial):
            found = _try(trial, args, base, material)
            with said:
                _say(found, next(counter), len(trials), args.verbose)
            return found

        pool = ThreadPoolExecutor(args.jobs)
        STOP.clear()
        try:
            found = dict(zip(trials, [None] * len(trials)))
            together = [trial for trial in trials if not trial.alone]
            found.update(zip(together, pool.map(one, together)))
            found.update((trial, one(trial)) for trial in trials if trial.alone)
            return list(found.values())
        finally:
            STOP.set()  # by Ctrl-C or SIGTERM: what runs is ended, disks are taken away
            pool.shutdown(cancel_futures=True)


def _try(trial, args, base, material):
    """Make one trial; gives its Found. A mistake of the trial's own counts as a failed case."""
    found = Found(trial.kind, trial.about)
    folder = base / trial.kind
    began = time.monotonic()
    lab = Lab(args.checkout.resolve(), folder, trial.kind, args.seed, args.cases, args.long, material)
    try:
        for result in trial.run(lab):
            found.results.append(result)
            if STOP.is_set():
                break
    except Skipped as why:
        found.skipped.append(str(why))
    except Exception:  # the others must go on; what happened is shown
        text = traceback.format_exc()
        print(text, file=sys.stderr)
        found.results.append(Result(trial.kind, "the trial itself", (f"broke: {text.splitlines()[-1]}",), ""))
    if args.keep and found.failed:
        shutil.copytree(lab.folder, args.keep / trial.kind, symlinks=True, dirs_exist_ok=True,
                        ignore_dangling_symlinks=True)
    shutil.rmtree(folder, ignore_errors=True)
    found.seconds = time.monotonic() - began
    return found


def _say(found, number, total, verbose):
    skipped = f", left out: {'; '.join(found.skipped)}" if found.skipped else ""
    print(
        f"[{number}/{total}] {found.kind}: {len(found.results)} cases, {len(found.failed)} failed, "
        f"{found.seconds:.0f} s{skipped}", file=sys.stderr, flush=True,
    )
    for result in found.results:
        if result.failed or verbose:
            print(f"    {'FAILED' if result.failed else 'passed'} {result.case}", file=sys.stderr)
            for fault in result.faults:
                print(f"        {fault}", file=sys.stderr)
            if result.command:
                print(f"        $ {result.command}", file=sys.stderr)
    sys.stderr.flush()
