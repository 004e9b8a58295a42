"""The pictures of a job's results: where they go, and how they are written."""

import cv2
import numpy as np

from data_prep import files
from tools.common import outputs


def paths(job, options):
    """Where the picture of each image of a job goes (dict of Path to Path); empty when none is asked for."""
    if options.pictures is None or job.random:
        return {}
    folder = options.pictures / f"{job.dataset}_x{job.scale}" / job.method.name
    return {path: folder / name for path, name in outputs.names([info.path for info in job.images], ".png").items()}


def swept(job, options):
    """`paths`, after what a killed run left in their folder is gone."""
    found = paths(job, options)
    for folder in {path.parent for path in found.values()}:
        files.sweep(folder)
    return found


def save(picture, path):
    """Write a picture (ndarray, (H, W, 3) RGB or (H, W), uint8) to `path`, a PNG."""
    pixels = picture if picture.ndim == 2 else picture[..., ::-1]
    encoded = cv2.imencode(".png", np.ascontiguousarray(pixels))[1]
    with files.atomic_path(path) as temporary:
        temporary.write_bytes(encoded.tobytes())
