"""Fetch files of the registry into the data and weights folders, and check every one."""

import errno
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from data_prep import part_file
from data_prep.digests import file_sha256
from data_prep.download import Unreachable
from data_prep.errors import DataError
from data_prep.manifest import Entry, registry
from data_prep.names import check_inside

# a few at once hide the time to open a connection; more would only trouble the server
CONNECTIONS = 4
DEFAULT = ("291", "Set5", "Set14", "BSD100", "Urban100", "weights")  # the sets that are fetched when none is named
# the next file would fare no better
_NO_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)


@dataclass(frozen=True)
class Outcome:
    """What became of one file.

    Attributes
    ----------
    entry : Entry
        The file.
    path : Path
        Its place.
    state : str
        "fetched", "present" (it was there and is right), "differs" (there, not as pinned, kept), "failed".
    error : DataError or None
        Why it failed.
    """

    entry: Entry
    path: Path
    state: str
    error: Optional[DataError] = None


def choose(names):
    """Entries of the sets asked for.

    Parameters
    ----------
    names : list of str
        Sets, in any case; empty for DEFAULT.

    Returns
    -------
    list of Entry

    Raises
    ------
    DataError
        No such set.
    """
    known = list(dict.fromkeys(entry.set for entry in registry() if entry.set))
    by_lower = {name.lower(): name for name in known}
    unknown = [name for name in names if name.lower() not in by_lower]
    if unknown:
        raise DataError(f"{unknown[0]}: no such set; expected {', '.join(known)}")
    wanted = [by_lower[name.lower()] for name in names or DEFAULT]
    return [entry for entry in registry() if entry.set in wanted]


def place(entry, data, weights):
    """Where a file belongs (Path) when `data` and `weights` stand for `data/` and `weights/` of the destinations."""
    return _folder(entry, data, weights) / entry.destination.split("/", 1)[1]


def _folder(entry, data, weights):
    """The user's folder (Path) that a file must not leave."""
    return Path(data if entry.destination.startswith("data/") else weights)


def fetch(entries, mirror, data, weights, *, force=False, progress=True):
    """Fetch files; leave alone those that are there.

    Parameters
    ----------
    entries : list of Entry
        What to fetch.
    mirror : Folder, Web or Releases
        Where from.
    data, weights : str or Path
        Folders that stand for `data/` and `weights/` of the destinations.
    force : bool
        Replace a file that is there and differs.
    progress : bool
        Show a progress bar on stderr when that is a terminal.

    Returns
    -------
    list of Outcome
        In the order of `entries`.

    Raises
    ------
    DataError
        The mirror cannot be reached, or the disk is full: no other file would fare better.
    """
    from tqdm import tqdm  # here: --help must not wait for it

    total = sum(entry.size for entry in entries)
    bar = tqdm(total=total, unit="B", unit_scale=True, desc="fetch", disable=None if progress else True)
    with bar, ThreadPoolExecutor(CONNECTIONS) as pool:
        jobs = [
            pool.submit(
                _fetch_one, one, place(one, data, weights), _folder(one, data, weights), mirror, force, bar.update
            )
            for one in entries
        ]
        try:
            for job in as_completed(jobs):
                job.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [job.result() for job in jobs]


def _fetch_one(entry, path, folder, mirror, force, on_bytes):
    """The Outcome of one file; raises what would befall every other file as well."""
    try:
        if path.exists():
            right = _digest(path) == entry.sha256
            if right or not force:
                on_bytes(entry.size)
                return Outcome(entry, path, "present" if right else "differs")
        elif path.is_symlink() and not force:
            raise DataError(f"{path}: a link to nothing; remove it, or replace it with --force")
        check_inside(path, folder)
        _bring(entry, path, mirror, on_bytes)
        return Outcome(entry, path, "fetched")
    except Unreachable:
        raise
    except DataError as error:
        if isinstance(error, part_file.NotWritten) and error.number in _NO_DISK:
            raise
        return Outcome(entry, path, "failed", error)


def _digest(path):
    if not path.is_file():
        raise DataError(f"{path}: not a file; expected one, or nothing: move it away")
    try:
        return file_sha256(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); expected a file of yours") from error


def _bring(entry, path, mirror, on_bytes):
    """Get one file, check it, put it in its place."""
    part = part_file.part_of(path)
    with _disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    resumed = part_file.size(part) > 0
    try:
        mirror.get(entry, part, on_bytes)
        _check(entry, part)
        with _disk(path):
            part.replace(path)
    except (Unreachable, part_file.NotWritten):
        if not (mirror.resumes and part_file.size(part)):
            part_file.drop(part, on_bytes)
        raise
    except DataError:
        part_file.drop(part, on_bytes)
        if not resumed:
            raise
        # the old beginning may have been another file's: once more from nothing
        _bring(entry, path, mirror, on_bytes)


@contextmanager
def _disk(path):
    """Errors of the disk in the block as NotWritten, with the final path."""
    try:
        yield
    except OSError as error:
        raise part_file.NotWritten(path, error) from error


def _check(entry, part):
    """Refuse a file that has come unless it is the pinned one; raises DataError."""
    digest = file_sha256(part)
    if digest != entry.sha256:
        raise DataError(
            f"{entry.source}: SHA-256 {digest[:12]}... of {part.stat().st_size:,} bytes, expected "
            f"{entry.sha256[:12]}... of {entry.size:,}; the mirror has another file, use another mirror"
        )
