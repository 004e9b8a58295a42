"""Download a file over HTTP so that a broken connection costs only what was not yet received.

The server is not trusted: it cannot send more than asked for, hold the connection with single bytes, answer with
another part of the file, or send us to another kind of address. Download libraries (pooch, requests) begin anew after a
broken connection and have none of these limits.
"""

import http.client
import socket
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from functools import partial
from urllib.parse import urljoin, urlsplit

from data_prep import part_file
from data_prep.errors import DataError

BLOCK = 1 << 16
TIMEOUT = 30  # seconds without any answer
SLOWEST = (60, 16 << 10)  # seconds in which at least these bytes must come


class NotFound(DataError):
    """The server has no such file."""


class Unreachable(DataError):
    """The server does not answer, or not to the end, however often it is asked."""


class _Broken(Exception):
    """The connection ended early; what came so far is kept."""


def download(url, part, size, on_bytes, retries=3, wait=1.0, login=None):
    """Download a file to `part`, going on from what `part` holds already.

    Parameters
    ----------
    url : str
        Address.
    part : Path
        File to write; kept when the download breaks, so that the next attempt or run goes on from there.
    size : int
        Bytes expected.
    on_bytes : callable
        Called with the number of bytes gained, what `part` holds among them; negative when they count no more.
    retries : int
        Attempts after the first failed one.
    wait : float
        Seconds before the second attempt; doubled each time.
    login : str, optional
        Value of the Authorization header; it goes to this server only, not to where the server sends us.

    Raises
    ------
    NotFound
        HTTP 404.
    Unreachable
        All attempts failed.
    NotWritten
        The disk does not take the file.
    DataError
        The server refuses (another 4xx), or sends more than `size`, or something else than a file.
    """
    have = part_file.size(part)
    if have:
        on_bytes(have)
    for left in range(retries, -1, -1):
        try:
            _attempt(url, part, size, on_bytes, login)
            return
        except NotFound:
            on_bytes(-part_file.size(part))  # the next address begins with the same bytes
            raise
        except (_Broken, OSError, http.client.HTTPException) as error:
            if not left:
                reason = getattr(error, "reason", None) or error
                raise Unreachable(
                    f"{url}: {reason} ({retries + 1} attempts); check the connection and run again, "
                    "or name a mirror with FETCH_MIRROR=folder-or-URL"
                ) from error
            time.sleep(wait)
            wait *= 2


# one request ------------------------------------------------------------------------------------------------


class _Request:
    """One answer of a server, watched while it comes.

    Parameters
    ----------
    url : str
    login : str or None
    start : int
        The byte from which on the file is asked for.
    """

    def __init__(self, url, login, start=0):
        self.url, self.start = url, start
        self.watch = _Watch()
        self.request = urllib.request.Request(url, headers={"User-Agent": "idn-caffe"})
        if start:
            self.request.add_header("Range", f"bytes={start}-")
        if login:
            self.request.add_unredirected_header("Authorization", login)

    def __enter__(self):
        self.watch.begin()
        try:
            self.answer = self._open()
        except BaseException:
            self.watch.end()
            raise
        if self.answer.headers.get("Content-Encoding", "identity").lower() != "identity":
            self.__exit__()
            raise DataError(f"{self.url}: sent compressed, expected the file as it is; use another mirror")
        return self

    def __exit__(self, *error):
        self.watch.end()
        self.answer.close()

    def _open(self):
        try:
            return _opener(self.watch).open(self.request, timeout=TIMEOUT)
        except urllib.error.HTTPError as error:
            with error:
                raise _meaning(self.url, error) from error
        except (OSError, http.client.HTTPException) as error:
            self.watch.complain()
            raise error
        except DataError:
            raise
        except ValueError as error:  # an address that cannot be one
            raise DataError(f"{self.url}: {error}; expected an http or https address") from error

    def goes_on(self, size):
        """Whether the answer is the file's rest, from `start` on, and the file has `size` bytes (int)."""
        rest = f"bytes {self.start}-{size - 1}"
        said = self.answer.headers.get("Content-Range", "")
        return self.answer.status == 206 and said in (f"{rest}/{size}", f"{rest}/*")

    def blocks(self, size):
        """Yield what the server sends (bytes); raise _Excess instead of what goes beyond a file of `size` bytes."""
        expected, got = self.answer.length, self.start
        if expected is not None and self.start + expected > size:
            raise _Excess(self.url)
        while True:
            try:
                block = self.answer.read1(BLOCK)
            except (OSError, http.client.HTTPException):
                self.watch.complain()
                raise
            if not block:
                break
            got += len(block)
            self.watch.gained += len(block)
            if got > size:
                raise _Excess(self.url)
            yield block
        self.watch.complain()
        if expected is not None and got < self.start + expected:
            raise _Broken(f"the connection ended after {got:,} of {self.start + expected:,} bytes")


