"""The HDF5 databases that a training reads, checked before Caffe sees them."""

import hashlib
import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path

from data_prep import hdf5, shard_list
from data_prep.errors import DataError
from tools.nets import caffe_files

# attributes that decide the pairs and their order
MADE_OF = ("source_sha256", "seed", "lr_stride", "stride", "crops")


@dataclass(frozen=True)
class Database:
    """A checked HDF5 database.

    Attributes
    ----------
    list_path : Path
        The list that Caffe's `source` names.
    shards : list of Path
        The files that it lists.
    pairs : int
    largest_bytes : int
        Of the largest shard, which Caffe holds in memory.
    made_of : dict
        What decides the pairs and their order.
    images : str
        How many images of which set.
    identity : dict
        All that its shards say of themselves, and their sizes in bytes.
    """

    list_path: Path
    shards: list
    pairs: int
    largest_bytes: int
    made_of: dict
    images: str = ""
    identity: dict = field(default_factory=dict)

    def name_for_caffe(self, names):
        """The list's own name (str) where Caffe reads it as we do; else that of one in memory.

        `names` is a caffe_files.Names. Caffe splits the list at blanks, and its prototxt holds UTF-8 alone.
        """
        as_caffe_reads = [os.fsdecode(name) for name in self.list_path.read_bytes().split()]
        if caffe_files.is_plain(self.list_path.absolute()) and as_caffe_reads == list(map(str, self.shards)):
            return str(self.list_path.absolute())
        return names.of_content("".join(f"{names.of(path)}\n" for path in self.shards).encode("utf-8"))

    def described(self):
        """What tells this database from others (str), short enough for a line."""
        known = {**self.made_of, **self.identity}
        digest = hashlib.sha256(json.dumps(known, sort_keys=True, default=str).encode()).hexdigest()
        seed = f", seed {known['seed']}" if "seed" in known else ""
        return f"{digest[:12]} ({self.pairs:,} pairs of {self.images}{seed})"

    def pass_over(self, net, batch, iterations):
        """Turn the data layer of a train net (caffe.Net) on to where it is after some iterations (int).

        Caffe's snapshots do not keep its place. `batch` (int) is that of all ranks together.
        """
        for _ in range(iterations % (self.pairs // math.gcd(self.pairs, batch))):
            net.forward(end="data")

    def check_held(self, held):
        """Raise DataError when Caffe would open a shard of `held` (Held) that is gone or another by now.

        It reads a database of one shard only once.
        """
        if len(self.shards) > 1:
            held.check(self.shards)


def check(folder, subject, stages):
    """The databases that `stages` need.

    Parameters
    ----------
    folder : Path
        Where tools/prepare_data.py wrote them.
    subject : Subject
        What is trained.
    stages : iterable of str

    Returns
    -------
    dict of str to Database
        By the name of the database: train, finetune, val.

    Raises
    ------
    DataError
        One is missing, damaged, or of another method, scale or stage; the text says how to make it.
    """
    found = {}
    for name in sorted({subject.database(stage) for stage in stages} | {"val"}):
        cut = subject.cut(name)
        list_file = shard_list.list_path(folder / cut.folder)
        if not list_file.exists() and not subject.is_idn:
            how = f"make it with tools/prepare_data.py {cut.command()}"
            raise DataError(f"{list_file}: no such list of HDF5 files; {how}")
        database = hdf5.check_cut(list_file, cut)
        made_of = {key: database.attributes[key] for key in MADE_OF if key in database.attributes}
        images = f"{database.attributes['images']} of {database.attributes['source_set']}"
        identity = {**database.attributes, "sizes": [path.stat().st_size for path in database.shards]}
        found[name] = Database(
            list_file, database.shards, database.pairs, database.largest_bytes, made_of, images, identity
        )
    return found
