#!/usr/bin/env python3
"""Find Caffe's source, prove that it is the pinned one, unpack it.

    pycaffe/caffe_source.py --unpack build/upstream    # print the folder, ready to build
    pycaffe/caffe_source.py --check caffe.tar.gz       # is this folder or tarball the pinned source?
    pycaffe/caffe_source.py --list caffe.tar.gz        # its manifest; how upstream.sha256 was made

Tried in this order: CAFFE_SOURCE (a folder or a tarball), the local cache, the project's GitHub archive, the
distribution's source pool as this machine's apt configuration has it. Wherever it comes from, the same files
must have the same contents: upstream.sha256 lists them, and the SHA-256 of that list is the pinned digest in
pin.json. Only the files on the list are unpacked, so nothing unverified reaches the build.

Standard library only, Python 3.8: it runs before any environment exists.
"""

import argparse
import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
PIN = json.loads((HERE / "pin.json").read_text(encoding="utf-8"))

# What the digest covers: all that the build, its CUDA variant and upstream's tests read. Upstream's images,
# notebooks, documentation, MATLAB and CMake files are left out: unused here, and not in every copy of the source.
COVERED = {
    ("include/caffe/", "src/caffe/", "src/gtest/"): (".cc", ".cpp", ".cu", ".cuh", ".h", ".hpp"),
    ("src/caffe/",): (".proto", ".h5", "_list.txt"),
    ("python/caffe/",): (".cpp", ".py"),
    ("examples/", "models/"): (".prototxt",),  # upstream's test_draw reads them all
    ("tools/caffe.cpp",): ("",),
    ("LICENSE",): ("",),
}
LANDMARK = "src/caffe/proto/caffe.proto"

APT_HELPER = "/usr/lib/apt/apt-helper"
TIMEOUT = 20  # seconds without an answer before the next source is tried
REMEDY = "set CAFFE_SOURCE to a folder or tarball of BVLC/caffe at commit " + PIN["commit"][:7]

# what a missing, cut-short or wrong file raises while it is fetched and read as a tarball
UNREADABLE = (OSError, tarfile.TarError, EOFError, zlib.error)


class SourceError(Exception):
    """No source, or not the pinned one; the text is one line for the user."""


def covered(path):
    """Whether the digest covers `path` (str, relative to the source's root, with slashes)."""
    return any(path.startswith(roots) and path.endswith(suffixes) for roots, suffixes in COVERED.items())


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


# reading ----------------------------------------------------------------------------------------------------


def read(path):
    """Read the covered files of a source folder or tarball.

    Returns
    -------
    dict of str to bytes

    Raises
    ------
    SourceError
        When there is nothing at `path`, it is no tarball, is cut short, or holds no Caffe source.
    """
    path = Path(path)
    if not path.exists():
        raise SourceError(f"{path}: no such file or folder; {REMEDY}")
    try:
        files = _read_folder(path) if path.is_dir() else _read_tar(path.read_bytes())
    except UNREADABLE as error:
        reason = _reason(error)
        raise SourceError(f"{path}: not a tarball that can be read ({reason}); get it again, or {REMEDY}") from None
    if LANDMARK not in files:
        raise SourceError(f"{path}: no Caffe source, {LANDMARK} is not in it; {REMEDY}")
    return files


def _read_folder(root):
    paths = [p for p in root.rglob("*") if p.is_file()]
    return {
        name: p.read_bytes() for p in paths for name in [p.relative_to(root).as_posix()] if covered(name)
    }


