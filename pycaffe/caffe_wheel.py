#!/usr/bin/env python3
"""Build Caffe's wheel for the Python that runs this file, or take it from the cache; print the wheel's path.

    .venv/bin/python pycaffe/caffe_wheel.py          # the wheel, built when the cache has none
    .venv/bin/python pycaffe/caffe_wheel.py --key    # the cache key and what it is made of
    .venv/bin/python pycaffe/caffe_wheel.py --cuda   # for NVIDIA GPUs as well

The CUDA variant takes compiler and libraries from NVIDIA's wheels in the Python that runs this file
(cuda13-build.txt), or from a toolkit when CUDA_HOME names one (cuDNN's folder in CUDNN_HOME when it is elsewhere).
CUDA_ARCHS=90 or 80,90 builds for these architectures only. CUDAHOSTCXX names the C++ compiler for the .cu files.

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

import boost_source
import caffe_cache
import caffe_source
import interpreter
from caffe_cache import cache_folder
from caffe_source import PIN
from pinned_source import SourceError

HERE = Path(__file__).resolve().parent
TIMES = {
    "cpu": "1 to 4 minutes on 2 cores",
    "cuda": "10 minutes on 2 cores for one architecture (CUDA_ARCHS), 20 for all",
}

SOURCES = (caffe_source.CAFFE, boost_source.BOOST)
# What the wheel is made from; this file and the *_source.py only bring it about.
RECIPE = (
    *("CMakeLists.txt", "DESCRIPTION.md", "boost.json", "cmake", "compat", "deploy", "kernels", "layers", "onednn"),
    *("package", "pin.json", "program", "pyproject.toml", "write_pb2.py", "write_pyi.py"),
)
# ... and the CUDA variant besides
CUDA_RECIPE = ("cuda", "cuda13.txt", "cuda13-build.txt")
# Libraries whose ABI the wheel is bound to, as patterns of their file names without "lib" and ".so".
LIBRARIES = (
    "dnnl",
    "glog",
    "gflags",
    "hdf5(?:_serial)?",
    "hdf5(?:_serial)?_hl",
    "lmdb",
    "openblas",
    "protobuf",
)
# What a user may steer the CUDA variant with, and the CMake variable that it sets.
CUDA_OPTIONS = {
    "CUDA_HOME": "CAFFE_CUDA_ROOT",
    "CUDNN_HOME": "CAFFE_CUDNN_ROOT",
    "CUDA_ARCHS": "CAFFE_CUDA_ARCHS",
    "CUDAHOSTCXX": "CMAKE_CUDA_HOST_COMPILER",
}
# What a user may steer the compiler with.
OPTIONS = ("CXX", "CXXFLAGS", "LDFLAGS", "CMAKE_ARGS", "SKBUILD_CMAKE_ARGS", "SKBUILD_CMAKE_DEFINE")


class WheelError(Exception):
    """The wheel cannot be built; the text is one line for the user."""


# the cache key ----------------------------------------------------------------------------------------------


def recipe_digest(folder=HERE, names=RECIPE):
    """SHA-256 (hex) over the names and contents of the recipe's files in `folder` (Path)."""
    sha = hashlib.sha256()
    for top in (folder / name for name in names):
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


