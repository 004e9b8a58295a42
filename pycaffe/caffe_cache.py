"""The cache of sources, wheels and packages: where it is, and whether what lies there may be installed.

Whoever may write to the cache decides what runs here as the user, so before anything of it is installed or run it
must belong to the user, to root, or to the owner of this checkout (whose scripts run already), and nobody else may
write to it. The hashes of what was put there are kept beside it: what has changed since is made anew.

Standard library only, Python 3.8: the set-up uses it before any environment exists.
"""

import contextlib
import hashlib
import os
import stat
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SUMS = "SHA256SUMS"


class CacheError(OSError):
    """The cache is not to be trusted; the text is one line for the user."""


def cache_folder(environ=os.environ):
    """Folder of sources and wheels: IDN_CACHE, or idn-caffe below XDG_CACHE_HOME or ~/.cache."""
    if environ.get("IDN_CACHE"):
        return Path(environ["IDN_CACHE"]).expanduser().resolve()
    base = environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().resolve() / "idn-caffe"


def make(folder, cache):
    """Make a folder (Path) of the cache, and the cache (Path) itself for nobody else; both checked; gives `folder`."""
    if not cache.is_dir():
        cache.parent.mkdir(parents=True, exist_ok=True)
        cache.mkdir(mode=0o700, exist_ok=True)
    for path in reversed([one for one in (folder, *folder.parents) if cache in one.parents]):
        path.mkdir(mode=0o755, exist_ok=True)
        check(path)
    check(cache)
    return folder


def owners():
    """User numbers (set of int) whose files may be installed: ours, root's, and the checkout's owner's."""
    return {os.geteuid(), 0, HERE.stat().st_uid}


def check(path):
    """Raise CacheError unless `path` (Path) is a file or folder that only `owners` may write to; no link."""
    found = path.lstat()
    fault = None
    if stat.S_ISLNK(found.st_mode):
        fault = "is a link"
    elif not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        fault = "is neither a file nor a folder"
    elif found.st_uid not in owners():
        fault = f"belongs to user {found.st_uid}, not to you ({os.geteuid()})"
    elif found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        fault = "can be written by others"
    if fault:
        raise CacheError(
            f"{path}: {fault}, so nothing is installed from there; make the cache yours alone (chown, chmod -R go-w), "
            "remove it, or set IDN_CACHE to another folder"
        )


def check_all(folder, cache):
    """Check a folder (Path) of the cache (Path): all below it, and the folders between them; raises CacheError."""
    for path in [one for one in (folder, *folder.parents) if one == cache or cache in one.parents]:
        check(path)
    for path in folder.rglob("*"):
        check(path)


def seal(folder):
    """Write the hashes of a folder's wheels beside them, and take the right to write from all but the owner."""
    for path in folder.iterdir():
        if not _being_sealed(path.name):
            path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o022)
    lines = [f"{_sha256(path)}  {path.name}\n" for path in sorted(folder.glob("*.whl"))]
    # a name of its own for each writer: threads share a process number, and so do containers that share a cache
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{SUMS}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write("".join(lines))
    Path(temporary).chmod(0o644)
    Path(temporary).replace(folder / SUMS)
    folder.chmod(0o755)


def _being_sealed(name):
    """Whether a file's name (str) is that of hashes which a set-up is just writing."""
    return name.startswith(f".{SUMS}.")


def is_whole(folder):
    """Whether a folder holds the wheels that were put there and nothing else that pip would take.

    Where an older set-up kept no hashes, those of today are kept: call `check_all` first.
    """
    names = {path.name for path in folder.iterdir() if not _being_sealed(path.name)}
    wheels = {name for name in names if name.endswith(".whl") and name[0] != "."}
    if not wheels or names - wheels - {SUMS, "key.json"}:
        return False
    if SUMS not in names:
        with contextlib.suppress(OSError):  # a cache that may only be read
            seal(folder)
        return True
    text = (folder / SUMS).read_text(encoding="utf-8", errors="replace")
    kept = dict(line.split("  ", 1)[::-1] for line in text.splitlines() if "  " in line)
    return kept == {name: _sha256(folder / name) for name in wheels}


def _sha256(path):
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
