"""Build the database of a plan in a folder that appears when it is whole.

How images are cut and written is in writing.py: memory does not depend on the size of the set, time is linear in it,
and the bytes do not depend on the number of processes, nor on the machines that have cut parts of it before (parts.py).
"""

import fcntl
import os
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from data_prep import files, hdf5, parts, shard_list, workers, writing
from data_prep.errors import DataError
from data_prep.sampling import FOLDERS


@dataclass(frozen=True)
class Report:
    """What `build` did.

    Attributes
    ----------
    folder : Path
        The database.
    built : bool
        False: it was there already, made from the same images with the same parameters.
    bytes : int
        Size of its files.
    seconds : float
        Wall-clock time of computing and writing.
    peak_bytes : int
        Sum of the largest resident sizes of all processes (pages they share are counted for each).
    workers : int
        Processes.
    """

    folder: Path
    built: bool
    bytes: int
    seconds: float
    peak_bytes: int
    workers: int


def database_folder(out, geometry):
    """Where a database (Geometry or Sampling) lies in the output folder: OUT/x3/train."""
    return Path(out) / geometry.folder


def build(plan, out, *, processes=None, force=False, progress=True):
    """Write the database of a plan, and its list, unless it is there already.

    Parameters
    ----------
    plan : Plan
        What goes where.
    out : str or Path
        Output folder; the database becomes OUT/x3/train, its list OUT/x3/train.txt.
    processes : int, optional
        Default: one for each core, at most 8.
    force : bool
        Build again even if it is there.
    progress : bool
        Show a progress bar on stderr when that is a terminal.

    Returns
    -------
    Report

    Raises
    ------
    DataError
        No space, no right to write, a path with a line break, another run at work on the same database, or an
        image that has changed meanwhile.
    """
    processes = workers.checked(processes)
    folder = database_folder(Path(out).absolute(), plan.geometry)
    shard_list.check_path(folder)
    started = time.monotonic()
    peak = 0
    _sweep(Path(out))
    with _claim(folder) as partial:
        _recover(folder)
        built = force or not is_current(plan, folder)
        if built:
            peak = _fill(plan, partial, folder, processes, progress)
            _publish(partial, folder)
            parts.remove(folder)
        shard_list.write_list(folder)
    size = sum(path.stat().st_size for path in shard_list.shard_paths(folder))
    return Report(folder, built, size, time.monotonic() - started, peak, processes)


def is_current(plan, folder):
    """Whether `folder` holds the whole database of this plan: same images, same parameters, sound files."""
    paths = shard_list.shard_paths(folder)
    try:
        return hdf5.heads(paths, plan.geometry) == [
            (plan.identity(), number, rows) for number, rows in enumerate(plan.shard_rows)
        ]
    except DataError:
        return False


@contextmanager
def _claim(folder):
    """Give an empty folder `.NAME.partial` that is ours alone; leave none behind.

    A run that was killed may have left one: it is emptied. The lock is on the folder itself and ends with the
    process that holds it.
    """
    partial = _partial(folder)
    lock = _lock(partial, folder)
    try:
        for left in partial.iterdir():
            left.unlink()
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        os.close(lock)


def _partial(folder):
    return folder.with_name(f".{folder.name}.partial")


def _lock(partial, folder):
    """Make and lock the folder `partial`; gives the descriptor that holds the lock."""
    while True:
        try:
            partial.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{folder}: cannot be made ({error.strerror}); choose another --out") from error
        lock = _try_lock(partial)
        if lock is None:
            raise DataError(f"{folder}: another run is making this database; wait for it to end")
        if lock >= 0:
            return lock


def _try_lock(partial):
    """A descriptor that holds the lock on a folder, None when another process holds it, -1 when it has just gone."""
    try:
        lock = os.open(partial, os.O_RDONLY)
    except FileNotFoundError:
        return -1
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(lock), partial.stat()):
            return lock
    except BlockingIOError:
        os.close(lock)
        return None
    except FileNotFoundError:
        pass
    os.close(lock)
    return -1


def _sweep(out):
    """Remove what killed runs have left of any database in `out` (Path): their parts can be gigabytes."""
    for name in FOLDERS:
        folder = out / name
        for partial in folder.glob(".*.partial"):
            lock = _try_lock(partial)
            if lock is not None and lock >= 0:
                shutil.rmtree(partial, ignore_errors=True)
                os.close(lock)
        if folder.is_dir():
            files.sweep(folder)


def _old(folder):
    return folder.with_name(f".{folder.name}.old")


def _recover(folder):
    """Undo a replacement that was interrupted between its two renames."""
    old = _old(folder)
    if old.exists() and not folder.exists():
        old.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _publish(partial, folder):
    """Put the finished database in the place of the old one."""
    old = _old(folder)
    if folder.exists():
        folder.rename(old)
    partial.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _fill(plan, partial, folder, processes, progress):
    """Make all shards in `partial`; give the peak memory of all processes together, in bytes."""
    identity, versions = plan.identity(), hdf5.versions()
    shards = {
        _shard(partial, number): (rows, {**identity, "shard": number, "versions": versions})
        for number, rows in enumerate(plan.shard_rows)
    }
    places = dict(zip((info.path for info in plan.sources.images), plan.destinations()))
    with writing.on_disk(partial.parent):
        offsets = writing.lay_out(shards, plan.geometry.sides, partial.parent)
        layout = writing.Layout(list(shards), offsets, plan.per_shard)
        done = parts.take_over(plan, folder, places, layout)
        jobs = [(info, places[info.path]) for info in plan.sources.images if info.path not in done]
        return writing.cut(jobs, plan, layout, processes, progress)


def _shard(folder, number):
    return folder / f"{number:05d}.h5"
