"""Decide, before any pixel is computed, which patch goes where: counts, permutation, shards."""

import math
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data_prep import hdf5
from data_prep.digests import set_sha256
from data_prep.drawing import draw
from data_prep.errors import DataError
from data_prep.geometry import patch_bytes
from data_prep.images import glance, inspect, list_images, several_pages, split_folder
from data_prep.workers import default_workers

MEGABYTE = 10**6


@dataclass(frozen=True)
class Sources:
    """The images of a folder that are used, and what was left out or changed.

    Attributes
    ----------
    name : str
        Name of the image set: the folder's name.
    images : list of ImageInfo
        The images used, sorted by name.
    sha256 : str
        Hash of the set (`sources.image_set_hash`) over all readable images, the skipped gray ones included.
    warnings : list of str
        One sentence for each kind of thing a user should know.
    """

    name: str
    images: list
    sha256: str
    warnings: list


class Places(NamedTuple):
    """Which pairs of an image are wanted, and where they go.

    Attributes
    ----------
    chosen : ndarray, (N,), int64
        Numbers of the pairs in the order in which the image is cut, ascending.
    rows : ndarray, (N,), int64
        Their rows in the database.
    """

    chosen: np.ndarray
    rows: np.ndarray


@dataclass(frozen=True)
class Plan:
    """Where each patch of a set goes.

    Attributes
    ----------
    geometry : Geometry or Sampling
        How images are cut.
    sources : Sources
    seed : int
    counts : list of int
        Pairs of each image.
    variants : int
        Variants of all images.
    total, pairs : int
        All pairs of all variants, and those that go into the database: whole batches.
    per_shard : int
        Pairs in each shard but the last.
    warnings : list of str
    """

    geometry: Any
    sources: Sources
    seed: int
    counts: list
    variants: int
    total: int
    pairs: int
    per_shard: int
    warnings: list = field(default_factory=list)

    @property
    def is_sample(self):
        """Whether pairs are left out (bool) besides those that make no whole batch."""
        return self.pairs < self.total - self.total % self.geometry.batch

    @property
    def shard_rows(self):
        """Pairs in each shard (list of int)."""
        whole, rest = divmod(self.pairs, self.per_shard)
        return [self.per_shard] * whole + [rest] * bool(rest)

    def identity(self):
        """The attributes that say what is in the database (dict); see `hdf5.identity_names`."""
        return {
            "format": hdf5.FORMAT,
            **self.geometry.attributes(),
            "seed": self.seed,
            "source_set": self.sources.name,
            "source_sha256": self.sources.sha256,
            "images": len(self.sources.images),
            "variants": self.variants,
            "pairs_before_truncation": self.total,
            "pairs": self.pairs,
            "shards": len(self.shard_rows),
            "pairs_per_shard": self.per_shard,
        }

    def destinations(self):
        """Give each image the places of its pairs in the database.

        Returns
        -------
        list of Places
            One for each image.

        Notes
        -----
        RandomState, not Generator: its stream is frozen for good (NEP 19), so that a seed means the same
        bytes with any NumPy.
        """
        if self.is_sample:
            order = draw(self.total, self.pairs, self.seed)
        else:
            order = np.random.RandomState(self.seed).permutation(self.total)[: self.pairs]  # noqa: NPY002
        rows = np.argsort(order)
        positions = order[rows]
        ends = np.cumsum(self.counts, dtype=np.int64)
        bounds = [0, *np.searchsorted(positions, ends).tolist()]
        return [
            Places(positions[low:high] - (end - count), rows[low:high])
            for low, high, end, count in zip(bounds, bounds[1:], ends, self.counts)
        ]


def gather(folder, skip_bad=False, endings=None, decode=True):
    """Check all images of a folder and choose those to use.

    Parameters
    ----------
    folder : str or Path
        Folder of images.
    skip_bad : bool
        Leave out images that cannot be read, with a warning that counts them, instead of raising.
    endings : tuple of str, optional
        Only files whose names end so.
    decode : bool
        Decode every image. Without it only the beginnings of the files are looked at, which is many times faster; what
        is wrong further on shows when the image is cut. With `skip_bad` every image is decoded all the same.

    Returns
    -------
    Sources

    Raises
    ------
    DataError
        The folder is missing or has no usable image, or an image cannot be read.
    """
    folder = Path(folder).absolute()
    look = inspect if decode or skip_bad else glance
    readable, bad = [], []
    paths = [path for path in list_images(folder) if not endings or path.suffix.lower() in endings]
    with _threads() as pool:
        for path, found in zip(paths, pool.map(partial(_looked_at, look), paths)):
            if not isinstance(found, DataError):
                readable.append(found)
            elif skip_bad:
                bad.append(path.name)
            else:
                raise DataError(f"{found}, or leave such images out with --skip-bad") from found
    images = [info for info in readable if not info.gray]
    warnings = _warnings(readable, bad, split_folder(folder)[1])
    if not images:
        raise DataError(f"{folder}: no colour image that can be read; {'; '.join(warnings)}")
    digest = set_sha256((info.path.name, info.sha256) for info in readable)
    return Sources(folder.name, images, digest, warnings)


