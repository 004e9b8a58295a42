"""A library's source as the build wants it: found, proved to be the pinned one, unpacked.

A source is looked for in this order: a folder or tarball that the user names, the local cache, upstream's own archive,
the distribution's source pool as this machine's apt configuration has it. Wherever it comes from, the same files must
have the same contents: the pinned digest is the SHA-256 of their manifest. Only files that the digest covers are
unpacked, so nothing unverified reaches the build. Until then a source is data: it is read into memory within limits, no
link of it is followed and nothing of it becomes a path.

`caffe_source.py` and `boost_source.py` say which sources there are. Standard library only, Python 3.8: all this runs
before any environment exists.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import lzma
import os
import re
import shutil
import sys
import tarfile
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import source_download
import source_tar
from caffe_cache import cache_folder, make
from source_tar import SourceError

# what a missing, cut-short or wrong file raises while it is fetched and read as a tarball
UNREADABLE = (OSError, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, ValueError, RecursionError)


def manifest(files):
    """Return the manifest of a source, in the format of sha256sum, sorted by path.

    Parameters
    ----------
    files : dict of str to bytes
        Relative path to content.
    """
    return "".join(f"{hashlib.sha256(files[path]).hexdigest()}  {path}\n" for path in sorted(files))


def digest(files):
    """Return the content digest of a source: the SHA-256 (hex) of its manifest."""
    return hashlib.sha256(manifest(files).encode()).hexdigest()


@dataclass(frozen=True)
class PinnedSource:
    """A library's source: what it is, where it may come from, and what proves that it is the right one.

    Attributes
    ----------
    name : str
        What messages call it.
    program : str
        The file that is run to get it.
    variable : str
        Environment variable with a folder or tarball of the user's.
    wanted : str
        What that folder or tarball has to be, in words.
    pin : dict of str
        "content_sha256": the digest; "github_archive": upstream's archive; "pool_file", "pool_package": the tarball of
        the distribution's source package; "stem": its name in the cache.
    covers : tuple of str
        What the digest covers, as regular expressions of whole paths.
    landmark : str
        A covered file that shows where in a tarball the source begins.
    listing : Path, optional
        Its manifest, where that is kept: with it an error can name the files that differ.
    place : callable, optional
        Where the build wants a file (str to str), for a source that comes in several layouts.
    """

    name: str
    program: str
    variable: str
    wanted: str
    pin: dict[str, str]
    covers: tuple[str, ...]
    landmark: str
    listing: Path | None = None
    place: Callable[[str], str] = str

    @property
    def remedy(self):
        """What the user can do (str) when no source is found, or a wrong one."""
        return f"set {self.variable} to {self.wanted}"

    def covered(self, path):
        """Whether the digest covers `path` (str, relative to the source's root, with slashes)."""
        return bool(re.fullmatch("|".join(self.covers), path, re.DOTALL))

    # reading

    def read(self, path):
        """Read the covered files of a source folder or tarball.

        Returns
        -------
        dict of str to bytes

        Raises
        ------
        SourceError
            When there is nothing at `path`, it is no tarball, is cut short, or holds no such source.
        """
        path = Path(path)
        if not path.exists():
            raise SourceError(f"{path}: no such file or folder; {self.remedy}")
        try:
            files = self._read_folder(path) if path.is_dir() else self._read_tarball(path)
        except SourceError as error:
            raise SourceError(f"{path}: {error}; {self.remedy}") from None
        except UNREADABLE as error:
            reason = f"not a tarball that can be read ({source_download.reason(error)})"
            raise SourceError(f"{path}: {reason}; get it again, or {self.remedy}") from None
        if self.landmark not in files:
            raise SourceError(f"{path}: no {self.name} source, {self.landmark} is not in it; {self.remedy}")
        return files

    def _read_folder(self, root):
        """The covered files below a folder (Path); links that lead out of it are refused."""
        files, top = {}, Path(os.path.realpath(root))
        for path in root.rglob("*"):
            name = self.place(path.relative_to(root).as_posix())
            if not self.covered(name) or path.is_dir():
                continue
            source_tar.check_name(name)
            if top not in Path(os.path.realpath(path)).parents:
                raise SourceError(f"{name} is a link out of the folder, expected the file itself")
            if not path.is_file() or path.stat().st_size > source_tar.MOST_COVERED:
                raise SourceError(f"{name} is not a file of at most {source_tar.MOST_COVERED >> 20} MB")
            files[name] = path.read_bytes()
        return files

    def _read_tarball(self, path):
        if not path.is_file():
            raise SourceError("neither a folder nor a file")
        with path.open("rb") as stream:
            return self._read_tar(stream)

    def _read_tar(self, stream):
        """The covered files of a tarball (binary file). Nothing is written, no member's name is used as a path.

        GitHub's archives have one folder on top, a distribution's may have none: the landmark tells.
        """
        with tarfile.open(fileobj=source_tar.Bounded(stream), mode="r:") as tar:
            members = list(source_tar.members(tar))
            tops = [m.name[: -len(self.landmark)] for m in members if m.name.endswith(self.landmark)]
            top = min(tops, key=len) if tops else ""
            wanted = [(self.place(m.name[len(top) :]), m) for m in members if m.name.startswith(top)]
            covered = [(name, m) for name, m in wanted if self.covered(name) and not m.isdir()]
            return {name: source_tar.content(tar, name, m) for name, m in covered}

    # verifying

    def verify(self, files, origin):
        """Raise SourceError unless `files` are the pinned source; the text names the origin and what differs."""
        got = digest(files)
        if got == self.pin["content_sha256"]:
            return
        raise SourceError(
            f"{origin}: not the pinned {self.name} source: expected content digest {self.pin['content_sha256']}, "
            f"got {got}; {self.differences(files)}; {self.remedy}"
        )

    def differences(self, files, shown=3):
        """Say in words how `files` differ from the pinned source."""
        if not self.listing:
            return f"{len(files)} files"
        pinned = {}
        for line in self.listing.read_text(encoding="utf-8").splitlines():
            checksum, path = line.split("  ", 1)
            pinned[path] = checksum
        kinds = {
            "changed": [p for p in files if p in pinned and hashlib.sha256(files[p]).hexdigest() != pinned[p]],
            "missing": [p for p in pinned if p not in files],
            "extra": [p for p in files if p not in pinned],
        }
        parts = []
        for kind, paths in kinds.items():
            if paths:
                more = f" and {len(paths) - shown} more" if len(paths) > shown else ""
                parts.append(f"{kind}: {', '.join(sorted(paths)[:shown])}{more}")
        return "; ".join(parts) or f"{self.listing.name} itself does not belong to the pinned digest"

    # finding

    def obtain(self, source=None, cache=None, github=None, pool=None, say=None):
        """Return the pinned source from the first place that has it.

        Parameters
        ----------
        source : str or Path, optional
            The user's own. When it is given nothing else is tried: a mistake in it must not pass unnoticed.
        cache : Path, optional
            Cache folder; default `cache_folder()`.
        github : str, optional
            URL of upstream's archive; default the pin's.
        pool : list of str, optional
            URLs of the tarball in the distribution's pools; default `pool_urls()`.
        say : callable, optional
            Told one line about the place that is used, and about each that failed.

        Returns
        -------
        dict of str to bytes
            Verified.

        Raises
        ------
        SourceError
            When no place has it, or one has something else under its name.
        """
        say = say or (lambda line: print(line, file=sys.stderr))
        kept = self.kept_at(cache or cache_folder())
        if source:
            files = self.read(source)
            self.verify(files, f"{self.variable}={source}")
            _keep(files, kept)
            return files
        files = self._kept(kept, say)
        if files:
            return files
        failures = []
        for origin, get in self._downloads(github, pool):
            try:
                files = self._read_tar(io.BytesIO(get(origin)))
            except (SourceError, *UNREADABLE) as error:
                failures.append(f"{origin}: {source_download.reason(error)}")
                continue
            self.verify(files, origin)
            say(f"{self.name} source: {origin}")
            _keep(files, kept)
            return files
        raise SourceError(f"no {self.name} source found; {self.remedy} (tried {'; '.join(failures)})")

    def kept_at(self, cache):
        """Where the source is kept (Path) in a cache folder (Path)."""
        return cache / f"{self.pin['stem']}-{self.pin['content_sha256'][:16]}.tar.gz"

    def _kept(self, path, say):
        """The source from the cache; None when it is not there, or is damaged and therefore removed."""
        if not path.exists():
            return None
        try:
            files = self._read_tarball(path)
        except (SourceError, *UNREADABLE):
            files = {}
        if digest(files) == self.pin["content_sha256"]:
            say(f"{self.name} source: {path}")
            return files
        say(f"{path}: damaged, made again")
        path.unlink()
        return None

    def _downloads(self, github, pool):
        """URLs in their order, each with the function that gets it; apt is asked for the pool only in its turn."""
        yield github or self.pin["github_archive"], source_download.download
        for url in self.pool_urls() if pool is None else pool:
            yield url, source_download.download_by_apt

    def pool_urls(self):
        """Where this machine's package archives would keep the tarball of the distribution's source package.

        No mirror is named here: apt says which archives and components the machine uses. Empty without apt.
        """
        package, file = self.pin["pool_package"], self.pin["pool_file"]
        below = f"{package[0]}/{package}/{file}"
        return [f"{root}pool/{component}/{below}" for root, component in source_download.apt_archives()]

    # unpacking

    def unpack(self, files, target):
        """Write `files` below the folder `target`, replacing what is there; never seen half-written.

        A target that holds exactly these files is left alone, so that a second configure builds nothing anew.

        Returns
        -------
        Path
            `target`, absolute.
        """
        target = Path(target).resolve()
        with contextlib.suppress(SourceError):
            if target.is_dir() and self._read_folder(target) == files:
                return target
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        try:
            for name, data in files.items():
                path = temporary / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            temporary.chmod(0o755)
            if target.exists():
                shutil.rmtree(target)
            temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return target

    def main(self, description, argv=None):
        """The program around a source; gives the exit status."""
        parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--unpack", metavar="DIR", help="find, verify and unpack the source; print DIR")
        what.add_argument("--check", metavar="PATH", help="verify a folder or tarball")
        what.add_argument("--list", metavar="PATH", help="print the manifest of a folder or tarball")
        args = parser.parse_args(argv)
        try:
            if args.list:
                sys.stdout.write(manifest(self.read(args.list)))
            elif args.check:
                self.verify(self.read(args.check), args.check)
                print(f"{args.check}: the pinned {self.name} source, content digest {self.pin['content_sha256']}")
            else:
                print(self.unpack(self.obtain(os.environ.get(self.variable)), args.unpack))
        except (SourceError, OSError) as error:
            print(f"{self.program}: {error}", file=sys.stderr)
            return 2
        return 0


def _keep(files, path):
    """Put verified files into the cache as a tarball, unless it is there; no error when the cache is read-only."""
    if path.exists():
        return
    with contextlib.suppress(OSError):
        make(path.parent, path.parent)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".part-") as folder:
            temporary = Path(folder) / path.name
            source_tar.pack(files, temporary)
            temporary.replace(path)
