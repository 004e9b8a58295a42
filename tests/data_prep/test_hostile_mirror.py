"""Mirrors that lie: other content, endless data, redirects, links. Nothing of it may get through."""

import base64
import contextlib
import hashlib
import os
import subprocess
import sys
import threading
import time
from dataclasses import astuple, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from data_prep import download, manifest
from data_prep.errors import DataError
from data_prep.fetch import fetch
from data_prep.manifest import Entry
from data_prep.mirrors import Folder, Web, open_mirror

CONTENT = bytes(range(256)) * 40
PINNED = Entry(
    hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), "test/Tiny/a.bmp", "data/Tiny/a.bmp", "https://nowhere.invalid"
)


@pytest.fixture
def server():
    """Answer GET with `answer(request)`, a function set by the test: (url, list of (path, headers))."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append((self.path, dict(self.headers)))
            with contextlib.suppress(OSError):  # the client went away, as it should
                self.server.answer(self)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.asked, running.url = [], f"http://127.0.0.1:{running.server_address[1]}"
        running.stop = threading.Event()
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield running
        running.stop.set()
        running.shutdown()


def send(request, content=b"", status=200, **headers):
    """Answer with `content`; underscores in the headers' names stand for hyphens."""
    request.send_response(status)
    for name, value in {"Content_Length": len(content), **headers}.items():
        if value is not None:
            request.send_header(name.replace("_", "-"), str(value))
    request.end_headers()
    request.wfile.write(content)


def stream(request, block, pause=0.0):
    """Send `block` again and again until the client hangs up; 300 MB at most, for the machine's sake."""
    request.send_response(200)
    request.end_headers()
    for _ in range(300_000_000 // len(block)):
        if request.server.stop.wait(pause) if pause else request.server.stop.is_set():
            return
        request.wfile.write(block)


def run(entries, mirror, tmp_path, **options):
    outcomes = fetch(entries, mirror, tmp_path / "here/data", tmp_path / "here/weights", progress=False, **options)
    return {one.path.name: one.state for one in outcomes}, outcomes


def files_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


# names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["data/../x", "/data/B/x", "data/B/../../x", "data/B//x", "data/x", "other/B/x", "data/B/.", "data/B/a\\b", "data"],
)
def test_destination_of_a_manifest(tmp_path, path):
    (tmp_path / "manifest.txt").write_text(f"from https://nowhere.invalid\n{'0' * 64}  5  test/x  {path}\n")
    with pytest.raises(DataError, match="line 2: .*(no name for a file here|expected data/SET/NAME)"):
        run(manifest.load(tmp_path / "manifest.txt"), Folder(tmp_path), tmp_path)


def test_source_of_a_manifest(tmp_path):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "secret").write_bytes(CONTENT)
    line = f"{PINNED.sha256}  {PINNED.size}  ../secret  data/Tiny/a.bmp"
    (tmp_path / "manifest.txt").write_text(f"from https://nowhere.invalid\n{line}\n")
    with pytest.raises(DataError, match="no name for a file here"):
        run(manifest.load(tmp_path / "manifest.txt"), Folder(tmp_path / "mirror"), tmp_path)


def test_no_list_of_names_is_asked_for(server, tmp_path):
    """A mirror has no say in what is fetched or what it is called."""
    server.answer = lambda request: send(request, CONTENT)
    run([PINNED], Web(server.url, retries=0, wait=0), tmp_path)
    assert [path for path, _ in server.asked] == ["/test/Tiny/a.bmp"]
    assert files_in(tmp_path) == ["here/data/Tiny/a.bmp"]


# links ------------------------------------------------------------------------------------------------------


@pytest.fixture
def good(tmp_path):
    """A mirror with the pinned file."""
    path = tmp_path / "mirror/test/Tiny/a.bmp"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    return Folder(tmp_path / "mirror")


def web(server):
    """A mirror on the server with the pinned file."""
    server.answer = lambda request: send(request, CONTENT)
    return Web(server.url, retries=0, wait=0)


@pytest.mark.parametrize("kind", ["folder", "web"])
@pytest.mark.parametrize("link", ["symbolic", "hard", "pipe"])
def test_planted_part_is_not_written_through(good, server, tmp_path, kind, link):
    victim, part = tmp_path / "victim", tmp_path / "here/data/Tiny/a.bmp.part"
    victim.write_bytes(b"precious")
    part.parent.mkdir(parents=True)
    if link == "symbolic":
        part.symlink_to(victim)
    elif link == "hard":
        os.link(victim, part)
    else:
        os.mkfifo(part)
    states, _ = run([PINNED], good if kind == "folder" else web(server), tmp_path)
    assert (states, victim.read_bytes()) == ({"a.bmp": "fetched"}, b"precious")
    assert (tmp_path / "here/data/Tiny/a.bmp").read_bytes() == CONTENT


