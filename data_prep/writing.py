"""Cut images on all cores and write their pairs straight to known places of HDF5 files.

Every file is laid out first, with all its chunks in place and its room reserved on the disk. Each process then takes an
image at a time, computes its variants one after the other, and writes each pair to the row that it was given. Nothing
is kept, nothing is written twice, no two processes write to the same bytes.
"""

import errno
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass

from data_prep import cutting, hdf5, memory, workers
from data_prep.errors import DataError
from data_prep.images import read_pixels
from matlab_compat import pictures


@contextmanager
def on_disk(folder):
    """Let a full or failing disk be a DataError that names `folder` (Path)."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DataError(f"{folder}: no space left while writing; make room or choose another --out") from error
        if error.filename is None and error.errno:
            raise DataError(f"{folder}: cannot be written ({os.strerror(error.errno)})") from error
        raise


def lay_out(wanted, sides, folder):
    """Create HDF5 files and reserve their room.

    Parameters
    ----------
    wanted : dict of Path to (int, dict)
        Rows and attributes of each file.
    sides : dict of str to int
        Of the patches of each dataset, in pixels.
    folder : Path
        For messages.

    Returns
    -------
    list of dict
        For each file the offsets of the chunks of each dataset, see `hdf5.create_shard`.

    Raises
    ------
    DataError
        There is less room than they need.
    """
    layouts = [hdf5.create_shard(path, rows, sides, about) for path, (rows, about) in wanted.items()]
    # exact: HDF5 has set each file's length, and nothing of it lies on the disk yet
    needed = sum(path.stat().st_size for path in wanted)
    free = shutil.disk_usage(next(iter(wanted)).parent).free
    if needed > free:
        raise DataError(
            f"{folder}: no space: {needed:,} bytes needed, {free:,} free; make room or choose another --out"
        )
    for path in wanted:
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return layouts


@dataclass(frozen=True)
class Layout:
    """Files that are laid out, and where in them each row lies; what a process needs to open them.

    Attributes
    ----------
    paths : list of Path
    offsets : list of dict
        As `lay_out` gives them.
    per_file : int
        Rows in each file but the last.
    """

    paths: list
    offsets: list
    per_file: int


class Writer:
    """Puts pairs at their places in the files of a Layout; use it in a `with`."""

    def __init__(self, layout):
        self.layout = layout
        self.files = [os.open(path, os.O_WRONLY | os.O_CLOEXEC) for path in layout.paths]

    def write(self, name, patches, rows):
        """Write patches (N, 1, h, w) of dataset `name` to rows (N,) of all files in a row."""
        size = patches[0].nbytes
        content = memoryview(patches.astype("<f4", copy=False)).cast("B")
        shards, places = divmod(rows, self.layout.per_file)
        chunks, inside = divmod(places, hdf5.CHUNK)
        for index, shard in enumerate(shards):
            offset = int(self.layout.offsets[shard][name][chunks[index]]) + int(inside[index]) * size
            _write_all(self.files[shard], content[index * size : (index + 1) * size], offset)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        """Close the files."""
        for file in self.files:
            os.close(file)


def _write_all(file, content, offset):
    while len(content):
        done = os.pwrite(file, content, offset)
        content, offset = content[done:], offset + done


def cut(jobs, plan, layout, processes, progress):
    """Cut images and write their pairs.

    Parameters
    ----------
    jobs : list of (ImageInfo, Places)
    plan : Plan
    layout : Layout
    processes : int
    progress : bool
        Show a progress bar on stderr when that is a terminal.

    Returns
    -------
    int
        Peak memory of all processes together, in bytes.

    Raises
    ------
    DataError
        An image has changed or cannot be decoded, or a process was killed.
    """
    from tqdm import tqdm  # here: --help must not wait for it

    # largest first, so that no process is left alone with a long one at the end
    jobs = sorted((job for job in jobs if len(job[1].rows)), key=lambda job: -len(job[1].rows))
    setup, peaks = (layout, plan.geometry, plan.seed), {}
    try:
        # disable=None: no bar where stderr is no terminal
        with tqdm(total=len(jobs), desc=plan.geometry.name, unit=" images", disable=None if progress else True) as bar:
            for process, peak in workers.run_all(_do_image, jobs, processes, _set_up, setup) if jobs else ():
                peaks[process] = peak
                bar.update()
    finally:
        _close()
    peaks[os.getpid()] = memory.peak()
    return sum(peaks.values())


# what each worker process is set up with
_state = {}


def _set_up(layout, geometry, seed):
    _state["writer"] = Writer(layout)
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
    return os.getpid(), memory.peak()


def _pixels(info):
    """Pixels of an image, of which a glance (`plan.gather`) may not have shown that it is damaged."""
    try:
        return read_pixels(info)
    except DataError as error:
        if isinstance(error.__cause__, pictures.PictureError):
            raise DataError(f"{error}, or leave such images out with --skip-bad") from error
        raise
