"""Fetch the files of a manifest into the data and weights folders, and check every one."""

import errno
import hashlib
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from data_prep import part_file
from data_prep.download import Unreachable
from data_prep.errors import DataError
from data_prep.files import write_text
from data_prep.images import SUFFIXES, file_sha256, inspect
from data_prep.manifest import load, set_names
from data_prep.names import BadName, check_collisions, check_inside

# a few at once hide the time to open a connection; more would only trouble the server
CONNECTIONS = 4
LOCK = "fetch.lock"
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
    sha256 : str or None
        Digest of what lies there; None when failed.
    error : DataError or None
        Why it failed.
    """

    entry: object
    path: Path
    state: str
    sha256: object = None
    error: object = None


def choose(names, entries=None):
    """Entries of the sets asked for.

    Parameters
    ----------
    names : list of str
        Sets, in any case; empty for all whose files are pinned.
    entries : list of Entry, optional
        Default: the project's manifest.

    Returns
    -------
    list of Entry

    Raises
    ------
    DataError
        No such set.
    """
    entries = load() if entries is None else entries
    known, pinned = set_names(entries)
    by_lower = {name.lower(): name for name in known}
    unknown = [name for name in names if name.lower() not in by_lower]
    if unknown:
        raise DataError(f"{unknown[0]}: no such set; expected {', '.join(known)}")
    wanted = {by_lower[name.lower()] for name in names} or set(pinned)
    return [entry for entry in entries if entry.set in wanted]


def fetch(entries, mirror, data, weights, *, force=False, progress=True):
    """Fetch files; leave alone those that are there.

    Parameters
    ----------
    entries : list of Entry
        What to fetch; patterns are listed at the mirror first.
    mirror : Folder, Web or GitHub
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
        In the order of the manifest.

    Raises
    ------
    DataError
        The mirror cannot be reached, has another number of files than a pattern expects or gives one a name that
        leads out of its folder; or the disk is full.
    """
    files = [file for entry in entries for file in (_list(entry, mirror) if entry.is_pattern else [entry])]
    check_collisions(file.destination for file in files)
    lock_path = Path(data) / LOCK
    lock = read_lock(lock_path)
    total = sum(entry.size or 0 for entry in files)
    bar = tqdm(total=total, unit="B", unit_scale=True, desc="fetch", disable=None if progress else True)
    with bar, ThreadPoolExecutor(CONNECTIONS) as pool:
        jobs = {
            pool.submit(_fetch_one, entry, *_place(entry, data, weights), mirror, lock, force, bar.update): index
            for index, entry in enumerate(files)
        }
        outcomes = {}
        try:
            for job in as_completed(jobs):
                outcomes[jobs[job]] = job.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            with suppress(OSError):  # what ended the run is the news, not that a full disk takes no list either
                _record(lock_path, lock, outcomes.values())
            raise
    _record(lock_path, lock, outcomes.values())
    return [outcomes[index] for index in sorted(outcomes)]


def _list(entry, mirror):
    try:
        found = mirror.expand(entry)
        check_collisions(file.destination for file in found)
    except BadName as error:
        raise BadName(
            f"{entry.set}: {mirror} lists {error}; nothing was fetched, name another mirror with "
            "FETCH_MIRROR=folder-or-URL"
        ) from error
    if len(found) != entry.size:
        raise DataError(
            f"{entry.set}: {len(found)} files like {entry.source} at {mirror}, expected {entry.size}; "
            "name another mirror with FETCH_MIRROR=folder-or-URL"
        )
    return found


def _place(entry, data, weights):
    """A file's place (Path) and the user's folder (Path) that it must not leave."""
    kind, rest = entry.destination.split("/", 1)
    folder = Path(data if kind == "data" else weights)
    return folder / rest, folder


def _fetch_one(entry, path, folder, mirror, lock, force, on_bytes):
    try:
        if path.exists():
            digest = _digest(path)
            right = _is_right(entry, path, digest, lock)
            if right or not force:
                on_bytes(entry.size or 0)
                return Outcome(entry, path, "present" if right else "differs", digest)
        elif path.is_symlink() and not force:
            raise DataError(f"{path}: a link to nothing; remove it, or replace it with --force")
        check_inside(path, folder)
        return Outcome(entry, path, "fetched", _bring(entry, path, mirror, lock, on_bytes))
    except Unreachable:
        raise
    except DataError as error:
        if isinstance(error, part_file.NotWritten) and error.number in _NO_DISK:
            raise
        return Outcome(entry, path, "failed", error=error)


def _digest(path):
    if not path.is_file():
        raise DataError(f"{path}: not a file; expected one, or nothing: move it away")
    try:
        return file_sha256(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); expected a file of yours") from error


def _is_right(entry, path, digest, lock):
    """Whether a file that lies there is the one meant, as far as anyone can tell."""
    if entry.sha256:
        return digest == entry.sha256
    if entry.blob:
        return git_blob(path) == entry.blob
    return digest == lock.get(entry.destination, digest)


def _bring(entry, path, mirror, lock, on_bytes):
    """Get one file, check it, put it in its place; return its digest."""
    part = part_file.part_of(path)
    sure = bool(entry.sha256 or entry.blob or entry.destination in lock)
    with _disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not sure:
            # nobody could tell whether the beginning of another run and today's end belong together
            part_file.drop(part, lambda count: None)
    resumed = part_file.size(part) > 0
    try:
        mirror.get(entry, part, on_bytes)
        digest = _check(entry, path, part, lock)
        with _disk(path):
            part.replace(path)
    except (Unreachable, part_file.NotWritten):
        if not (sure and mirror.resumes and part_file.size(part)):
            part_file.drop(part, on_bytes)
        raise
    except DataError:
        part_file.drop(part, on_bytes)
        if not resumed:
            raise
        # the old beginning may have been another file's: once more from nothing
        return _bring(entry, path, mirror, lock, on_bytes)
    return digest


@contextmanager
def _disk(path):
    """Errors of the disk in the block as NotWritten, with the final path."""
    try:
        yield
    except OSError as error:
        raise part_file.NotWritten(path, error) from error


def _check(entry, path, part, lock):
    """Digest of a file that has come; raises DataError when it is not the one expected."""
    digest, size = file_sha256(part), part.stat().st_size
    expected = entry.sha256 or (None if entry.blob else lock.get(entry.destination))
    if expected and digest != expected:
        whose = "the manifest" if entry.sha256 else LOCK
        raise DataError(
            f"{entry.source}: SHA-256 {digest[:12]}... of {size:,} bytes, expected {expected[:12]}... of {whose}; "
            "the mirror has another file, try another"
        )
    if entry.blob and git_blob(part) != entry.blob:
        raise DataError(f"{entry.source}: not the file of the pinned commit (git's hash differs); try again")
    if not entry.sha256:
        _check_kind(entry, path, part)
    return digest


def _check_kind(entry, path, part):
    """What can be told of a file that nobody has pinned: a picture decodes, and weights are no log-in page."""
    if Path(entry.source).suffix.lower() in SUFFIXES:
        try:
            inspect(part)
        except DataError as error:
            raise DataError(str(error).replace(str(part), str(path))) from error
    with part.open("rb") as file:
        if file.read(512).lstrip().lower().startswith((b"<!doctype html", b"<html")):
            raise DataError(f"{entry.source}: a web page came instead of the file; use another mirror")


def git_blob(path):
    """Git's hash (str, 40 hex digits) of a file's content."""
    content = Path(path).read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def read_lock(path):
    """Read the hashes of unpinned files that came before: dict of destination to hex digest."""
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return {line.split(maxsplit=1)[1]: line.split()[0] for line in lines if len(line.split()) == 2}


def _record(path, lock, outcomes):
    """Remember the digests of unpinned files that came, for the next run to compare with."""
    new = {
        one.entry.destination: one.sha256
        for one in outcomes
        if one.entry.sha256 is None and one.state in ("fetched", "present")
    }
    if new and {**lock, **new} != lock:
        lines = sorted(f"{digest}  {name}\n" for name, digest in {**lock, **new}.items())
        write_text(path, "".join(lines))
