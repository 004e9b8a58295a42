#!/usr/bin/env python3
"""Make the project's environment: system packages, .venv, Caffe. `make setup` runs this file.

    tools/setup_environment.py            # do what is missing; a second call takes seconds
    tools/setup_environment.py --check    # say what is there, change nothing; exit status 2 when incomplete

With GPU=0 (or another number) in the environment Caffe is built for NVIDIA GPUs as well, on machines without one, too;
from then on this build is kept. With --need-gpu such a GPU must be there.

Environment variables:
    GPU                build Caffe with CUDA
    CAFFE_VARIANT      cpu or cuda: this build, whatever GPU says and whatever is installed
    CUDA_HOME          CUDA toolkit 12.x or 13.x to build with, CUDNN_HOME its cuDNN; else NVIDIA's wheels are installed
    CUDAHOSTCXX        C++ compiler that nvcc uses (default: the usual one, or the latest g++ that nvcc takes)
    CUDA_ARCHS         compute capabilities to build for, such as 90 or 80,90 (default: all from 75 on)
    CAFFE_SOURCE       folder or tarball of Caffe's source, instead of a download
    CAFFE_PYTHONPATH   folder of an existing `caffe` package: it is used, nothing is built
    IDN_CACHE          where sources and built wheels are kept (default ~/.cache/idn-caffe)
    VENV_PYTHON        Python to make .venv from (default /usr/bin/python3, which Boost.Python is built for)

Standard library only, any Python from 3.8 on: it runs before there is an environment.
"""

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import _wheelhouse
import gpu

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "setup.json"

# Debian's and Ubuntu's names of what Caffe is compiled with and linked to.
PACKAGES = (
    "cmake",
    "g++",
    "libboost-dev",
    "libboost-filesystem-dev",
    "libboost-python-dev",
    "libboost-thread-dev",
    "libdnnl-dev",
    "libgflags-dev",
    "libgoogle-glog-dev",
    "libhdf5-dev",
    "libopenblas-dev",
    "libprotobuf-dev",
    "make",
    "ninja-build",
    "protobuf-compiler",
    "python3-dev",
    "python3-venv",
)

# pyproject.toml's build-system.requires, and what older setuptools asks for besides; no TOML reader before 3.11
BUILD_REQUIREMENTS = ["setuptools>=77,<85", "wheel"]

# run by the environment's own Python: does the chosen caffe start, and what is it?
PROBE = """
import os, sys
sys.path[:0] = [p for p in [os.environ.get("CAFFE_PYTHONPATH")] if p]
import caffe
print(caffe.__version__, os.path.dirname(caffe.__file__))
"""


class SetupError(Exception):
    """The environment cannot be made; the text is one line for the user."""


def variant(stamp=None):
    """Which build of Caffe is wanted, "cpu" or "cuda": what the user says, else what is installed.

    Raises
    ------
    SetupError
        CAFFE_VARIANT is neither.
    """
    chosen = os.environ.get("CAFFE_VARIANT")
    if chosen:
        if chosen not in ("cpu", "cuda"):
            raise SetupError(f"CAFFE_VARIANT={chosen}: expected cpu or cuda")
        return chosen
    if os.environ.get("GPU"):
        return "cuda"
    return (read_stamp() if stamp is None else stamp).get("variant", "cpu")


def need_gpu():
    """See whether the GPUs that GPU names are there, before half an hour goes into a build for them.

    Raises
    ------
    SetupError
        They are not.
    """
    asked = os.environ.get("GPU")
    if not asked:
        return
    try:
        there = len(gpu.driver().devices)
        missing = [str(number) for number in gpu.numbers(asked) if number >= there]
    except gpu.GpuError as error:
        raise SetupError(f"GPU={asked}: {error}") from None
    if missing:
        raise SetupError(f"GPU={asked}: no GPU {', '.join(missing)}; there are {there}, counted from 0")


