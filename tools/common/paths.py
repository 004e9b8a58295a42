"""Where things lie in a checkout. Standard library only: the set-up uses it."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# folders that the user may name by a variable -> where they are in the checkout otherwise
FOLDERS = {"DATA": "data", "WEIGHTS": "weights", "HDF5": "data/hdf5"}


def folder(variable):
    """The folder (Path) that DATA, WEIGHTS or HDF5 (str) names; the checkout's own where the variable is unset."""
    return Path(os.environ.get(variable) or ROOT / FOLDERS[variable])
