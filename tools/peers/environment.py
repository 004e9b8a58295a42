"""Packages of another virtual environment, for engines that the project does not depend on."""

import sys
from pathlib import Path


def add_packages(folder):
    """Let the packages of another virtual environment of this Python be imported, after our own.

    Parameters
    ----------
    folder : str or Path
        The environment, for instance /tmp/peers.

    Raises
    ------
    FileNotFoundError
        It has no packages for this version of Python.
    """
    packages = Path(folder) / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    if not packages.is_dir():
        raise FileNotFoundError(2, "no packages for this Python; make it with `python3 -m venv`", str(packages))
    sys.path.append(str(packages))
