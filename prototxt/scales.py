"""The factors of the paper: what the nets enlarge by, and what the databases are cut for."""

from prototxt.errors import NetError

SCALES = (2, 3, 4)


def check_scale(scale):
    """Raise NetError unless `scale` is 2, 3 or 4."""
    if scale not in SCALES:
        raise NetError(f"scale: got {scale!r}, expected 2, 3 or 4 (the factors of the paper)")
