"""What Caffe is compiled with and linked to: looked for by its headers and programs, named as the system's packages."""

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from tools.setup import interpreter, venv
from tools.setup.shell import SetupError, last_line, run


@dataclass(frozen=True)
class Need:
    """A thing that the build needs: how to find it, and its packages by the program that installs them."""

    names: str  # headers, or programs; any one is enough
    packages: str  # as MANAGERS, separated by blanks


@dataclass(frozen=True)
class Manager:
    """A system's package manager."""

    program: str
    install: str


MANAGERS = (
    Manager("apt-get", "apt-get install --no-install-recommends"),
    Manager("dnf", "dnf install"),
    Manager("pacman", "pacman -S --needed"),
    Manager("zypper", "zypper install"),
    Manager("apk", "apk add"),
)
#       program or header              apt-get              dnf                pacman    zypper             apk
NEEDS = (
    Need("cmake", "cmake cmake cmake cmake cmake"),
    Need("c++ g++", "g++ gcc-c++ gcc gcc-c++ g++"),
    Need("ninja", "ninja-build ninja-build ninja ninja samurai"),
    Need("make", "make make make make make"),
    Need("protoc", "protobuf-compiler protobuf-compiler protobuf protobuf-devel protoc"),
    Need("google/protobuf/message.h", "libprotobuf-dev protobuf-devel protobuf protobuf-devel protobuf-dev"),
    Need("glog/logging.h", "libgoogle-glog-dev glog-devel google-glog glog-devel glog-dev"),
    Need("gflags/gflags.h", "libgflags-dev gflags-devel gflags gflags-devel gflags-dev"),
    Need("hdf5.h", "libhdf5-dev hdf5-devel hdf5 hdf5-devel hdf5-dev"),
    Need("lmdb.h", "liblmdb-dev lmdb-devel lmdb lmdb-devel lmdb-dev"),
    Need("cblas.h", "libopenblas-dev openblas-devel openblas openblas-devel openblas-dev"),
    Need("dnnl.hpp", "libdnnl-dev onednn-devel onednn onednn-devel onednn-dev"),
)
# folders below an include folder in which distributions keep a library of which they have several builds
BELOW = ("", "hdf5/serial", "openblas", "openblas-pthread")


def manager():
    """The package manager (Manager) of this system, None where none is known."""
    return next((one for one in MANAGERS if shutil.which(one.program)), None)


def include_folders():
    """Folders (list of Path) in which a compiler and CMake find headers."""
    prefixes = [*os.environ.get("CMAKE_PREFIX_PATH", "").split(os.pathsep), os.environ.get("CONDA_PREFIX", "")]
    listed = [os.environ.get(name, "").split(os.pathsep) for name in ("CPATH", "CPLUS_INCLUDE_PATH")]
    folders = [Path(prefix, "include") for prefix in [*prefixes, "/usr/local", "/usr"] if prefix]
    folders += [Path("/usr/include", f"{platform.machine()}-linux-gnu"), *(Path(one) for one in sum(listed, []) if one)]
    return [folder / below for folder in folders for below in BELOW]


def is_there(need, folders):
    """Whether a Need is there, in one of these folders (list of Path) where it is a header."""
    if need.names.endswith((".h", ".hpp")):
        return any((folder / need.names).is_file() for folder in folders)
    return bool(need.names.startswith("c++") and os.environ.get("CXX")) or any(map(shutil.which, need.names.split()))


def missing_packages():
    """What of NEEDS, and of .venv's Python, is missing: package names (list of str), what is missing where no manager
    is known."""
    folders, chosen = include_folders(), manager()
    which = MANAGERS.index(chosen) if chosen else None
    needs = [need for need in NEEDS if not is_there(need, folders)]
    names = [need.names if which is None else need.packages.split()[which] for need in needs]
    return list(dict.fromkeys([*names, *_of_python(chosen)]))


def _of_python(chosen):
    """What the Python that .venv is made of, or is to be made of, lacks and the system has: its headers, venv."""
    try:
        python = str(venv.python()) if venv.venv_version() else interpreter.base()
    except SetupError:
        return []  # said by the step that makes .venv
    if not interpreter.is_the_systems(python):
        return []
    number = interpreter.version(python)
    debian = chosen == MANAGERS[0]
    lacks = [] if interpreter.headers(python) else [f"python{number}-dev" if debian else "python3-devel"]
    if debian and not interpreter.has(python, "ensurepip"):
        lacks.append(f"python{number}-venv")
    return lacks


def install_packages():
    """Install the missing packages with apt-get, as root or by a sudo that asks for no password; gives a line (str).

    Raises
    ------
    SetupError
        They are missing and this user may not install them, or apt-get failed, or the system has no apt-get.
    """
    missing = missing_packages()
    if not missing:
        return "all there"
    chosen = manager()
    if not chosen:
        what = f"missing for the build, and no package manager known here: {', '.join(missing)}"
        raise SetupError(f"{what}; install them, or set CAFFE_WHEEL to a wheel that was built elsewhere")
    by_hand = f"{chosen.install} {' '.join(missing)}"
    if chosen.program != "apt-get":
        raise SetupError(f"system packages are missing: run `{by_hand}` as root, then this again")
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if prefix and (not shutil.which("sudo") or run(["sudo", "-n", "true"]).returncode):
        raise SetupError(
            f"system packages are missing and you are not root: run `sudo {by_hand}`, then this again, or set "
            "CAFFE_WHEEL to a wheel that was built elsewhere"
        )
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    install = [*prefix, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    # the lists may be stale or absent (a fresh container): refresh them only when they do not suffice
    if run(install, environment).returncode:
        run([*prefix, "apt-get", "update", "-qq"], environment)
        done = run(install, environment)
        if done.returncode:
            raise SetupError(f"`{by_hand}` failed: {last_line(done.stderr, 'E: ')}")
    return f"installed {' '.join(missing)}"
