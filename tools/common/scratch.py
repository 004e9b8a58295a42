"""Temporary folders that are found and removed at the next start when their process was killed."""

import contextlib
import os
import re
import shutil
import stat
import tempfile
from pathlib import Path

from data_prep import files

_NAME = re.compile(r"idn-(?P<pid>\d+)-(?P<start>\d+)-(?P<machine>[0-9a-f]{8})-\w+")


@contextlib.contextmanager
def private():
    """Keep all temporary files of this process and of those it starts in one folder, which goes with the block.

    Yields
    ------
    Path
        The folder. Those of processes that were killed are removed first.
    """
    sweep()
    before = tempfile.tempdir, os.environ.get("TMPDIR")
    folder = tempfile.mkdtemp(prefix=f"idn-{files.process_mark()}-", dir=_place())
    try:
        tempfile.tempdir = os.environ["TMPDIR"] = folder
        yield Path(folder)
    finally:
        tempfile.tempdir, variable = before
        if variable is None:
            os.environ.pop("TMPDIR", None)
        else:
            os.environ["TMPDIR"] = variable
        shutil.rmtree(folder, ignore_errors=True)


def _place():
    """The folder for temporary files, as the environment names it.

    tempfile finds it by writing a file without a name of ours, which would stay if the process were killed just then.
    """
    named = tempfile.tempdir or os.environ.get("TMPDIR")
    return named if named and os.access(named, os.W_OK | os.X_OK) else tempfile.gettempdir()


def sweep():
    """Remove the folders of dead processes of this user."""
    with contextlib.suppress(OSError):
        for path in Path(_place()).glob("idn-*"):
            found = _NAME.fullmatch(path.name)
            with contextlib.suppress(OSError):
                if found and _own_folder(path) and files.left_behind(path, **found.groupdict()):
                    shutil.rmtree(path, ignore_errors=True)


def _own_folder(path):
    """Whether this is a folder of this user, and no link to one: others may write there, too."""
    about = path.lstat()
    return stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid()
