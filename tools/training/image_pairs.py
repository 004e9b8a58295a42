"""The training pairs of a folder of images, in the place of an HDF5 database: tools/train.py --from-images.

Nothing is written. Caffe's data layer becomes a Python layer (image_layer.py), for which worker
processes cut, augment and downscale the images ahead of the solver (data_prep/stream.py). The validation pairs are few:
they are cut once and stay in memory, in the order that their database would have.
"""

import hashlib
import json
import sys
from dataclasses import dataclass
from typing import Any

from data_prep.geometry import patch_bytes
from data_prep.hdf5 import MADE_OF
from data_prep.plan import gather, make_plan
from data_prep.stream import Order, memory_bytes
from tools.training import image_feed, image_source
from tools.training.image_feed import VALIDATION


@dataclass(frozen=True)
class ImagePairs:
    """Pairs that are cut from images; has what databases.Database has.

    Attributes
    ----------
    name : str
        Of the database that it stands for: train, finetune or val.
    plan : data_prep.plan.Plan
        Of all pairs of all variants.
    source : FromImages
    """

    name: str
    plan: Any
    source: Any

    shards = ()  # no files that Caffe opens
    mend = "put that right"

    @property
    def pairs(self):
        """Pairs (int) in a round through the images."""
        return self.plan.pairs if self.name == VALIDATION else self.plan.total

    @property
    def largest_bytes(self):
        """Memory (int) that pairs take beside Caffe's own."""
        plan = self.plan
        return plan.pairs * patch_bytes(plan.geometry.sides) if self.name == VALIDATION else memory_bytes(plan)

    @property
    def made_of(self):
        """What decides the pairs and their order (dict)."""
        identity, pair = self.plan.identity(), patch_bytes(self.plan.geometry.sides)
        found = {key: identity[key] for key in MADE_OF if key in identity}
        return {**found, "cut_from": "images", "window": Order(self.plan.total, pair, self.plan.seed).window}

    @property
    def images(self):
        """How many images of which set (str)."""
        return f"{len(self.plan.sources.images)} of {self.plan.sources.name}, without a database"

    def described(self):
        """What tells these pairs from others (str), short enough for a line."""
        known = json.dumps({**self.plan.identity(), **self.made_of}, sort_keys=True, default=str)
        return f"{hashlib.sha256(known.encode()).hexdigest()[:12]} ({self.pairs:,} pairs of {self.images})"

    def name_for_caffe(self, names=None):
        """The `source` (str) of a data layer, which image_source.replaced makes a Python layer.

        `names` is not used: the layer's parameter holds any path.
        """
        source = image_source.source(self.plan, self.name)
        image_feed.offer(source, self.plan, self.source.workers)
        return source

    def pass_over(self, net, batch, iterations):
        """Turn the data layer on to where it is after some iterations (int) of `batch` (int) pairs of all ranks."""
        image_feed.of(self.name_for_caffe()).place = batch * iterations

    def check_held(self, held):
        """Wait for the pairs of the next iterations; raises DataError when they cannot be cut as they were found."""
        if self.name != VALIDATION:
            image_feed.of(self.name_for_caffe()).wait()


def check(source, subject, stages):
    """The pairs that `stages` need.

    Parameters
    ----------
    source : FromImages
    subject : Subject
        What is trained.
    stages : iterable of str

    Returns
    -------
    dict of str to ImagePairs
        By the name of the database that each stands for.

    Raises
    ------
    DataError
        A folder is missing, an image is none, or they give less than a batch.
    """
    found = {}
    for name in sorted({subject.database(stage) for stage in stages} | {VALIDATION}):
        folder = source.validation if name == VALIDATION else source.folder
        # validation pairs in the order of their database, which has seed 0
        seed = 0 if name == VALIDATION else source.seed
        plan = make_plan(_sources(source, folder), subject.cut(name), seed)
        found[name] = ImagePairs(name, plan, source)
    return found


def _sources(source, folder):
    """What `folder` (Path) holds (Sources), with a word on what is left out, once in a run."""
    if folder not in source.found:
        source.found[folder] = gather(folder, decode=False)
        for warning in source.found[folder].warnings:
            print(f"warning: {folder.name}: {warning}", file=sys.stderr)
    return source.found[folder]
