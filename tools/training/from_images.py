"""The choice to train from the images themselves, in the place of a folder of HDF5 databases."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional


@dataclass
class FromImages:
    """Where the pairs of a training come from when there is no database.

    Attributes
    ----------
    folder, validation : Path
        Of the training images and of the validation images.
    seed : int
        Of the order of the pairs.
    workers : int, optional
        Processes that cut; None: one for each core, at most 8.
    found : dict of Path to Sources
        What was found in the folders: a run looks at them once.
    """

    folder: Path
    validation: Path
    seed: int
    workers: Optional[int] = None
    found: dict = field(default_factory=dict, compare=False)

    def check(self, subject, stages):
        """What databases.check gives for a folder of databases; raises DataError."""
        from tools.training import image_pairs  # here: --help must not wait for it

        return image_pairs.check(self, subject, stages)