def own_caffe():
    """The user's CAFFE_PYTHONPATH, or None.

    Raises
    ------
    SetupError
        When no caffe package lies there: Python would silently import another one.
    """
    folder = os.environ.get("CAFFE_PYTHONPATH") or None
    if folder and not (Path(folder) / "caffe" / "__init__.py").is_file():
        raise SetupError(
            f"CAFFE_PYTHONPATH={folder} holds no caffe package; expected the folder above caffe/__init__.py, as in "
            "<your caffe>/python"
        )
    return folder


# system packages --------------------------------------------------------------------------------------------


def missing_packages(listing=None):
    """Which of PACKAGES are not installed, in their order; None on a system without dpkg.

    `listing` is the output of dpkg-query with "package status-abbreviation" lines; asked for by default.
    """
    if listing is None:
        if not shutil.which("dpkg-query"):
            return None
        query = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Abbrev}\n", *PACKAGES]
        listing = subprocess.run(query, capture_output=True, text=True).stdout
    pairs = (line.split() for line in listing.splitlines())
    installed = {pair[0] for pair in pairs if len(pair) == 2 and pair[1] == "ii"}
    return [name for name in PACKAGES if name not in installed]


def install_packages():
    """Install the missing system packages, as root or with a sudo that asks nothing."""
    missing = missing_packages()
    if missing is None:
        return "no dpkg here: pycaffe/README.md lists the libraries that Caffe needs"
    if not missing:
        return "all there"
    by_hand = f"apt-get install --no-install-recommends {' '.join(missing)}"
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if prefix and (not shutil.which("sudo") or subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode):
        raise SetupError(f"system packages are missing and you are not root: run `sudo {by_hand}`, then this again")
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    install = [*prefix, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    # the lists may be stale or absent (a fresh container): refresh them only when they do not suffice
    if _run(install, environment).returncode:
        _run([*prefix, "apt-get", "update", "-qq"], environment)
        done = _run(install, environment)
        if done.returncode:
            raise SetupError(f"`{by_hand}` failed: {_last_line(done.stderr, 'E: ')}")
    return f"installed {' '.join(missing)}"


def _run(command, environment=None):
    return subprocess.run(command, capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL)


def _last_line(text, prefix=""):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    chosen = [line for line in lines if line.startswith(prefix)] or lines or ["no message"]
    return chosen[-1]


# .venv ------------------------------------------------------------------------------------------------------


def base_python():
    """The Python that .venv is made from.

    Raises
    ------
    SetupError
        When it is not there.
    """
    wanted = os.environ.get("VENV_PYTHON") or "/usr/bin/python3"
    found = shutil.which(wanted)
    if not found:
        raise SetupError(f"no Python at {wanted}: apt-get install python3, or set VENV_PYTHON to your distribution's")
    return found


def make_venv():
    """Make .venv when it is absent, half-made or no longer starts; refuse one of another Python."""
    base = base_python()
    ours, theirs = venv_version(), _version(base)
    if ours == theirs:
        return f"Python {ours}, {VENV}"
    if ours:
        raise SetupError(
            f"{VENV} is made of Python {ours}, expected {theirs} of {base}, for which this system has Boost.Python; "
            "remove it (`rm -rf .venv`) and run this again"
        )
    done = _run([base, "-m", "venv", "--clear", str(VENV)])
    if done.returncode:
        reason = _last_line(done.stdout + done.stderr)
        raise SetupError(f"{base} cannot make {VENV}: {reason}; apt-get install python3-venv")
    return f"made with Python {venv_version()}, {VENV}"


def venv_version():
    """Version of .venv's Python, "" when there is none that starts and has pip."""
    python = VENV / "bin" / "python"
    return _version(python, "import pip; ") if python.exists() else ""


def _version(python, before=""):
    return _run([str(python), "-c", before + "import platform; print(platform.python_version())"]).stdout.strip()


def pip_install(*arguments):
    """Install into .venv; gives the word for it, raises SetupError with pip's own reason."""
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    done = _run([*pip, "install", "--quiet", *arguments])
    if done.returncode:
        raise SetupError(f"pip install {' '.join(arguments)} failed: {_last_line(done.stderr, 'ERROR: ')}")
    return "installed"


def project_digest():
    """What the installed project depends on: pyproject.toml, and where the checkout lies."""
    return hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + str(ROOT).encode()).hexdigest()[:16]