def _read_tar(data):
    """GitHub's archives have one folder on top, a distribution's may have none: the landmark tells."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = [m for m in tar.getmembers() if m.isfile()]
        tops = [m.name[: -len(LANDMARK)] for m in members if m.name.endswith(LANDMARK)]
        top = min(tops, key=len) if tops else ""
        wanted = [(m.name[len(top) :], m) for m in members if m.name.startswith(top)]
        return {name: tar.extractfile(m).read() for name, m in wanted if covered(name)}


# verifying --------------------------------------------------------------------------------------------------


def verify(files, origin):
    """Raise SourceError unless `files` are the pinned source; the text names the origin and what differs."""
    got = digest(files)
    if got == PIN["content_sha256"]:
        return
    raise SourceError(
        f"{origin}: not the pinned Caffe source: expected content digest {PIN['content_sha256']}, got {got}; "
        f"{differences(files)}; {REMEDY}"
    )


def differences(files, shown=3):
    """Say in words how `files` differ from upstream.sha256."""
    pinned = {}
    for line in (HERE / "upstream.sha256").read_text(encoding="utf-8").splitlines():
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
    return "; ".join(parts) or "upstream.sha256 itself does not belong to the digest in pin.json"


# finding ----------------------------------------------------------------------------------------------------


def cache_folder(environ=os.environ):
    """Folder of sources and wheels: IDN_CACHE, or idn-caffe below XDG_CACHE_HOME or ~/.cache."""
    if environ.get("IDN_CACHE"):
        return Path(environ["IDN_CACHE"]).expanduser().resolve()
    base = environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().resolve() / "idn-caffe"


def obtain(source=None, cache=None, github=PIN["github_archive"], pool=None, say=None):
    """Return the pinned source from the first place that has it.

    Parameters
    ----------
    source : str or Path, optional
        CAFFE_SOURCE. When it is given nothing else is tried: a mistake in it must not pass unnoticed.
    cache : Path, optional
        Cache folder; default `cache_folder()`.
    github : str
        URL of the project's archive.
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
    kept = (cache or cache_folder()) / f"source-{PIN['content_sha256'][:16]}.tar.gz"
    if source:
        files = read(source)
        verify(files, f"CAFFE_SOURCE={source}")
        _keep(files, kept)
        return files
    files = _kept(kept, say)
    if files:
        return files
    failures = []
    for origin, get in _downloads(github, pool):
        try:
            files = _read_tar(get(origin))
        except UNREADABLE as error:
            failures.append(f"{origin}: {_reason(error)}")
            continue
        verify(files, origin)
        say(f"Caffe source: {origin}")
        _keep(files, kept)
        return files
    raise SourceError(f"no Caffe source found; {REMEDY} (tried {'; '.join(failures)})")


def _kept(path, say):
    """The source from the cache; None when it is not there, or is damaged and therefore removed."""
    if not path.exists():
        return None
    try:
        files = _read_tar(path.read_bytes())
    except UNREADABLE:
        files = {}
    if digest(files) == PIN["content_sha256"]:
        say(f"Caffe source: {path}")
        return files
    say(f"{path}: damaged, made anew")
    path.unlink()
    return None


def _downloads(github, pool):
    """URLs in their order, each with the function that gets it; apt is asked for the pool only when it is its turn."""
    yield github, _download
    for url in pool_urls() if pool is None else pool:
        yield url, _download_by_apt


def _reason(error):
    """Why a source could not be read, in a few words; tarfile's own text lists every format it tried."""
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error).split("\n")[0]
    return " ".join(str(reason).split()).rstrip(":")


def _download(url):
    """Content of a URL, http, https or file."""
    with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
        return answer.read()


def _download_by_apt(url):
    """Content of a URL below an archive that apt knows: apt's own proxy, credentials and mirror lists apply."""
    if not Path(APT_HELPER).exists():
        return _download(url)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "source.tar.gz"
        done = subprocess.run([APT_HELPER, "download-file", url, target], capture_output=True, text=True)
        if done.returncode:
            reasons = [line for line in done.stderr.splitlines() if line.startswith("E: ")]
            raise OSError(reasons[0][3:] if reasons else "apt could not download it")
        return target.read_bytes()


def _keep(files, path):
    """Put verified files into the cache as a tarball, unless it is there; no error when the cache is read-only."""
    if path.exists():
        return
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".part-") as folder:
            temporary = Path(folder) / path.name
            with tarfile.open(temporary, "w:gz") as tar:
                for name, data in files.items():
                    member = tarfile.TarInfo(name)
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
            temporary.replace(path)


def pool_urls():
    """Where this machine's package archives would keep the tarball of Debian's source package `caffe`.

    No mirror is named here: apt says which archives and components the machine uses. Empty without apt.
    """
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(COMPONENT)", "Created-By: Packages"]
    try:
        listing = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    archives = dict.fromkeys(tuple(line.split()) for line in listing.splitlines() if len(line.split()) == 2)
    return [f"{root}pool/{component}/c/caffe/{PIN['pool_file']}" for root, component in archives]


# unpacking --------------------------------------------------------------------------------------------------


def unpack(files, target):
    """Write `files` below the folder `target`, replacing what is there; never seen half-written.

    A target that holds exactly these files is left alone, so that a second configure builds nothing anew.

    Returns
    -------
    Path
        `target`, absolute.
    """
    target = Path(target).resolve()
    if target.is_dir() and _read_folder(target) == files:
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


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--unpack", metavar="DIR", help="find, verify and unpack the source; print DIR")
    what.add_argument("--check", metavar="PATH", help="verify a folder or tarball")
    what.add_argument("--list", metavar="PATH", help="print the manifest of a folder or tarball")
    args = parser.parse_args(argv)
    try:
        if args.list:
            sys.stdout.write(manifest(read(args.list)))
        elif args.check:
            verify(read(args.check), args.check)
            print(f"{args.check}: the pinned Caffe source, content digest {PIN['content_sha256']}")
        else:
            print(unpack(obtain(os.environ.get("CAFFE_SOURCE")), args.unpack))
    except (SourceError, OSError) as error:
        print(f"caffe_source.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
