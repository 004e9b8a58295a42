"""Download a file over HTTP so that a broken connection costs only what was not yet received."""

import http.client
import time
import urllib.error
import urllib.request

from data_prep.errors import DataError

BLOCK = 1 << 16
TIMEOUT = 30


class NotFound(DataError):
    """The server has no such file."""


class Unreachable(DataError):
    """The server does not answer, or not to the end, however often it is asked."""


class _Broken(Exception):
    """The connection ended early; what came so far is kept."""


def download(url, part, size, on_bytes, retries=3, wait=1.0):
    """Download a file to `part`, going on from what `part` holds already.

    Parameters
    ----------
    url : str
        Address.
    part : Path
        File to write; kept when the download breaks, so that the next attempt or run goes on from there.
    size : int or None
        Bytes expected; None to believe the server.
    on_bytes : callable
        Called with the number of bytes gained; negative when some are thrown away.
    retries : int
        Attempts after the first failed one.
    wait : float
        Seconds before the second attempt; doubled each time.

    Raises
    ------
    NotFound
        HTTP 404.
    Unreachable
        All attempts failed.
    DataError
        The server refuses (another 4xx), or sends more than `size`.
    """
    if part.exists():
        on_bytes(part.stat().st_size)
    _persist(lambda: _attempt(url, part, size, on_bytes), url, retries, wait)


def read_url(url, retries=3, wait=1.0):
    """Read a small answer into memory (bytes); raises as `download`."""

    def attempt():
        with _open(url, {}) as answer:
            return answer.read()

    return _persist(attempt, url, retries, wait)


def _persist(attempt, url, retries, wait):
    for left in range(retries, -1, -1):
        try:
            return attempt()
        except (_Broken, OSError, http.client.HTTPException) as error:
            if not left:
                reason = getattr(error, "reason", None) or error
                raise Unreachable(
                    f"{url}: {reason} ({retries + 1} attempts); check the connection and run again, "
                    "or name a mirror with FETCH_MIRROR=folder-or-URL"
                ) from error
            time.sleep(wait)
            wait *= 2
    raise AssertionError("unreachable")


def _open(url, headers):
    request = urllib.request.Request(url, headers={"User-Agent": "idn-caffe", **headers})
    try:
        return urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        with error:
            if error.code in (404, 410):
                raise NotFound(f"{url}: not found (HTTP {error.code})") from error
            # 416: the range asked for is not there; the caller starts over. 429 and 5xx may pass
            if error.code in (408, 416, 429) or error.code >= 500:
                raise _Refused(error.code) from error
            raise DataError(f"{url}: refused (HTTP {error.code} {error.reason}); try later, or use a mirror") from error


class _Refused(_Broken):
    def __init__(self, code):
        super().__init__(f"HTTP {code}")
        self.code = code


def _attempt(url, part, size, on_bytes):
    have = part.stat().st_size if part.exists() else 0
    if size is not None and have >= size:
        if have == size:
            return
        _drop(part, on_bytes)
        have = 0
    try:
        answer = _open(url, {"Range": f"bytes={have}-"} if have else {})
    except _Refused as error:
        if error.code == 416:
            _drop(part, on_bytes)
        raise
    with answer:
        if have and not _goes_on(answer, have):
            _drop(part, on_bytes)
            have = 0
        length = answer.headers.get("Content-Length")
        expected = have + int(length) if length and length.isdigit() else size
        got = have + _receive(answer, part, size if size is None else size - have, url, on_bytes)
    if expected is not None and got < expected:
        raise _Broken(f"the connection ended after {got:,} of {expected:,} bytes")


def _goes_on(answer, have):
    """Whether the server sends the rest of the file, and not the whole of it again."""
    start = answer.headers.get("Content-Range", "")
    return answer.status == 206 and start.startswith(f"bytes {have}-")


def _receive(answer, part, most, url, on_bytes):
    """Append what the server sends to `part`; return the number of bytes."""
    got = 0
    with part.open("ab") as file:
        while True:
            block = answer.read1(BLOCK)
            if not block:
                return got
            got += len(block)
            if most is not None and got > most:
                break
            file.write(block)
            on_bytes(len(block))
    _drop(part, on_bytes)
    raise DataError(f"{url}: the server sends more bytes than the manifest says; expected another file")


def _drop(part, on_bytes):
    """Throw away what was received."""
    if part.exists():
        on_bytes(-part.stat().st_size)
        part.unlink()