def test_planted_folder_is_not_written_through(good, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "here/data").mkdir(parents=True)
    (tmp_path / "here/data/Tiny").symlink_to(outside)
    states, outcomes = run([PINNED], good, tmp_path)
    assert (states, files_in(outside)) == ({"a.bmp": "failed"}, [])
    assert "here/data/Tiny: a link out of the folder" in str(outcomes[0].error)


def test_planted_file_is_replaced_not_written_through(good, tmp_path):
    victim, planted = tmp_path / "victim", tmp_path / "here/data/Tiny/a.bmp"
    planted.parent.mkdir(parents=True)
    planted.symlink_to(victim)
    states, outcomes = run([PINNED], good, tmp_path)  # a link to nothing: somebody's, so it is kept
    assert (states, victim.exists()) == ({"a.bmp": "failed"}, False)
    assert "a.bmp: a link to nothing" in str(outcomes[0].error)
    victim.write_bytes(b"precious")
    assert run([PINNED], good, tmp_path)[0] == {"a.bmp": "differs"}
    assert run([PINNED], good, tmp_path, force=True)[0] == {"a.bmp": "fetched"}
    assert (victim.read_bytes(), planted.is_symlink(), planted.read_bytes()) == (b"precious", False, CONTENT)


def test_a_users_own_links_work(good, tmp_path):
    """DATA itself may be a link, links below may stay inside, and what is there already is read through any link."""
    (tmp_path / "disk/sets").mkdir(parents=True)
    (tmp_path / "here").mkdir()
    (tmp_path / "here/data").symlink_to(tmp_path / "disk")
    (tmp_path / "disk/Tiny").symlink_to("sets")
    assert run([PINNED], good, tmp_path)[0] == {"a.bmp": "fetched"}
    assert files_in(tmp_path / "disk") == ["sets/a.bmp"]
    (tmp_path / "disk/Tiny").unlink()
    (tmp_path / "disk/Tiny").symlink_to(tmp_path / "mirror/test/Tiny")
    assert run([PINNED], good, tmp_path)[0] == {"a.bmp": "present"}


def test_pipe_in_a_files_place(good, tmp_path):
    (tmp_path / "here/data/Tiny").mkdir(parents=True)
    os.mkfifo(tmp_path / "here/data/Tiny/a.bmp")
    states, outcomes = run([PINNED], good, tmp_path)
    assert states == {"a.bmp": "failed"} and "a.bmp: not a file" in str(outcomes[0].error)


# sizes and times --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [None, 10**15])
def test_more_than_the_manifest_says(server, tmp_path, length):
    """By its length or only in fact; the first is refused before anything is received."""

    def answer(request):
        if length:
            send(request, b"x", Content_Length=length)
        else:
            stream(request, CONTENT)

    server.answer = answer
    states, outcomes = run([PINNED], Web(server.url, retries=0, wait=0), tmp_path)
    assert states == {"a.bmp": "failed"} and "sends more bytes than the manifest says" in str(outcomes[0].error)
    assert files_in(tmp_path) == []


def test_compressed_answer(server, tmp_path):
    """Nobody asked for it: it is not unpacked, however small a bomb looks from outside."""
    server.answer = lambda request: send(request, CONTENT, Content_Encoding="gzip")
    states, outcomes = run([PINNED], Web(server.url, retries=0, wait=0), tmp_path)
    assert states == {"a.bmp": "failed"} and "sent compressed" in str(outcomes[0].error)
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("where", ["nothing", "header", "body", "trailer"])
def test_stalled_server(server, tmp_path, monkeypatch, where):
    """Single bytes hold off a timeout of the socket; they must not hold off the end."""
    monkeypatch.setattr(download, "SLOWEST", (0.4, 1000), raising=False)

    def answer(request):
        if where == "nothing":
            request.server.stop.wait(20)
        elif where == "header":
            request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while not request.server.stop.wait(0.05):
                request.wfile.write(b"x")
        elif where == "body":
            stream(request, b"x", pause=0.05)
        else:
            request.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n")
            while not request.server.stop.wait(0.05):
                request.wfile.write(b"X: y\r\n")

    server.answer = answer
    started = time.monotonic()
    with pytest.raises(DataError, match=r"fewer than 1,000 bytes in 0.4 seconds \(2 attempts\)"):
        run([PINNED], Web(server.url, retries=1, wait=0), tmp_path)
    assert time.monotonic() - started < 5