def wheelhouse():
    """Folder of the cache with the packages that this pyproject.toml and this Python need; may not exist yet."""
    return _wheelhouse.folder_for(_wheelhouse.cache_folder(), ROOT / "pyproject.toml", VENV / "bin" / "python")


def install_project(stamp):
    """Install the project, editable, with its dependencies and what its tests need."""
    if stamp.get("project") == project_digest():
        return "unchanged"
    project = ["--editable", f"{ROOT}[dev]"]
    kept = _wheelhouse.options(wheelhouse())
    if kept:
        with contextlib.suppress(SetupError):  # damaged: the index has them too
            # compiled at first import instead of now, which saves half of the time
            pip_install("--no-compile", *kept, *project)
            return "installed with its dependencies, from the cache"
        shutil.rmtree(wheelhouse(), ignore_errors=True)
    pip_install(*project)
    return "installed with its dependencies"


def keep_packages():
    """Keep the installed packages for the next checkout on this machine."""
    # NVIDIA's libraries are a gigabyte and come with the CUDA build alone
    leave_out = {"caffe", *_names_in("cuda13-build.txt"), *_names_in("cuda13.txt")}
    kept = _wheelhouse.fill(wheelhouse(), VENV / "bin" / "python", BUILD_REQUIREMENTS, leave_out)
    return f"kept for the next checkout, {wheelhouse()}" if kept else "not kept, the next checkout downloads them again"


def _names_in(requirements):
    """Names of the packages in a requirements file of pycaffe/."""
    lines = (ROOT / "pycaffe" / requirements).read_text(encoding="utf-8").splitlines()
    return {re.match(r"[a-z0-9-]+", line)[0] for line in lines if line.startswith("nvidia-")}


# Caffe ------------------------------------------------------------------------------------------------------


def caffe_key():
    """What identifies the Caffe that .venv should have: the folder the user names, or the wheel's cache key."""
    return own_caffe() or wanted_wheel()["key"]


def wanted_wheel():
    """Cache key of the wanted wheel, and where it is when it is built: {"key": str, "wheel": str or None, ...}."""
    return json.loads(_wheel_tool("--key", *_variant_option()).stdout)


def _variant_option():
    return ["--cuda"] if variant() == "cuda" else []


def check_source():
    """Verify the user's CAFFE_SOURCE, even when nothing has to be built: a wrong one must not pass unnoticed."""
    source = os.environ.get("CAFFE_SOURCE")
    if source and not own_caffe():
        _tool(sys.executable, "caffe_source.py", "--check", source)


def _wheel_tool(*arguments):
    """Run pycaffe/caffe_wheel.py by the environment's Python."""
    return _tool(VENV / "bin" / "python", "caffe_wheel.py", *arguments)