@contextmanager
def _threads():
    """A pool of threads: decoders let go of Python's lock."""
    pool = ThreadPoolExecutor(default_workers())
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)  # after an error nobody waits for the rest


def _looked_at(look, path):
    """What `look` (inspect or glance) finds in a file (ImageInfo), or the DataError that tells why there is nothing."""
    try:
        return look(path)
    except DataError as error:
        return error


def _warnings(readable, bad, others):
    gray = [info.path.name for info in readable if info.gray]
    deep = [info.path.name for info in readable if info.deep and not info.gray]
    alpha = [info.path.name for info in readable if info.alpha and not info.gray]
    kinds = (
        (bad, "unreadable, left out (--skip-bad)"),
        (gray, "gray (one channel), skipped as the authors do"),
        (deep, "with 16 bits a channel, rounded to 8"),
        (alpha, "with an alpha channel, which is dropped"),
        (others, "not an image by its name, ignored"),
    )
    lines = [f"{_count(names)} {what}: {_names(names)}" for names, what in kinds if names]
    paged = several_pages((info.path, info.pages) for info in readable if not info.gray)
    return lines + [paged] * bool(paged)


def _count(names):
    return f"{len(names)} file" + "s" * (len(names) > 1)


def _names(names):
    names = [getattr(name, "name", name) for name in names]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def make_plan(sources, geometry, seed=0, shard_mb=500, max_pairs=None):
    """Count the pairs of a set and lay out its database.

    Parameters
    ----------
    sources : Sources
        The images.
    geometry : Geometry or Sampling
        How to cut them.
    seed : int
        Seed of the permutation, 0 to 2**32 - 1.
    shard_mb : float
        Size of a shard in units of 10**6 bytes. A shard holds whole chunks of 64 pairs and whole batches, one at
        least, and no more than Caffe can read.
    max_pairs : int, optional
        Take at most so many pairs, a random sample of all; with as many as there are, or more, the plan is the same as
        without.

    Returns
    -------
    Plan

    Raises
    ------
    DataError
        A seed, shard size or number of pairs out of range, or the images give less than one batch.
    """
    if not 0 <= seed < 2**32:
        raise DataError(f"seed {seed}: expected 0 to {2**32 - 1}")
    # Caffe reads a shard whole, a dataset into one blob
    pair = patch_bytes(geometry.sides)
    most_mb = hdf5.most_rows(geometry.sides) * pair // MEGABYTE
    if not 0 < shard_mb <= most_mb:
        raise DataError(f"shard size {shard_mb:g} MB: expected more than 0, at most {most_mb} (2^31-1 values a blob)")
    each = [geometry.patches(info.height, info.width) for info in sources.images]
    counts = [sum(variants) for variants in each]
    total = sum(counts)
    if max_pairs is not None and max_pairs < geometry.batch:
        raise DataError(f"max-pairs {max_pairs}: expected at least one batch of {geometry.batch}")
    pairs = total if max_pairs is None else min(total, max_pairs)
    pairs -= pairs % geometry.batch
    size = geometry.image_side
    small = [info.path.name for info, count in zip(sources.images, counts) if not count]
    if not pairs:
        raise DataError(
            f"{sources.name}: {total} pairs from {len(counts)} images, expected at least one batch of "
            f"{geometry.batch}; an image must be {size}x{size} pixels or more for {geometry.name}; "
            "add larger or more images"
        )
    warnings = list(sources.warnings)
    if small:
        warnings.append(f"{_count(small)} smaller than a patch of {size}x{size}, no pair: {_names(small)}")
    unit = math.lcm(hdf5.CHUNK, geometry.batch)
    per_shard = int(shard_mb * MEGABYTE / pair) // unit * unit
    return Plan(
        geometry=geometry,
        sources=sources,
        seed=seed,
        counts=counts,
        variants=sum(map(len, each)),
        total=total,
        pairs=pairs,
        per_shard=max(unit, per_shard),
        warnings=warnings,
    )