# what a server says beside the content ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    ["bytes 0-10/10240", "bytes 1000-10239/99999999", "bytes 1000-1/10240", "bytes */10240", "bytes 1000-", "", "\xb2"],
)
def test_a_range_that_lies(server, tmp_path, said):
    """What does not go on where the part ended is thrown away and the file asked for from its beginning."""
    part = tmp_path / "here/data/Tiny/a.bmp.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[:1000])

    def answer(request):
        if "Range" in request.headers:
            send(request, b"lies", 206, Content_Range=said)
        else:
            send(request, CONTENT)

    server.answer = answer
    assert run([PINNED], Web(server.url, retries=1, wait=0), tmp_path)[0] == {"a.bmp": "fetched"}
    assert [headers.get("Range") for _, headers in server.asked] == ["bytes=1000-", None]


@pytest.mark.parametrize("status", [203, 204, 206])
def test_a_status_that_is_no_whole_file(server, tmp_path, status):
    server.answer = lambda request: send(request, CONTENT, status)
    states, outcomes = run([PINNED], Web(server.url, retries=0, wait=0), tmp_path)
    assert states == {"a.bmp": "failed"} and f"HTTP {status}" in str(outcomes[0].error)


@pytest.mark.parametrize("length", ["-5", "x", "\xb2", "9" * 5000, "5, 6"])
def test_a_length_that_is_none(server, tmp_path, length):
    server.answer = lambda request: send(request, CONTENT, Content_Length=length)
    try:
        states, _ = run([PINNED], Web(server.url, retries=0, wait=0), tmp_path)
    except DataError:
        return
    assert states["a.bmp"] in ("fetched", "failed")


@pytest.mark.parametrize(
    "target",
    ["file:///etc/hostname", "ftp://127.0.0.1/x", "data:,hello", "gopher://x/", "http://[::1", "javascript:1", "http://a..b/"],
)
def test_redirect_elsewhere(server, tmp_path, target):
    server.answer = lambda request: send(request, status=302, Location=target)
    states, outcomes = run([PINNED], Web(server.url, retries=0, wait=0), tmp_path)
    told = str(outcomes[0].error)
    assert states == {"a.bmp": "failed"} and "redirected to" in told and told.count(server.url) == 1


def test_redirect_elsewhere_on_the_second_step(server, tmp_path):
    server.answer = lambda request: send(
        request, status=302, Location="file:///etc/passwd" if request.path == "/there" else "/there"
    )
    (outcome,) = run([PINNED], Web(server.url, retries=0, wait=0), tmp_path)[1]
    assert f"{server.url}/there: redirected to 'file:///etc/passwd'" in str(outcome.error)


@pytest.mark.parametrize(
    ("start", "target", "followed"),
    [
        ("https://a.example/x", "http://a.example/x", False),
        ("https://a.example/x", "//b.example/y", True),
        ("https://a.example/x", "y", True),
        ("http://a.example/x", "https://b.example/", True),
        ("http://a.example/x", "FILE:///x", False),
        ("http://a.example/x", "", True),
    ],
)
def test_where_a_redirect_may_lead(start, target, followed):
    assert download._may_follow(start, target) is followed


def test_redirect_in_a_circle_ends(server, tmp_path):
    server.answer = lambda request: send(request, status=302, Location=request.path)
    assert run([PINNED], Web(server.url, retries=0, wait=0), tmp_path)[0] == {"a.bmp": "failed"}


def test_redirect_to_another_place_of_the_web_is_followed(server, tmp_path):
    server.answer = lambda request: (
        send(request, CONTENT) if request.path == "/there" else send(request, status=307, Location="/there")
    )
    assert run([PINNED], Web(server.url, retries=0, wait=0), tmp_path)[0] == {"a.bmp": "fetched"}


def test_page_instead_of_the_file(server, tmp_path):
    server.answer = lambda request: send(request, b"\n<!DOCTYPE html><title>Log in</title>")
    states, outcomes = run([PINNED], Web(server.url, retries=0, wait=0), tmp_path)
    assert states == {"a.bmp": "failed"} and "of 37 bytes, expected e96760a87768... of 10,240" in str(outcomes[0].error)
    assert files_in(tmp_path) == []


# addresses --------------------------------------------------------------------------------------------------


