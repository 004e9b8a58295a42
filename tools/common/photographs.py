"""The photographs that scikit-image ships: they may be shown and copied, and every environment has them."""

import importlib.util
from pathlib import Path

from tools.common.errors import UserError


def path(name):
    """Path of a photograph ("astronaut.png").

    Raises
    ------
    UserError
        This scikit-image does not carry it.
    """
    # found, not imported, which takes a while
    found = Path(importlib.util.find_spec("skimage").origin).parent / "data" / name
    if not found.is_file():
        from importlib import metadata  # here: --help must not wait for it

        said = f"scikit-image {metadata.version('scikit-image')} does not carry it"
        raise UserError(f"{found}: {said}; run `make setup` again")
    return found
