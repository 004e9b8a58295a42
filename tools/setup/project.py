"""Install the project and its dependencies, from the cache when they are there."""

import contextlib
import hashlib
import re
import shutil

from tools.common.paths import ROOT
from tools.setup import cache, venv, wheelhouse
from tools.setup.shell import SetupError

# pyproject.toml's build-system.requires, and what older setuptools asks for besides; no TOML reader before 3.11
BUILD_REQUIREMENTS = ["setuptools>=77,<85", "wheel"]


def project_digest():
    """A digest (str) of what the installed project depends on: pyproject.toml, and where the checkout lies."""
    return hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + str(ROOT).encode()).hexdigest()[:16]


def packages_folder():
    """Folder (Path) of the cache with the packages that this pyproject.toml and this Python need; may not exist yet."""
    return wheelhouse.folder_for(cache.cache_folder(), ROOT / "pyproject.toml", venv.python())


def install_project(stamp):
    """Install the project, editable, with its dependencies and what its tests need; gives a line (str) about it.

    Parameters
    ----------
    stamp : dict
        What the last set-up installed.
    """
    if stamp.get("project") == project_digest():
        return "unchanged"
    project = ["--editable", f"{ROOT}[dev]"]
    kept = wheelhouse.options(packages_folder())
    if kept:
        with contextlib.suppress(SetupError):  # damaged: the index has them too
            # compiled at first import instead of now, which saves half of the time
            venv.pip_install("--no-compile", *kept, *project)
            return "installed with its dependencies, from the cache"
        shutil.rmtree(packages_folder(), ignore_errors=True)
    venv.pip_install(*project)
    return "installed with its dependencies"


def keep_packages():
    """Keep the installed packages for the next checkout on this machine; gives a line (str) about it."""
    # NVIDIA's libraries are a gigabyte and come with the CUDA build alone
    leave_out = {"caffe", *names_in("cuda13-build.txt"), *names_in("cuda13.txt")}
    kept = wheelhouse.fill(packages_folder(), venv.python(), BUILD_REQUIREMENTS, leave_out)
    if not kept:
        return "not kept, the next checkout downloads them again"
    return f"kept for the next checkout, {packages_folder()}"


def names_in(requirements):
    """Names (set of str) of NVIDIA's packages in a requirements file of pycaffe/."""
    lines = (ROOT / "pycaffe" / requirements).read_text(encoding="utf-8").splitlines()
    return {re.match(r"[a-z0-9-]+", line)[0] for line in lines if line.startswith("nvidia-")}
