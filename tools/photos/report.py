"""What became of the pictures, told as it happens and at the end."""

import sys
from collections import Counter

from tqdm import tqdm

from tools.common import cli

WRITTEN, KEPT, DONE = "written", "kept", "done"  # kept: another file was there; done: the very same result was
SKIPPED = "skipped"


class Report:
    """What became of the pictures.

    Parameters
    ----------
    several : bool
        More than one picture was asked for: the end tells how many became what.
    """

    def __init__(self, several):
        self.several, self.counts, self.skipped = several, Counter(), []

    def add(self, task, result, remarks=()):
        """A picture is WRITTEN, KEPT or DONE; `remarks` (iterable of str) are told with it."""
        self.counts[result] += 1
        if result == KEPT:
            self.skipped.append(f"{task.target}: exists and is kept; --force overwrites it")
        else:
            tqdm.write(f"{cli.printable(task.target)}{'' if result == WRITTEN else ': done before'}")
        for remark in remarks:
            self.say(remark)

    def skip(self, what):
        """A picture cannot be done, for a reason (str or exception)."""
        self.counts[SKIPPED] += 1
        self.skipped.append(str(what))

    def say(self, line):
        """Tell something at once."""
        tqdm.write(f"upscale.py: {cli.printable(line)}", file=sys.stderr)

    def close(self):
        """Tell what was skipped, and the counts."""
        for line in self.skipped:
            print(f"upscale.py: skipped {cli.printable(line)}", file=sys.stderr)
        if self.several and self.counts:  # none where the disk was full at once
            print(", ".join(f"{count} {result}" for result, count in self.counts.items()))
