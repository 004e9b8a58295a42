"""Install the project and its dependencies, from the cache where they are there."""

import contextlib
import hashlib
import re
import shutil

from tools.setup import venv, wheelhouse
from tools.setup.shell import ROOT, SetupError
from tools.setup.venv import pip_install

# pyproject.toml's build-system.requires, and what older setuptools asks for besides; no TOML reader before 3.11
BUILD_REQUIREMENTS = ["setuptools>=64,<85", "wheel"]


def project_digest():
    """What the installed project depends on: pyproject.toml, and where the checkout lies."""
    return hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + str(ROOT).encode()).hexdigest()[:16]


def packages_folder():
    """Folder of the cache with the packages that this pyproject.toml and this Python need; may not exist yet."""
    return wheelhouse.folder_for(wheelhouse.cache_folder(), ROOT / "pyproject.toml", venv.VENV / "bin" / "python")


def install_project(stamp):
    """Install the project, editable, with its dependencies and what its tests need."""
    if stamp.get("project") == project_digest():
        return "unchanged"
    project = ["--editable", f"{ROOT}[dev]"]
    kept = wheelhouse.options(packages_folder())
    if kept:
        with contextlib.suppress(SetupError):  # damaged: the index has them too
            # compiled at first import instead of now, which saves half of the time
            pip_install("--no-compile", *kept, *project)
            return "installed with its dependencies, from the cache"
        shutil.rmtree(packages_folder(), ignore_errors=True)
    pip_install(*project)
    return "installed with its dependencies"


def keep_packages():
    """Keep the installed packages for the next checkout on this machine."""
    # NVIDIA's libraries are a gigabyte and come with the CUDA build alone
    leave_out = {"caffe", *_names_in("cuda13-build.txt"), *_names_in("cuda13.txt")}
    kept = wheelhouse.fill(packages_folder(), venv.VENV / "bin" / "python", BUILD_REQUIREMENTS, leave_out)
    if not kept:
        return "not kept, the next checkout downloads them again"
    return f"kept for the next checkout, {packages_folder()}"


def _names_in(requirements):
    """Names of the packages in a requirements file of pycaffe/."""
    lines = (ROOT / "pycaffe" / requirements).read_text(encoding="utf-8").splitlines()
    return {re.match(r"[a-z0-9-]+", line)[0] for line in lines if line.startswith("nvidia-")}