def _tool(python, name, *arguments):
    """Run a program of pycaffe/; its progress goes straight to the terminal, and its error, which is one line."""
    command = [str(python), str(ROOT / "pycaffe" / name), *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SetupError("")
    return done


def install_caffe(stamp):
    """Install the wheel, built or from the cache, unless the very same is there."""
    if own_caffe():
        pip_install("six")  # every pycaffe imports it; the wheel would have brought it along
        return f"CAFFE_PYTHONPATH={own_caffe()}, nothing to build"
    wanted = wanted_wheel()
    if stamp.get("caffe") == wanted["key"]:
        return "unchanged"
    if variant() == "cuda" and not os.environ.get("CUDA_HOME"):
        requirements = "cuda13.txt" if wanted["wheel"] else "cuda13-build.txt"
        step("NVIDIA's libraries", pip_install, "-r", str(ROOT / "pycaffe" / requirements))
    wheel = _wheel_tool(*_variant_option()).stdout.strip()
    # another build has the same version: pip would keep the old one
    pip_install("--force-reinstall", "--no-deps", wheel)
    pip_install(*_wheelhouse.options(wheelhouse()), wheel)
    return f"installed {Path(wheel).name}"


def probe_caffe():
    """Start Caffe in .venv; returns its version and folder.

    Raises
    ------
    SetupError
        With the reason, and what to do about it.
    """
    own = own_caffe()
    done = _run([str(VENV / "bin" / "python"), "-c", PROBE])
    if done.returncode:
        remedy = "is the caffe in CAFFE_PYTHONPATH built for this Python?" if own else "remove .venv and run this again"
        raise SetupError(f"caffe cannot be imported in {VENV}: {_last_line(done.stderr)}; {remedy}")
    return done.stdout.strip()


# the whole --------------------------------------------------------------------------------------------------


def read_stamp():
    """What the last complete set-up installed; empty when there was none."""
    try:
        return json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def write_stamp():
    """Say what is installed now; written last, under a temporary name first."""
    temporary = STAMP.with_suffix(".part")
    content = {"project": project_digest(), "caffe": caffe_key(), "variant": variant()}
    temporary.write_text(json.dumps(content), encoding="utf-8")
    temporary.replace(STAMP)


@contextlib.contextmanager
def only_one():
    """Two set-ups of one checkout run one after the other. The lock is on the folder: no file is left behind."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def step(name, action, *arguments):
    """Run one step; print its name, what came of it, and its seconds when it took any."""
    started = time.monotonic()
    result = action(*arguments)
    seconds = time.monotonic() - started
    print(f"{name}: {result}" + (f" ({seconds:.0f} s)" if seconds >= 1 else ""), flush=True)
    return result


def set_up():
    """Do what is missing. When nothing is, one line is printed."""
    check_source()
    if is_complete():
        print(f"environment: ready, caffe {probe_caffe()}{', with CUDA' if variant() == 'cuda' else ''}")
        return
    if not own_caffe():
        step("system packages", install_packages)
    step("python", make_venv)
    stamp = read_stamp()  # gone when the environment was made anew
    step("project", install_project, stamp)
    step("caffe", install_caffe, stamp)
    step("import caffe", probe_caffe)
    write_stamp()
    if not own_caffe() and not wheelhouse().is_dir():
        step("packages", keep_packages)


def is_complete():
    """Whether the last set-up made just what this checkout and these options ask for."""
    stamp = read_stamp()
    if not venv_version() or (stamp.get("project"), stamp.get("caffe")) != (project_digest(), caffe_key()):
        return False
    return bool(own_caffe()) or not missing_packages()


def check():
    """Print what is there and what is not; returns the exit status."""
    complete = True
    for name, find in (("system packages", _check_packages), ("python", _check_venv), ("caffe", _check_caffe)):
        try:
            print(f"{name}: {find()}")
        except SetupError as error:
            complete = False
            print(f"{name}: {error}")
    return 0 if complete else _fail("the environment is incomplete; run `make setup`")


def _check_packages():
    missing = missing_packages()
    if missing:
        raise SetupError(f"missing {' '.join(missing)}")
    return "no dpkg here, not checked" if missing is None else "all there"


def _check_venv():
    version = venv_version()
    if not version:
        raise SetupError(f"missing, {VENV}")
    if read_stamp().get("project") != project_digest():
        raise SetupError(f"Python {version}, {VENV}, but pyproject.toml has changed since, or it was never completed")
    return f"Python {version}, {VENV}"


def _check_caffe():
    if not venv_version():
        raise SetupError("missing, it goes into .venv")
    found = probe_caffe()
    if read_stamp().get("caffe") != caffe_key():
        raise SetupError(f"{found}, not what this checkout and these options would install")
    return found


def _fail(text):
    if str(text):
        print(f"setup_environment.py: {' '.join(str(text).split())}", file=sys.stderr)
    return 2


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="say what is there, change nothing")
    parser.add_argument("--need-gpu", action="store_true", help="stop when the GPU that GPU= names is not there")
    args = parser.parse_args(argv)
    try:
        if args.check:
            return check()
        if args.need_gpu:
            need_gpu()
        with only_one():
            set_up()
    except (SetupError, OSError) as error:
        return _fail(error)
    except KeyboardInterrupt:
        _fail("interrupted; run it again, what is done is kept")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