def _meaning(url, error):
    """The exception that an HTTP error amounts to."""
    if error.code in (404, 410):
        return NotFound(f"{url}: not found (HTTP {error.code})")
    # 416: the range asked for is not there; the caller starts over. 429 and 5xx may pass
    if error.code in (408, 416, 429) or error.code >= 500:
        return _Refused(error.code)
    return DataError(f"{url}: refused (HTTP {error.code} {error.reason}); try later, or use a mirror")


class _Refused(_Broken):
    def __init__(self, code):
        super().__init__(f"HTTP {code}")
        self.code = code


class _Watch:
    """Cuts a connection that brings too little: a timeout of the socket is held off by single bytes."""

    def __init__(self):
        self.gained, self.socket, self.slow = 0, None, None
        self.over = threading.Event()

    def begin(self):
        """Watch from now on."""
        threading.Thread(target=self._run, args=SLOWEST, daemon=True).start()

    def _run(self, seconds, least):
        before = 0
        while not self.over.wait(seconds):
            if self.gained - before < least and self.socket is not None:
                self.slow = f"fewer than {least:,} bytes in {seconds:g} seconds"
                with suppress(OSError):
                    # the plain socket's way, below TLS: another thread is reading
                    socket.socket.shutdown(self.socket, socket.SHUT_RDWR)
                return
            before = self.gained

    def end(self):
        """Watch no more."""
        self.over.set()

    def complain(self):
        """Raise _Broken when the connection was cut here: for the reader it only ended."""
        if self.slow:
            raise _Broken(self.slow)


class _Watched:
    """A connection that shows its socket to a _Watch."""

    def __init__(self, watch, *arguments, **options):
        super().__init__(*arguments, **options)
        self.watch = watch

    def connect(self):
        super().connect()
        self.watch.socket = self.sock


class _Http(_Watched, http.client.HTTPConnection):
    pass


class _Https(_Watched, http.client.HTTPSConnection):
    pass


class _Transport(urllib.request.AbstractHTTPHandler):
    """http and https, and nothing else that urllib knows: no files, no FTP, no data: addresses."""

    def __init__(self, watch):
        super().__init__()
        self.watch = watch

    def http_open(self, request):
        return self.do_open(partial(_Http, self.watch), request)

    def https_open(self, request):
        return self.do_open(partial(_Https, self.watch), request)

    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_


class _Redirects(urllib.request.HTTPRedirectHandler):
    def http_error_302(self, request, answer, code, message, headers):
        target = headers.get("Location", "")
        if _may_follow(request.full_url, target):
            return super().http_error_302(request, answer, code, message, headers)
        answer.close()
        raise DataError(
            f"{request.full_url}: redirected to {target[:80]!r}, expected an address of the same kind; use a mirror"
        )

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _may_follow(url, target):
    try:
        there = urlsplit(urljoin(url, target))
        allowed = ("https",) if urlsplit(url).scheme == "https" else ("http", "https")
        return there.scheme in allowed and is_host(there.hostname)
    except ValueError:
        return False


def is_host(name):
    """Whether a name (str or None) can be looked up at all; for one that cannot Python raises a UnicodeError."""
    try:
        return bool(name) and bool(name.encode("idna"))
    except UnicodeError:
        return False


def _opener(watch):
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        _Transport(watch),
        _Redirects(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


# one attempt ------------------------------------------------------------------------------------------------


class _Excess(DataError):
    """More came than may come."""

    def __init__(self, url):
        super().__init__(f"{url}: the server sends more bytes than the manifest says; expected another file")


def _attempt(url, part, size, on_bytes, login):
    have = part_file.size(part)
    if have == size:
        return
    if have > size:
        part_file.drop(part, on_bytes)
        have = 0
    try:
        with _Request(url, login, have) as request:
            if have and not request.goes_on(size):
                part_file.drop(part, on_bytes)
                request.start = 0
                if request.answer.status == 206:
                    raise _Broken("another part of the file was sent than the one asked for")
            if not request.start and request.answer.status != 200:
                raise DataError(f"{url}: expected the whole file, got HTTP {request.answer.status}; use another mirror")
            part_file.append(part, request.blocks(size), on_bytes)
    except _Refused as error:
        if error.code == 416:
            part_file.drop(part, on_bytes)
        raise
    except _Excess:
        part_file.drop(part, on_bytes)
        raise
