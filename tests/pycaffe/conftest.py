"""The build scripts of pycaffe/ as modules, a small source to test them on, a web server."""

import dataclasses
import hashlib
import io
import sys
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# the scripts are run as files, not installed; last on the path, they can hide nothing
sys.path.extend(str(ROOT / name) for name in ("pycaffe",) if str(ROOT / name) not in sys.path)

SMALL_SOURCE = {
    "LICENSE": b"free\n",
    "include/caffe/blob.hpp": b"class Blob {};\n",
    "src/caffe/blob.cpp": b"// a blob\n",
    "src/caffe/proto/caffe.proto": b'syntax = "proto2";\n',
    "tools/caffe.cpp": b"int main() {}\n",
}

@pytest.fixture
def small_source():
    """The small source: dict of path to content."""
    return dict(SMALL_SOURCE)


@pytest.fixture
def source(tmp_path):
    """Caffe's PinnedSource with SMALL_SOURCE as what is pinned, and a manifest of its own."""
    import caffe_source
    import pinned_source

    text = pinned_source.manifest(SMALL_SOURCE)
    listing = tmp_path / "upstream.sha256"
    listing.write_text(text)
    pin = {**caffe_source.PIN, "content_sha256": hashlib.sha256(text.encode()).hexdigest()}
    return dataclasses.replace(caffe_source.CAFFE, pin=pin, listing=listing)


@pytest.fixture
def make_tar():
    """Write files (dict) as a .tar.gz at a path, below a top folder or none; returns the path."""

    def make(path, files, top=""):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(path, "w:gz") as tar:
            for name, data in files.items():
                member = tarfile.TarInfo(top + name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
        return path

    return make


@pytest.fixture
def make_folder():
    """Write files (dict) below a folder; returns the folder."""

    def make(folder, files):
        for name, data in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return folder

    return make


class Server(ThreadingHTTPServer):
    """Serves a folder on this machine and keeps the paths it was asked for in `asked`."""

    def __init__(self, folder):
        self.asked = []
        super().__init__(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(SimpleHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    """A running Server of the folder tmp_path/www."""
    (tmp_path / "www").mkdir()
    with Server(tmp_path / "www") as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()
