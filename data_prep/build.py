"""Compute the patches of a plan on all cores and write them straight to their places in the database.

Every shard is laid out first, with all its chunks in place and its room reserved on the disk. Each process
then takes an image at a time, computes its variants one after the other, and writes each pair to the offset
that the permutation gives it. Nothing is kept, nothing is written twice, no two processes write to the same
bytes: memory does not depend on the size of the set, time is linear in it, and the bytes do not depend on
the number of processes.
"""

import errno
import fcntl
import os
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from data_prep import cutting, files, hdf5, shard_list, workers
from data_prep.errors import DataError
from data_prep.images import read_pixels
from data_prep.sampling import FOLDERS
from matlab_compat.pictures import PictureError

# far beyond the cores of one machine; each takes some 100 MB
MOST_WORKERS = 1024


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
    processes = workers.default_workers() if processes is None else processes
    if not 1 <= processes <= MOST_WORKERS:
        raise DataError(f"workers {processes}: expected 1 or more, at most {MOST_WORKERS}")
    folder = database_folder(Path(out).absolute(), plan.geometry)
    shard_list.check_path(folder)
    started = time.monotonic()
    peak = 0
    _sweep(Path(out))
    with _claim(folder) as partial:
        _recover(folder)
        built = force or not is_current(plan, folder)
        if built:
            peak = _fill(plan, partial, processes, progress)
            _publish(partial, folder)
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


def _fill(plan, partial, processes, progress):
    """Make all shards in `partial`; return the peak memory of all processes together, in bytes."""
    try:
        layouts = _lay_out(plan, partial)
        return _compute(plan, partial, layouts, processes, progress)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DataError(
                f"{partial.parent}: no space left while writing; make room or choose another --out"
            ) from error
        if error.filename is None and error.errno:
            raise DataError(f"{partial.parent}: cannot be written ({os.strerror(error.errno)})") from error
        raise


def _lay_out(plan, partial):
    """Create the shards and reserve their room; return the chunk offsets of each."""
    identity, versions = plan.identity(), hdf5.versions()
    layouts = []
    for number, rows in enumerate(plan.shard_rows):
        attributes = {**identity, "shard": number, "versions": versions}
        layouts.append(hdf5.create_shard(_shard(partial, number), rows, plan.geometry.sides, attributes))
    paths = [_shard(partial, number) for number in range(len(layouts))]
    # exact: HDF5 has set each file's length, and nothing of it lies on the disk yet
    needed, free = sum(path.stat().st_size for path in paths), shutil.disk_usage(partial).free
    if needed > free:
        raise DataError(
            f"{partial.parent}: no space: {needed:,} bytes needed, {free:,} free; "
            "make room or choose another --out"
        )
    for path in paths:
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return layouts


def _shard(folder, number):
    return folder / f"{number:05d}.h5"


def _compute(plan, partial, layouts, processes, progress):
    from tqdm import tqdm  # here: --help must not wait for it

    jobs = list(zip(plan.sources.images, plan.destinations()))
    # largest first, so that no process is left alone with a long one at the end
    jobs = [job for job in jobs if len(job[1].rows)]
    jobs.sort(key=lambda job: -len(job[1].rows))
    setup = (partial, layouts, plan.geometry, plan.per_shard, plan.seed)
    peaks = {}
    try:
        # disable=None: no bar where stderr is no terminal
        with tqdm(total=len(jobs), desc=plan.geometry.name, unit=" images", disable=None if progress else True) as bar:
            for process, peak in workers.run_all(_do_image, jobs, processes, _set_up, setup):
                peaks[process] = peak
                bar.update()
    finally:
        _close()
    peaks[os.getpid()] = workers.peak_memory()
    return sum(peaks.values())


class _Writer:
    """Puts pairs at their places in the shards."""

    def __init__(self, partial, layouts, per_shard):
        self.files = [
            os.open(_shard(partial, number), os.O_WRONLY | os.O_CLOEXEC) for number in range(len(layouts))
        ]
        self.layouts = layouts
        self.per_shard = per_shard

    def write(self, name, patches, rows):
        """Write patches (N, 1, h, w) of dataset `name` to database rows (N,)."""
        size = patches[0].nbytes
        content = memoryview(patches.astype("<f4", copy=False)).cast("B")
        shards, places = divmod(rows, self.per_shard)
        chunks, inside = divmod(places, hdf5.CHUNK)
        for index, shard in enumerate(shards):
            offset = int(self.layouts[shard][name][chunks[index]]) + int(inside[index]) * size
            _write_all(self.files[shard], content[index * size : (index + 1) * size], offset)

    def close(self):
        for file in self.files:
            os.close(file)


def _write_all(file, content, offset):
    while len(content):
        done = os.pwrite(file, content, offset)
        content, offset = content[done:], offset + done


# what each worker process is set up with
_state = {}


def _set_up(partial, layouts, geometry, per_shard, seed):
    _state["writer"] = _Writer(partial, layouts, per_shard)
    _state["geometry"], _state["seed"] = geometry, seed


def _close():
    """Close the shards where this process itself did the work."""
    if "writer" in _state:
        _state.pop("writer").close()


def _do_image(job):
    """Cut one image and write its pairs; return this process's id and its peak memory in bytes."""
    info, (chosen, rows) = job
    shape, writer = _state["geometry"], _state["writer"]
    done = 0
    for pairs in cutting.pairs(_pixels(info), shape, f"{_state['seed']} {info.sha256}", chosen):
        count = len(pairs["data"])
        for name, patches in pairs.items():
            if count:
                writer.write(name, patches, rows[done : done + count])
        done += count
    if done != len(rows):
        raise RuntimeError(f"{info.path}: {done} pairs cut, {len(rows)} planned")
    return os.getpid(), workers.peak_memory()


def _pixels(info):
    """Pixels of an image, of which a glance (`plan.gather`) may not have shown that it is damaged."""
    try:
        return read_pixels(info)
    except DataError as error:
        if isinstance(error.__cause__, PictureError):
            raise DataError(f"{error}, or leave such images out with --skip-bad") from error
        raise
