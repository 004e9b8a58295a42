"""Where files come from: a folder, a web address, or the authors' repository on GitHub.

A mirror is laid out like the repository at the pinned commit (`test/test_data/Set5/...`) or like the
destinations (`data/Set5/...`, `weights/idn/...`); a file is found by either path.
"""

import base64
import json
import re
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from data_prep import part_file
from data_prep.download import BLOCK, LARGEST, NotFound, download, is_host, read_url
from data_prep.errors import DataError
from data_prep.manifest import COMMIT, REPOSITORY
from data_prep.names import check_name


def open_mirror(where=None, retries=3, wait=1.0):
    """Choose a mirror.

    Parameters
    ----------
    where : str, optional
        A folder, or a web address (http, https, file), which may hold a name and a password; None: GitHub.
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
    where = str(where)
    if "://" not in where and not where.startswith("file:"):
        return _folder(where)
    address = _address(where)
    if address.scheme == "file":
        return _folder(unquote(address.path))
    login, _, host = address.netloc.rpartition("@")
    # a character that is quoted already stays so
    base = f"{address.scheme}://{host}{quote(address.path, safe=_SAFE)}"
    return Web(base, retries, wait, _authorization(login) if login else None)


_SAFE = "/%:@!$&'()*+,;=~"


def _folder(where):
    if not Path(where).is_dir():
        raise DataError(f"mirror {where}: no such folder; expected one laid out like {REPOSITORY}, or its address")
    return Folder(where)


def _address(where):
    """The parts of a web address."""
    try:
        address = urlsplit(where)
        if address.scheme == "file" and address.netloc in ("", "localhost"):
            return address
        port = address.port is None or address.port > 0  # the attribute itself refuses what is no number
        odd = re.search(r"[?#]", where) or re.search(r"\s", address.netloc)
        if address.scheme in ("http", "https") and port and is_host(address.hostname) and not odd:
            return address
    except ValueError:
        pass
    # a password in it must not reach the screen or a log
    shown = re.sub(r"//.*@", "//", where.split("?")[0].split("#")[0], flags=re.DOTALL)
    raise DataError(
        f"mirror {shown}: expected a folder or an http or https address, without ? and #; "
        "a / or @ in a password is written %2F or %40"
    )


def _authorization(login):
    """Value of the header for the name and the password of an address."""
    name, _, password = login.partition(":")
    return "Basic " + base64.b64encode(f"{unquote(name)}:{unquote(password)}".encode()).decode("ascii")


def _paths(entry):
    return entry.source, entry.destination


def _expand(entry, names):
    """Entries for the files in a folder that match a pattern entry; `names` maps name to (size, blob)."""
    folder, pattern = entry.source.rsplit("/", 1)
    chosen = [name for name in sorted(names) if fnmatchcase(name, pattern)]
    for name in chosen:
        check_name(name)
    return [
        replace(
            entry,
            size=names[name][0],
            source=f"{folder}/{name}",
            destination=entry.destination + name,
            blob=names[name][1],
        )
        for name in chosen
        if name[0] != "."  # as in a shell: what other systems leave beside a file (._1.jpg) is not meant
    ]


class Folder:
    """Files in a folder of this machine."""

    resumes = False  # whether `get` goes on with what is there of a file

    def __init__(self, folder):
        self.folder = Path(folder)

    def __str__(self):
        return str(self.folder)

    def expand(self, entry):
        """List what a pattern entry stands for (list of Entry); empty when there is no such folder."""
        for path in _paths(entry):
            folder = self.folder / (path.rstrip("/") if path.endswith("/") else Path(path).parent)
            if folder.is_dir():
                files = [file for file in folder.iterdir() if file.is_file()]
                return _expand(entry, {file.name: (file.stat().st_size, None) for file in files})
        return []

    def get(self, entry, part, on_bytes):
        """Copy a file to `part`; raises DataError when it is not there, or is not of the size that is pinned."""
        for path in _paths(entry):
            if (self.folder / path).is_file():
                part_file.drop(part, on_bytes)
                part_file.append(part, self._blocks(entry, self.folder / path), on_bytes)
                return
        raise DataError(f"mirror {self}: has neither {entry.source} nor {entry.destination}")

    @staticmethod
    def _blocks(entry, path):
        most = LARGEST if entry.size is None else entry.size
        got = 0
        try:
            with path.open("rb") as file:
                for block in iter(lambda: file.read(BLOCK), b""):
                    got += len(block)
                    if got > most:
                        raise DataError(f"{path}: more than {most:,} bytes, expected another file; use another mirror")
                    yield block
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}); use another mirror") from error


class Web:
    """Files below a web address."""

    resumes = True

    def __init__(self, base, retries, wait, login=None):
        self.base = base.rstrip("/")
        self.access = {"retries": retries, "wait": wait, "login": login}

    def __str__(self):
        return self.base

    def _urls(self, entry):
        return [f"{self.base}/{quote(path)}" for path in _paths(entry)]

    def expand(self, entry):
        """List what a pattern entry stands for, from the server's index page of its folder."""
        for url in self._urls(entry):
            folder = url.rsplit("/", 1)[0] + "/"
            try:
                page = read_url(folder, **self.access).decode("utf-8", "replace")
            except NotFound:
                continue
            names = (unquote(link) for link in re.findall(r'href="(?:\./)?([^"/?#]+)"', page))
            return _expand(entry, dict.fromkeys(names, (None, None)))
        return []

    def get(self, entry, part, on_bytes):
        """Download a file to `part`, going on where a broken download stopped."""
        urls = self._urls(entry)
        for url in urls:
            try:
                download(url, part, entry.size, on_bytes, **self.access)
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
        answer = read_url(url, **self.access)
        try:
            full = _json(answer)["sha"]
            # it becomes part of an address
            if not re.fullmatch(f"{COMMIT}[0-9a-f]{{{40 - len(COMMIT)}}}", full):
                raise ValueError(full)
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(f"{url}: not the description of a commit; try again, or use a mirror") from error
        return full

    def expand(self, entry):
        """List what a pattern entry stands for, with sizes and git's hashes at the pinned commit."""
        folder = entry.source.rsplit("/", 1)[0]
        url = f"{self.api}/contents/{quote(folder)}?ref={COMMIT}"
        return _expand(entry, parse_listing(read_url(url, **self.access), url))


def parse_listing(content, url):
    """Read GitHub's answer for a folder: bytes of JSON to dict of name to (size, blob hash)."""
    try:
        return {one["name"]: _size_and_blob(one) for one in _json(content) if one["type"] == "file"}
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{url}: not the listing of a folder; try again, or use a mirror") from error


def _json(content):
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _size_and_blob(one):
    size, blob = one["size"], one["sha"]
    if (type(one["name"]), type(size), type(blob)) != (str, int, str) or not 0 <= size <= LARGEST:
        raise ValueError(f"{one}"[:80])
    return size, blob
