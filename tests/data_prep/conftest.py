"""A small web server, which misbehaves in the ways asked for; pictures, a set of them, and its database."""

import struct
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import cv2
import numpy as np
import pytest

from data_prep import shard_list
from data_prep.build import build
from data_prep.geometry import geometry
from data_prep.plan import gather, make_plan


class Mirror:
    """Serves `folder`; notes each request as (path, Range header or None) in `requests`.

    Parameters
    ----------
    folder : Path
        What is served.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.requests = []
        self.truncate = {}  # path -> how often to send only the first half
        self.fail = {}  # path -> list of HTTP codes to answer first
        self.ranges = True
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                mirror.answer(self)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request):
        """Answer one GET."""
        path = unquote(urlsplit(request.path).path).lstrip("/")
        wanted = request.headers.get("Range")
        self.requests.append((path, wanted))
        if self.fail.get(path):
            request.send_error(self.fail[path].pop(0))
        elif (self.folder / path).is_dir():
            links = [f'<a href="{one.name}">{one.name}</a>' for one in sorted((self.folder / path).iterdir())]
            self._send(request, 200, "\n".join(links).encode(), {})
        elif (self.folder / path).is_file():
            self._file(request, path, wanted)
        else:
            request.send_error(404)

    def _file(self, request, path, wanted):
        content = (self.folder / path).read_bytes()
        start = int(wanted.split("=")[1].rstrip("-")) if wanted and self.ranges else 0
        if start >= len(content) and start:
            request.send_error(416)
            return
        headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
        cut = self.truncate.get(path, 0) > 0
        if cut:
            self.truncate[path] -= 1
        self._send(request, 206 if start else 200, content[start:], headers, half=cut)

    @staticmethod
    def _send(request, status, content, headers, half=False):
        request.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content[: len(content) // 2] if half else content)


@pytest.fixture
def serve():
    """Serve a folder: `with serve(folder) as mirror: ... mirror.url`."""
    return Mirror


def save_picture(path, height, width, seed=0):
    """Write a smooth colour picture with texture; return its path."""
    random = np.random.RandomState(seed)  # noqa: NPY002
    rows, columns = np.mgrid[:height, :width]
    base = 120 + 60 * np.sin(rows / 9 + seed) + 50 * np.cos(columns / 7)
    pixels = np.clip(base[..., None] + random.normal(0, 12, (height, width, 3)), 0, 255)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels.astype(np.uint8))
    return path


@pytest.fixture
def make_picture():
    """Function (path, height, width, seed=0) that writes a picture."""
    return save_picture


@pytest.fixture
def damage():
    """Function (path) that damages a PNG's pixels behind a sound structure: only decoding them shows it."""

    def change(path):
        content = path.read_bytes()
        at = content.index(b"IDAT")
        (size,) = struct.unpack(">I", content[at - 4 : at])
        body = bytearray(content[at : at + 4 + size])
        body[len(body) // 2] ^= 0xFF
        rest = content[at + 8 + size :]
        path.write_bytes(content[:at] + body + struct.pack(">I", zlib.crc32(body)) + rest)

    return change


@pytest.fixture
def small_set(tmp_path):
    """A folder of five pictures, among them one too small for any patch."""
    folder = tmp_path / "data" / "tiny"
    for seed, size in enumerate([(97, 120), (130, 99), (64, 64), (100, 151), (40, 200)]):
        save_picture(folder / f"picture{seed}.png", *size, seed)
    return folder


@pytest.fixture
def database(small_set, tmp_path):
    """A sound x3 database in several shards; its list."""
    plan = make_plan(gather(small_set), geometry(3, "train"), shard_mb=2.1)
    report = build(plan, tmp_path / "out", processes=1, progress=False)
    return shard_list.list_path(report.folder)
