"""Where files come from: a folder, a web address, or the authors' repository on GitHub.

A mirror is laid out like the repository at the pinned commit (`test/test_data/Set5/...`) or like the
destinations (`data/Set5/...`, `weights/idn/...`); a file is found by either path.
"""

import json
import re
import shutil
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from data_prep.download import NotFound, download, read_url
from data_prep.errors import DataError
from data_prep.manifest import COMMIT, REPOSITORY


def open_mirror(where=None, retries=3, wait=1.0):
    """Choose a mirror.

    Parameters
    ----------
    where : str, optional
        A folder, or a web address (http, https, file); None: GitHub.
    retries : int
        Attempts after the first failed one.
    wait : float
        Seconds before the second attempt; doubled each time.

    Returns
    -------
    Folder, Web or GitHub

    Raises
    ------
    DataError
        No such folder, or an address of another kind.
    """
    if not where:
        return GitHub(retries, wait)
    scheme = urlsplit(str(where)).scheme
    if scheme in ("http", "https"):
        return Web(str(where), retries, wait)
    if scheme == "file":
        where = unquote(urlsplit(str(where)).path)
    elif "://" in str(where):
        raise DataError(f"mirror {where}: expected a folder or an http or https address")
    if not Path(where).is_dir():
        raise DataError(f"mirror {where}: no such folder; expected one laid out like {REPOSITORY}, or its address")
    return Folder(where)


def _paths(entry):
    return entry.source, entry.destination


def _expand(entry, names):
    """Entries for the files in a folder that match a pattern entry; `names` maps name to (size, blob)."""
    folder, pattern = entry.source.rsplit("/", 1)
    return [
        replace(
            entry,
            size=names[name][0],
            source=f"{folder}/{name}",
            destination=entry.destination + name,
            blob=names[name][1],
        )
        for name in sorted(names)
        if fnmatchcase(name, pattern)
    ]


class Folder:
    """Files in a folder of this machine."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def __str__(self):
        return str(self.folder)

    def expand(self, entry):
        """List what a pattern entry stands for (list of Entry); empty when there is no such folder."""
        for path in _paths(entry):
            folder = self.folder / (path.rstrip("/") if path.endswith("/") else Path(path).parent)
            if folder.is_dir():
                return _expand(entry, {file.name: (file.stat().st_size, None) for file in folder.iterdir()})
        return []

    def get(self, entry, part, on_bytes):
        """Copy a file to `part`; raises DataError when it is not there."""
        for path in _paths(entry):
            if (self.folder / path).is_file():
                shutil.copyfile(self.folder / path, part)
                on_bytes(part.stat().st_size)
                return
        raise DataError(f"mirror {self}: has neither {entry.source} nor {entry.destination}")


class Web:
    """Files below a web address."""

    def __init__(self, base, retries, wait):
        self.base = base.rstrip("/")
        self.patience = {"retries": retries, "wait": wait}

    def __str__(self):
        return self.base

    def _urls(self, entry):
        return [f"{self.base}/{quote(path)}" for path in _paths(entry)]

    def expand(self, entry):
        """List what a pattern entry stands for, from the server's index page of its folder."""
        for url in self._urls(entry):
            folder = url.rsplit("/", 1)[0] + "/"
            try:
                page = read_url(folder, **self.patience).decode("utf-8", "replace")
            except NotFound:
                continue
            names = (unquote(link) for link in re.findall(r'href="\.?/?([^"/?#]+)"', page))
            return _expand(entry, dict.fromkeys(names, (None, None)))
        return []

    def get(self, entry, part, on_bytes):
        """Download a file to `part`, going on where a broken download stopped."""
        urls = self._urls(entry)
        for url in urls:
            try:
                download(url, part, entry.size, on_bytes, **self.patience)
                return
            except NotFound:
                continue
        raise NotFound(f"{urls[0]}: not found (HTTP 404); is the mirror laid out like {REPOSITORY}?")


class GitHub(Web):
    """The authors' repository at the pinned commit."""

    def __init__(self, retries, wait, site="https://github.com", api="https://api.github.com"):
        self.site, self.api = f"{site}/{REPOSITORY}/raw", f"{api}/repos/{REPOSITORY}"
        super().__init__(f"{self.site}/{COMMIT}", retries, wait)

    def _urls(self, entry):
        return [f"{self.base}/{quote(entry.source)}"]

    def get(self, entry, part, on_bytes):
        """Download a file to `part`, going on where a broken download stopped."""
        tried = self.base
        try:
            super().get(entry, part, on_bytes)
        except NotFound:
            # the raw address may want the commit in full; if it had it already, the file is not there
            if tried != f"{self.site}/{COMMIT}":
                raise
            self.base = f"{self.site}/{self._full_commit()}"
            super().get(entry, part, on_bytes)

    def _full_commit(self):
        """The pinned commit with all its digits."""
        url = f"{self.api}/commits/{COMMIT}"
        try:
            return json.loads(read_url(url, **self.patience))["sha"]
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(f"{url}: not the description of a commit; try again, or use a mirror") from error

    def expand(self, entry):
        """List what a pattern entry stands for, with sizes and git's hashes at the pinned commit."""
        folder = entry.source.rsplit("/", 1)[0]
        url = f"{self.api}/contents/{quote(folder)}?ref={COMMIT}"
        return _expand(entry, parse_listing(read_url(url, **self.patience), url))


def parse_listing(content, url):
    """Read GitHub's answer for a folder: bytes of JSON to dict of name to (size, blob hash)."""
    try:
        return {one["name"]: (one["size"], one["sha"]) for one in json.loads(content) if one["type"] == "file"}
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{url}: not the listing of a folder; try again, or use a mirror") from error
