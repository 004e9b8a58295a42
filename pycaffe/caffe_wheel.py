#!/usr/bin/env python3
"""Build Caffe's wheel for the Python that runs this file, or take it from the cache; print the wheel's path.

    .venv/bin/python pycaffe/caffe_wheel.py          # the wheel, built when the cache has none
    .venv/bin/python pycaffe/caffe_wheel.py --key    # the cache key and what it is made of

A wheel is kept under the hash of everything that goes into it: the recipe (these files), the source's digest,
Python, the libraries' ABI names, and the user's compiler options. A change in any of them is another wheel.

Standard library only; pip fetches the build tools (scikit-build-core, NumPy) into an environment of its own.
"""

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import caffe_source
from caffe_source import PIN, cache_folder

HERE = Path(__file__).resolve().parent
VARIANT = "cpu"

# What the wheel is made from; this file and caffe_source.py only bring it about.
RECIPE = ("CMakeLists.txt", "cmake", "compat", "onednn", "package", "pin.json", "pyproject.toml", "write_pb2.py")
# Libraries whose ABI the wheel is bound to, as patterns of their file names without "lib" and ".so".
LIBRARIES = (
    "boost_python{}{}".format(*sys.version_info),
    "boost_thread",
    "boost_filesystem",
    "dnnl",
    "glog",
    "gflags",
    "hdf5(?:_serial)?",
    "hdf5(?:_serial)?_hl",
    "openblas",
    "protobuf",
)
# What a user may steer the compiler with.
OPTIONS = ("CXX", "CXXFLAGS", "LDFLAGS", "CMAKE_ARGS", "SKBUILD_CMAKE_ARGS", "SKBUILD_CMAKE_DEFINE")


class WheelError(Exception):
    """The wheel cannot be built; the text is one line for the user."""


# the cache key ----------------------------------------------------------------------------------------------


def recipe_digest(folder=HERE):
    """SHA-256 (hex) over the names and contents of the recipe's files in `folder` (Path)."""
    sha = hashlib.sha256()
    for top in (folder / name for name in RECIPE):
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and "__pycache__" not in path.parts:
                sha.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
                sha.update(path.read_bytes())
    return sha.hexdigest()


def library_names(listing=None):
    """ABI names (file names with their version) of the libraries that the wheel is linked with, sorted.

    `listing` is the output of ``ldconfig -p``; taken from the machine by default, empty where there is none.
    """
    if listing is None:
        program = shutil.which("ldconfig") or "/sbin/ldconfig"
        try:
            listing = subprocess.run([program, "-p"], capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            listing = ""
    pattern = rf"^\s*(lib(?:{'|'.join(LIBRARIES)})\.so\.[\w.]+) "
    return sorted(set(re.findall(pattern, listing, re.MULTILINE)))


def key_parts(environ=os.environ):
    """What the wheel depends on: a dict that can be written as JSON."""
    return {
        "recipe": recipe_digest(),
        "source": PIN["content_sha256"],
        "variant": VARIANT,
        "python": sysconfig.get_config_var("SOABI"),
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()),
        "libraries": library_names(),
        "options": {name: environ[name] for name in OPTIONS if environ.get(name)},
    }


def key_of(parts):
    """The cache key: 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


# the cache --------------------------------------------------------------------------------------------------


def cached(key, cache):
    """The wheel kept under `key` in the folder `cache` (Path), or None."""
    wheels = sorted((cache / "wheels" / key).glob("*.whl"))
    return wheels[0] if wheels else None


@contextlib.contextmanager
def locked(path):
    """Hold the lock file `path`; a second set-up waits here for the first one's wheel. Released by any exit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def obtain(cache=None, say=None):
    """Return the wheel (Path), from the cache or built into it.

    A wheel enters the cache complete or not at all: it is built in a folder beside, which is then renamed.

    Raises
    ------
    WheelError
        When something the build needs is missing, or the build fails.
    """
    say = say or (lambda line: print(line, file=sys.stderr, flush=True))
    cache = cache or cache_folder()
    parts = key_parts()
    key = key_of(parts)
    source = os.environ.get("CAFFE_SOURCE")
    if source:  # a wrong one must not pass unnoticed, not even where a wheel is there
        caffe_source.obtain(source, cache)
    wheel = cached(key, cache)
    if wheel:
        say(f"Caffe wheel: from the cache, {wheel}")
        return wheel
    check_tools()
    with locked(cache / f"wheel-{key}.lock"):
        wheel = cached(key, cache)  # another set-up may have built it while this one waited
        return wheel or _build_into(cache, key, parts, say)


