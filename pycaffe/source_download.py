"""A source's tarball from a URL, or from an archive that apt knows; with limits, and redirects to the web only."""

import io
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urljoin, urlsplit

APT_HELPER = "/usr/lib/apt/apt-helper"
TIMEOUT = 20  # seconds without an answer before the next source is tried
PATIENCE = 600  # seconds for a whole download
MOST_DOWNLOADED = 128 << 20  # Caffe's is 8.5 MB, Boost's 82 MB


def reason(error):
    """Why a source could not be read, in a few words; tarfile's own text lists every format it tried."""
    said = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error).split("\n")[0]
    return " ".join(str(said).split()).rstrip(":")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect to http and https only, and never from https to http."""

    def redirect_request(self, request, answer, code, message, headers, target):
        allowed = ("https",) if urlsplit(request.full_url).scheme == "https" else ("http", "https")
        if urlsplit(urljoin(request.full_url, target)).scheme not in allowed:
            raise urllib.error.URLError(f"redirected to {target[:80]!r}")
        return super().redirect_request(request, answer, code, message, headers, target)


def download(url):
    """Content of a URL, http, https or file."""
    until = time.monotonic() + PATIENCE
    content = io.BytesIO()
    with urllib.request.build_opener(_Redirects).open(url, timeout=TIMEOUT) as answer:
        for block in iter(lambda: answer.read1(1 << 16), b""):
            content.write(block)
            if content.tell() > MOST_DOWNLOADED:
                raise OSError(f"more than {MOST_DOWNLOADED >> 20} MB")
            if time.monotonic() > until:
                raise OSError(f"not complete after {PATIENCE} seconds")
    return content.getvalue()


def download_by_apt(url):
    """Content of a URL below an archive that apt knows: apt's own proxy, credentials and mirror lists apply."""
    if not Path(APT_HELPER).exists():
        return download(url)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "source.tar.gz"
        done = subprocess.run([APT_HELPER, "download-file", url, target], capture_output=True, text=True)
        if done.returncode:
            reasons = [line for line in done.stderr.splitlines() if line.startswith("E: ")]
            raise OSError(reasons[0][3:] if reasons else "apt could not download it")
        if target.stat().st_size > MOST_DOWNLOADED:
            raise OSError(f"more than {MOST_DOWNLOADED >> 20} MB")
        return target.read_bytes()


def apt_archives():
    """The package archives that this machine's apt uses: list of (URL, component), each str; empty without apt."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(COMPONENT)", "Created-By: Packages"]
    try:
        listing = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return list(dict.fromkeys(tuple(line.split()) for line in listing.splitlines() if len(line.split()) == 2))
