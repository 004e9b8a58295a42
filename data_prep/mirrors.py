"""Where files come from: the authors' releases, a folder, or a web address.

A mirror is laid out like the release (`test/test_data/Set5/...`), like the destinations (`data/Set5/...`,
`weights/idn/...`), or like one of their two folders (`Set5/...`); a file is found by any of these paths.
"""

import base64
import re
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from data_prep import part_file
from data_prep.download import BLOCK, NotFound, download, is_host
from data_prep.errors import DataError


def open_mirror(where=None, retries=3, wait=1.0):
    """Choose a mirror.

    Parameters
    ----------
    where : str, optional
        A folder, or a web address (http, https, file), which may hold a name and a password; None: the releases.
    retries : int
        Attempts after the first failed one.
    wait : float
        Seconds before the second attempt; doubled each time.

    Returns
    -------
    Folder, Web or Releases

    Raises
    ------
    DataError
        No such folder, or an address of another kind.
    """
    if not where:
        return Releases(retries, wait)
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
        raise DataError(f"mirror {where}: no such folder; expected one with data/ and weights/, or a web address")
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
    return entry.source, entry.destination, entry.destination.split("/", 1)[1]


class Folder:
    """Files in a folder of this machine."""

    resumes = False  # whether `get` goes on with what is there of a file

    def __init__(self, folder):
        self.folder = Path(folder)

    def __str__(self):
        return str(self.folder)

    def get(self, entry, part, on_bytes):
        """Copy a file to `part`; raises DataError when it is not there, or is larger than the pinned one."""
        for path in _paths(entry):
            if (self.folder / path).is_file():
                part_file.drop(part, lambda count: None)  # of another run: never counted in this one
                part_file.append(part, self._blocks(entry, self.folder / path), on_bytes)
                return
        raise DataError(f"mirror {self}: has neither {entry.source} nor {entry.destination}")

    @staticmethod
    def _blocks(entry, path):
        got = 0
        try:
            with path.open("rb") as file:
                for block in iter(lambda: file.read(BLOCK), b""):
                    got += len(block)
                    if got > entry.size:
                        raise DataError(
                            f"{path}: more than {entry.size:,} bytes, expected another file; use another mirror"
                        )
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

    def _addresses(self, entry):
        return [f"{self.base}/{quote(path)}" for path in _paths(entry)]

    def get(self, entry, part, on_bytes):
        """Download a file to `part`, going on where a broken download stopped."""
        addresses = self._addresses(entry)
        for address in addresses:
            try:
                download(address, part, entry.size, on_bytes, **self.access)
                return
            except NotFound:
                continue
        raise NotFound(f"{addresses[0]}: not found (HTTP 404); use another mirror, FETCH_MIRROR=folder-or-URL")


class Releases(Web):
    """Each file from its authors' own release."""

    def __init__(self, retries, wait):
        super().__init__("", retries, wait)

    def __str__(self):
        return "the authors' releases"

    def _addresses(self, entry):
        return [entry.address]
