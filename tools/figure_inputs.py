"""What the tools for Figures 4 to 8 share: where images, weights and results are."""

import os
from pathlib import Path

import numpy as np

from data_prep import sources
from tools import models, provenance
from tools.cli import UserError

ROOT = provenance.ROOT


def add_folders(p):
    """Options that the tools for Figures 4 to 8 share: folders of data, weights and results."""
    for name, folder in (("data", "DATA"), ("weights", "WEIGHTS")):
        default = Path(os.environ.get(folder) or ROOT / name)
        p.add_argument(f"--{name}-dir", type=Path, metavar=folder, default=default, help=f"default: {name}")
    p.add_argument(
        "--out", type=Path, metavar="DIR", default=ROOT / "results" / "figures", help="default: results/figures"
    )


def find_in_set(data_dir, dataset, stem):
    """The file (Path) of an image of a set by the beginning of its name, None when it is not there."""
    folder = Path(data_dir) / dataset
    images = sources.split_folder(folder)[0] if folder.is_dir() else []
    return next((path for path in images if path.stem.split("_")[0] == stem), None)


def name_of(path):
    """The name (str) of an image in titles and file names: "butterfly" for butterfly_GT.bmp."""
    return path.stem[: -len("_GT")] if path.stem.endswith("_GT") else path.stem


def check_finite(numbers, weights):
    """Raise UserError when weights (Path) gave values (ndarray) that are not finite."""
    if not np.isfinite(numbers).all():
        raise UserError(f"{weights}: gives values that are not finite; these weights have diverged")


def in_set(data_dir, dataset, stem):
    """As `find_in_set`; raises UserError when it is not there."""
    path = find_in_set(data_dir, dataset, stem)
    if path is None:
        raise UserError(
            f"{Path(data_dir) / dataset}: has no image {stem}; run `make fetch`, or tools/fetch.py {dataset}, or name "
            "an image of yours"
        )
    return path


def idn_weights(weights_dir, scale):
    """IDN's weights (Path) for a factor, the released ones or those trained here; None when there are none."""
    return models.find(weights_dir, "IDN", scale) or models.find_ours("IDN", scale)
