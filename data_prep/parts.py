"""The part of a database that one of several machines cuts: tools/prepare_data.py --shard I/N.

A part lies beside its database in NAME.parts/I_of_N.h5: the pairs of every N-th image, in the order of cutting. The
build of the whole database takes over the parts that are there, which only copies, and cuts what is missing; so its
bytes are those of a build without parts. Machines never write to one file: not every network disk bears that.
"""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from data_prep import files, hdf5, workers, writing
from data_prep.errors import DataError
from data_prep.plan import Places

_PAIRS = 1024  # copied at a time


@dataclass(frozen=True)
class Part:
    """Which part of a database.

    Attributes
    ----------
    number, count : int
        1 <= number <= count.
    """

    number: int
    count: int

    @property
    def name(self):
        """Of its file (str)."""
        return f"{self.number}_of_{self.count}.h5"

    def of(self, images):
        """The images of this part: every `count`-th of a list."""
        return images[self.number - 1 :: self.count]


@dataclass(frozen=True)
class Report:
    """What `build` did.

    Attributes
    ----------
    path : Path
    built : bool
        False: it was there already.
    images, pairs, bytes : int
        In the part.
    seconds : float
        Wall-clock time.
    peak_bytes : int
        Sum of the largest resident sizes of all processes.
    """

    path: Path
    built: bool
    images: int
    pairs: int
    bytes: int
    seconds: float
    peak_bytes: int


def folder_of(database):
    """Where the parts of a database folder (Path) lie: OUT/x3/train -> OUT/x3/train.parts."""
    return database.with_name(f"{database.name}.parts")


def build(plan, database, part, *, processes=None, force=False, progress=True):
    """Cut a part of a plan's database.

    Parameters
    ----------
    plan : Plan
        Of the whole database.
    database : Path
        Its folder.
    part : Part
    processes, force, progress
        As of `build.build`.

    Returns
    -------
    Report

    Raises
    ------
    DataError
        No space, no right to write, or an image that has changed meanwhile.
    """
    processes, started = workers.checked(processes), time.monotonic()
    path, jobs = folder_of(database) / part.name, _jobs(plan, part)
    files.sweep(path.parent)
    rows, peak = sum(len(places.rows) for _, places in jobs), 0
    built = force or not _is_current(plan, part, path)
    if built:
        with writing.on_disk(path.parent), files.atomic_path(path) as temporary:
            about = {**_attributes(plan, part), "versions": hdf5.versions()}
            offsets = writing.lay_out({temporary: (max(1, rows), about)}, plan.geometry.sides, path.parent)
            layout = writing.Layout([temporary], offsets, max(1, rows))
            peak = writing.cut(jobs, plan, layout, processes, progress)
    seconds = time.monotonic() - started
    return Report(path, built, len(jobs), rows, path.stat().st_size, seconds, peak)


def _jobs(plan, part):
    """The part's images with rows that count from its own beginning: list of (ImageInfo, Places)."""
    jobs, row = [], 0
    for info, places in part.of(list(zip(plan.sources.images, plan.destinations()))):
        jobs.append((info, Places(places.chosen, row + np.arange(len(places.rows)))))
        row += len(places.rows)
    return jobs


def _attributes(plan, part):
    """What tells a part from others (dict)."""
    return {**plan.identity(), "part": part.number, "parts": part.count}


def _is_current(plan, part, path):
    try:
        return path.exists() and not _differs(plan, part, path)
    except DataError:
        return False


def _differs(plan, part, path):
    """Name, value and expected value of what a part's file has otherwise than the plan; None where all is the same."""
    try:
        with h5py.File(path, "r") as file:
            for name, value in _attributes(plan, part).items():
                found = file.attrs.get(name)
                if found != (files.shown(value) if isinstance(value, str) else value):
                    return name, found, value
    except OSError as error:
        raise DataError(f"{path}: truncated or not HDF5; run this shard again, or remove it") from error
    return None


def take_over(plan, database, places, layout):
    """Copy the pairs of the parts that are there.

    Parameters
    ----------
    plan : Plan
    database : Path
        Its folder.
    places : dict of Path to Places
        Of each image, in the whole database.
    layout : writing.Layout
        Of its shards.

    Returns
    -------
    set of Path
        Images whose pairs are copied.

    Raises
    ------
    DataError
        A part is damaged, or of other images or options: these have changed between two shards.
    """
    done = set()
    with writing.Writer(layout) as writer:
        for part, path in _found(database):
            other = _differs(plan, part, path)
            if other:
                raise DataError(
                    f"{path}: {other[0]} is {other[1]}, expected {other[2]}: images or options have changed since it "
                    f"was cut; cut this shard again, or remove {path.parent}"
                )
            done |= _copy(plan, part, path, places, writer, done)
    return done


def _found(database):
    """The parts in a database's folder of parts: list of (Part, Path), in a fixed order."""
    found = []
    for path in sorted(folder_of(database).glob("[0-9]*_of_[0-9]*.h5")):
        number, _, count = path.stem.partition("_of_")
        if number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count):
            found.append((Part(int(number), int(count)), path))
    return found


def _copy(plan, part, path, places, writer, done):
    """Copy the pairs of a part's images that are not `done` (set of Path); gives all its images (set of Path)."""
    images, row = part.of(plan.sources.images), 0
    with h5py.File(path, "r") as file:
        for info in images:
            rows = places[info.path].rows
            for start in range(0, 0 if info.path in done else len(rows), _PAIRS):
                some = rows[start : start + _PAIRS]
                for name in plan.geometry.sides:
                    writer.write(name, file[name][row + start : row + start + len(some)], some)
            row += len(rows)
    return {info.path for info in images}


def remove(database):
    """Remove the parts of a database (Path) that is whole."""
    shutil.rmtree(folder_of(database), ignore_errors=True)