def _build_into(cache, key, parts, say):
    final, log = cache / "wheels" / key, cache / f"wheel-{key}.log"
    final.parent.mkdir(exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=final.parent, prefix=".build-"))
    say(f"Caffe wheel: building, 3 to 6 minutes on 2 cores (log: {log})")
    try:
        if not os.environ.get("CAFFE_SOURCE"):  # CMake fetches it too, but a failure there costs a minute
            caffe_source.obtain(cache=cache, say=say)
        started = time.monotonic()
        build(temporary, log)
        seconds = round(time.monotonic() - started)
        (temporary / "key.json").write_text(json.dumps({**parts, "seconds": seconds}, indent=2), encoding="utf-8")
        temporary.chmod(0o755)
        temporary.rename(final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    wheel = cached(key, cache)
    say(f"Caffe wheel: built in {seconds} s, {wheel.stat().st_size / 1e6:.1f} MB, {wheel}")
    return wheel


# the build --------------------------------------------------------------------------------------------------


def check_tools():
    """Raise WheelError when the compiler, Python's headers or Boost.Python for this Python are missing.

    CMake would find out too, but late and in many lines.
    """
    # CXX may carry options after the program, or a launcher such as ccache in front of it
    names = os.environ.get("CXX", "").split()[:1] or ["c++", "g++"]
    compiler = next(filter(None, map(shutil.which, names)), None)
    if not compiler:
        remedy = "set CXX to one that is there" if os.environ.get("CXX") else "apt-get install g++"
        raise WheelError(f"no C++ compiler ({', '.join(names)} not found): {remedy}")
    version = "{}.{}".format(*sys.version_info)
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        raise WheelError(
            f"no headers for Python {version} ({sysconfig.get_path('include')}/Python.h is not there): "
            f"apt-get install python{version}-dev"
        )
    library = "libboost_python{}{}.so".format(*sys.version_info)
    asked = [compiler, *os.environ.get("CXX", "").split()[1:], f"-print-file-name={library}"]
    found = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    if not Path(found).is_absolute():
        raise WheelError(
            f"no Boost.Python for Python {version} ({library} not found): apt-get install libboost-python-dev, and "
            f"use the distribution's own Python, which it is built for (/usr/bin/python3); this is {sys.executable}"
        )


def build(folder, log):
    """Build the wheel into `folder` (Path), everything that is printed into `log` (Path).

    Raises
    ------
    WheelError
        With the first cause found in the log.
    """
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    command = [*pip, "wheel", "-v", "--no-deps", "--no-cache-dir", "-w", str(folder), str(HERE)]
    merged = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(command, **merged)
        for line in process.stdout:
            file.write(line)
            _show_progress(line)
    if process.wait() != 0 or not any(folder.glob("*.whl")):
        raise WheelError(f"Caffe's build failed: {cause(log.read_text(encoding='utf-8'))}; the whole log: {log}")


def _show_progress(line, stream=sys.stderr):
    """On a terminal, keep one line with ninja's count up to date."""
    step = re.match(r"\s*\[(\d+)/(\d+)\]", line)
    if step and stream.isatty():
        done, total = step.groups()
        print(f"\r  [{done}/{total}]", end="\n" if done == total else "", file=stream, flush=True)


def cause(log):
    """The line of a build's `log` (str) that says why it failed."""
    message = re.search(r"CMake Error at [^\n]*\n\s*\n?((?:[ \t]+\S[^\n]*\n)+)", log)
    if message:
        return " ".join(message[1].split())
    for pattern in (r"^.*\b(?:fatal )?error: .*$", r"^.*CMake Error.*$", r"^\s*ERROR: .*$"):
        line = re.search(pattern, log, re.MULTILINE)
        if line:
            return " ".join(line[0].split())
    lines = log.split("\n")
    return next((" ".join(line.split()) for line in reversed(lines) if line.strip()), "no message")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--key", action="store_true", help="print the cache key and its parts, build nothing")
    args = parser.parse_args(argv)
    if args.key:
        parts = key_parts()
        print(json.dumps({"key": key_of(parts), **parts}, indent=2))
        return 0
    try:
        print(obtain())
    except (WheelError, caffe_source.SourceError, OSError) as error:
        print(f"caffe_wheel.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
