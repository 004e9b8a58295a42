"""A rank among several: how it parts from the others, whatever connects them."""

import os
import sys
import traceback

from data_prep.errors import DataError
from prototxt.errors import NetError
from tools.common import cli
from tools.common.errors import UserError
from tools.gpu.driver import GpuError
from tools.ranks import watch
from tools.ranks.alone import Alone

# what a user can mend: one line, no traceback
MENDABLE = (UserError, DataError, NetError, GpuError, OSError, MemoryError)


class Company(Alone):
    """A rank of several; derived classes connect them.

    Attributes
    ----------
    watch : Watch
    """

    watch = watch.Watch({}, None)
    _agreed = False

    def agreed(self):
        self._agreed = True

    def __exit__(self, kind, error, trace):
        if error is None or self._agreed:
            self.watch.part()
            if error and self.rank:
                self.watch.wait(watch.SPEAKING_SECONDS)
            self.leave()
        elif self.rank == 0:
            self.watch.end_others()
            self.desert(_status_of(error))
        else:
            self._end_by(error)

    def leave(self):
        """Take leave when all do."""

    def desert(self, status):
        """Leave the others, which are to end; this process will end with `status` (int)."""

    def _end_by(self, error):
        """End this process, one of those that do as they are told, at once: rank 0 says why."""
        if not isinstance(error, (*MENDABLE, SystemExit, KeyboardInterrupt)):
            traceback.print_exception(type(error), error, error.__traceback__)
        said = self.watch.tell(describe(error))
        if not said:
            print(f"train.py: {self.name(self.rank)}: {describe(error)}", file=sys.stderr, flush=True)
        os._exit(watch.STATUS)


def describe(error):
    """An exception as one line (str), as tools/common/cli.py would print it."""
    if isinstance(error, OSError) and error.filename:
        return cli.printable(f"{os.fsdecode(error.filename)}: {error.strerror}")
    said = " ".join(str(error).split())
    plain = isinstance(error, (UserError, DataError, NetError, GpuError)) and said
    return cli.printable(said if plain else f"{type(error).__name__} {said}".strip())


def _status_of(error):
    """Exit status (int) that cli.run gives a process which ends by `error`."""
    if isinstance(error, KeyboardInterrupt):
        return 130
    if isinstance(error, cli.Terminated):
        return 143
    return watch.STATUS if isinstance(error, MENDABLE) else 1