def key_parts(environ=os.environ, variant="cpu"):
    """What the wheel of a variant depends on: a dict that can be written as JSON."""
    cuda = variant == "cuda"
    return {
        "recipe": recipe_digest(names=RECIPE + CUDA_RECIPE if cuda else RECIPE),
        "source": PIN["content_sha256"],
        "variant": variant,
        **({"cuda": {name: environ[name] for name in CUDA_OPTIONS if environ.get(name)}} if cuda else {}),
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


def usable(key, cache):
    """The wheel kept under `key`, or None where there is none or it has changed since it was put there.

    Raises
    ------
    CacheError
        Others may write to it.
    """
    folder = cache / "wheels" / key
    if not folder.is_dir():
        return None
    caffe_cache.check_all(folder, cache)
    return cached(key, cache) if caffe_cache.is_whole(folder) else None


@contextlib.contextmanager
def locked(path):
    """Hold the lock file `path`; a second set-up waits here for the first one's wheel. Released by any exit."""
    caffe_cache.make(path.parent, path.parent)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def obtain(cache=None, say=None, variant="cpu"):
    """Return the wheel (Path) of a variant, from the cache or built into it.

    A wheel enters the cache complete or not at all: it is built in a folder beside, which is then renamed.

    Raises
    ------
    WheelError
        When something the build needs is missing, or the build fails.
    CacheError
        Others may write to the cache.
    """
    say = say or (lambda line: print(line, file=sys.stderr, flush=True))
    cache = cache or cache_folder()
    parts = key_parts(variant=variant)
    key = key_of(parts)
    for source in SOURCES:
        own = os.environ.get(source.variable)
        if own:  # a wrong one must not pass unnoticed, not even where a wheel is there
            source.obtain(own, cache)
    wheel = usable(key, cache)
    if wheel:
        say(f"Caffe wheel: from the cache, {wheel}")
        return wheel
    check_tools()
    with locked(cache / f"wheel-{key}.lock"):
        wheel = usable(key, cache)  # another set-up may have built it while this one waited
        return wheel or _build_into(cache, key, parts, say)


def _build_into(cache, key, parts, say):
    final, log = cache / "wheels" / key, cache / f"wheel-{key}.log"
    caffe_cache.make(final.parent, cache)
    if final.exists():
        say(f"{final}: damaged, made again")
        shutil.rmtree(final)
    temporary = Path(tempfile.mkdtemp(dir=final.parent, prefix=".build-"))
    say(f"Caffe wheel: building, {TIMES[parts['variant']]} (log: {log})")
    try:
        for source in SOURCES:
            if not os.environ.get(source.variable):  # CMake fetches it too, but a failure there costs a minute
                source.obtain(cache=cache, say=say)
        started = time.monotonic()
        build(temporary, log, parts["variant"])
        seconds = round(time.monotonic() - started)
        (temporary / "key.json").write_text(json.dumps({**parts, "seconds": seconds}, indent=2), encoding="utf-8")
        caffe_cache.seal(temporary)
        temporary.rename(final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    wheel = cached(key, cache)
    say(f"Caffe wheel: built in {seconds} s, {wheel.stat().st_size / 1e6:.1f} MB, {wheel}")
    return wheel


# the build --------------------------------------------------------------------------------------------------


def check_tools():
    """Raise WheelError when there is no compiler, or this Python is of no use or has no headers.

    CMake would find out too, but late and in many lines.
    """
    # CXX may carry options after the program, or a launcher such as ccache in front of it
    names = os.environ.get("CXX", "").split()[:1] or ["c++", "g++"]
    compiler = next(filter(None, map(shutil.which, names)), None)
    if not compiler:
        remedy = "set CXX to one that is there" if os.environ.get("CXX") else "apt-get install g++"
        raise WheelError(f"no C++ compiler ({', '.join(names)} not found): {remedy}")
    fault = interpreter.fault(headers=True)
    if fault:
        raise WheelError(fault)


def cuda_settings(environ=os.environ):
    """pip's options that make the build a CUDA build.

    Raises
    ------
    WheelError
        An option of the user's is of no use; the text names it.
    """
    home = environ.get("CUDA_HOME")
    if home and not Path(home, "bin", "nvcc").exists():
        raise WheelError(
            f"CUDA_HOME={home} has no bin/nvcc; expected the folder of a CUDA toolkit, or unset it to take NVIDIA's "
            "compiler from the package index"
        )
    archs = environ.get("CUDA_ARCHS", "")
    if not re.fullmatch(r"(\d{2,3}[af]?(-real|-virtual)?([,; ]+(?=\d)|$))*", archs.strip()):
        raise WheelError(f"CUDA_ARCHS={archs}: expected compute capabilities without the dot, such as 90 or 80,90")
    if environ.get("CUDNN_HOME") and not home:
        raise WheelError("CUDNN_HOME is set and CUDA_HOME is not: name the toolkit that this cuDNN is for, or unset it")
    given = {CUDA_OPTIONS[name]: environ[name] for name in CUDA_OPTIONS if environ.get(name)}
    if archs:
        given["CAFFE_CUDA_ARCHS"] = ",".join(re.split(r"[,; ]+", archs.strip()))
    if not home:
        given["CAFFE_NVIDIA_WHEELS"] = str(Path(sysconfig.get_path("purelib"), "nvidia"))
    return [f"--config-settings=cmake.define.{name}={value}" for name, value in {"CAFFE_CUDA": "ON", **given}.items()]


def build(folder, log, variant="cpu"):
    """Build the wheel of a variant into `folder` (Path), everything that is printed into `log` (Path).

    Raises
    ------
    WheelError
        With the first cause found in the log.
    """
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    settings = cuda_settings() if variant == "cuda" else []
    command = [*pip, "wheel", "-v", "--no-deps", "--no-cache-dir", *settings, "-w", str(folder), str(HERE)]
    merged = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
    with log.open("w", encoding="utf-8", buffering=1) as file:  # by lines: people watch it
        process = subprocess.Popen(command, **merged)
        for line in process.stdout:
            file.write(line)
            _show_progress(line)
    if process.wait() != 0 or not any(folder.glob("*.whl")):
        found = cause(log.read_text(encoding="utf-8"))
        raise WheelError(f"Caffe's build failed: {found}{remedy(found)}; the whole log: {log}")


def _show_progress(line, stream=sys.stderr):
    """On a terminal, keep one line with ninja's count up to date."""
    step = re.match(r"\s*\[(\d+)/(\d+)\]", line)
    if step and stream.isatty():
        done, total = step.groups()
        print(f"\r  [{done}/{total}]", end="\n" if done == total else "", file=stream, flush=True)


def remedy(found):
    """What to do about a failure (str) that is none of the build's own, to be put behind it (str); often empty."""
    if "No space left on device" in found:
        folders = f"{tempfile.gettempdir()} (TMPDIR) and {cache_folder()} (IDN_CACHE)"
        return f"; the build takes 1 GB in {folders}: free some space, or set these variables to other folders"
    if "No matching distribution found" in found:
        return "; pip cannot get the build tools: is there a network? Or set CAFFE_WHEEL to a wheel built elsewhere"
    return ""


def cause(log):
    """The line of a build's `log` (str) that says why it failed."""
    full = re.search(r"^.*No space left on device.*$", log, re.MULTILINE)
    if full:  # all that fails afterwards fails for it
        return " ".join(full[0].split())
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
    parser.add_argument("--cuda", action="store_true", help="the variant for NVIDIA GPUs")
    args = parser.parse_args(argv)
    variant = "cuda" if args.cuda else "cpu"
    if args.key:
        parts = key_parts(variant=variant)
        key = key_of(parts)
        wheel = cached(key, cache_folder())
        print(json.dumps({"key": key, "wheel": wheel and str(wheel), **parts}, indent=2))
        return 0
    try:
        print(obtain(variant=variant))
    except (WheelError, SourceError, OSError) as error:
        print(f"caffe_wheel.py: {error}{'' if isinstance(error, WheelError) else remedy(str(error))}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