def test_password_in_the_address(server, tmp_path):
    """It is sent to the mirror, not to where the mirror sends us, and shown nowhere."""

    other = replace(PINNED, source="test/Tiny/b.bmp", destination="data/Tiny/b.bmp")

    def answer(request):
        if request.path.endswith("a.bmp"):
            send(request, status=302, Location="/there")
        else:
            send(request, CONTENT if request.path.endswith("b.bmp") else b"")

    server.answer = answer
    mirror = open_mirror(server.url.replace("//", "//me:s3%40cret@"), retries=0, wait=0)
    states, outcomes = run([PINNED, other], mirror, tmp_path)
    assert states == {"a.bmp": "failed", "b.bmp": "fetched"}
    token = "Basic " + base64.b64encode(b"me:s3@cret").decode()
    sent = {path: headers.get("Authorization") for path, headers in server.asked}
    assert sent.pop("/there") is None and set(sent.values()) == {token}
    server.answer = lambda request: send(request, status=401)
    told = f"{mirror} {outcomes[0].error} {run([PINNED], mirror, tmp_path)[1][0].error}"
    assert "refused (HTTP 401" in told and "cret" not in told and "me:" not in told


@pytest.mark.parametrize(
    "address",
    [
        "ftp://me:secret@127.0.0.1/x",
        "http://me:secret@[::1/x",
        "http://me:secret@127.0.0.1:port/x",
        "http://me:secret@/x",
        "http://me:secret@127.0.0.1/x?token=secret",
        "http://me:secret@127.0.0.1/x#secret",
        "http://me:se/secret@127.0.0.1/x",
        "https://me:secret@a..b/",
        "http://me:secret@127.0.0.1:99999/x",
    ],
)
def test_address_that_is_none(address):
    with pytest.raises(DataError, match="expected a folder or an http or https address") as error:
        open_mirror(address, retries=0, wait=0)
    assert "secret" not in str(error.value)


def test_address_with_odd_characters(server, tmp_path):
    server.answer = lambda request: send(request, CONTENT)
    mirror = open_mirror(f"{server.url}/my sets/\u00e4%20b/", retries=0, wait=0)
    assert run([PINNED], mirror, tmp_path)[0] == {"a.bmp": "fetched"}
    assert server.asked[0][0] == "/my%20sets/%C3%A4%20b/test/Tiny/a.bmp"


# disks ------------------------------------------------------------------------------------------------------

LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
from data_prep.fetch import fetch
from data_prep.manifest import Entry
from data_prep.mirrors import open_mirror
from tools.common import cli
entry = Entry(*eval(sys.argv[2]))
cli.run(lambda: print(fetch([entry], open_mirror(sys.argv[1], 3, 5.0), sys.argv[3], sys.argv[3], progress=False)))
"""


@pytest.mark.parametrize("kind", ["folder", "web"])
def test_full_disk(good, server, tmp_path, root, kind):
    """A limit on the size of files stands for a full disk: one attempt, the final path, what is useful is kept."""
    web(server)
    where = server.url if kind == "web" else str(good)
    command = [sys.executable, "-c", LIMITED, where, repr(astuple(PINNED)), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{tmp_path / 'out/Tiny/a.bmp'}: cannot be written (File too large)" in done.stderr
    assert done.stderr.count("\n") == 1 and ".part" not in done.stderr and "connection" not in done.stderr
    assert len(server.asked) == (kind == "web")
    kept = ["Tiny/a.bmp.part"] if kind == "web" else []
    assert files_in(tmp_path / "out") == kept
    if kept:
        assert (tmp_path / "out/Tiny/a.bmp.part").read_bytes() == CONTENT[:5000]


def test_folder_that_cannot_be_made(good, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here/data").write_bytes(b"a file")
    states, outcomes = run([PINNED], good, tmp_path)
    assert states == {"a.bmp": "failed"}
    assert "here/data/Tiny/a.bmp: cannot be written (" in str(outcomes[0].error)


def test_folder_whose_name_is_not_utf8(good, server, tmp_path):
    place = tmp_path / os.fsdecode(b"d\xe4ta")
    for mirror in (good, web(server)):
        for force, state in ((True, "fetched"), (False, "present")):
            (outcome,) = fetch([PINNED], mirror, place, place, force=force, progress=False)
            assert outcome.state == state
        (place / "Tiny/a.bmp").unlink()
    assert os.listdir(os.fsencode(place)) == [b"Tiny"]  # noqa: PTH208


def test_wrong_hash_never_gets_the_final_name(server, tmp_path):
    """At no time, not only at the end."""
    seen = []

    def answer(request):
        seen.append((tmp_path / "here/data/Tiny/a.bmp").exists())
        send(request, b"x" * len(CONTENT))

    server.answer = answer
    assert run([PINNED], Web(server.url, retries=2, wait=0), tmp_path)[0] == {"a.bmp": "failed"}
    assert seen == [False] and files_in(tmp_path) == []
