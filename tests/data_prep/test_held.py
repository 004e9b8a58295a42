"""Shards that a training reads are watched and locked."""


import h5py
import pytest

from data_prep.errors import DataError
from data_prep.held import Held


def shard(database, number=0):
    return database.with_suffix("") / f"{number:05d}.h5"


def test_held_shards_are_watched_and_locked(database):
    paths = [shard(database, number) for number in range(3)]
    with Held([*paths, *paths]) as held:
        held.check(paths)
        with pytest.raises(OSError, match="unable to lock file"):
            h5py.File(paths[0], "r+")
        with h5py.File(paths[0], "r"):
            pass
        paths[1].write_bytes(b"other")
        with pytest.raises(DataError, match="00001.h5: was changed or replaced"):
            held.check(paths)
        paths[2].unlink()
        with pytest.raises(DataError, match="00002.h5: was there when the training began, and is not now"):
            held.check(paths[2:])
        held.check(paths[:1])
    with h5py.File(paths[0], "r+"), pytest.raises(DataError, match="00000.h5: locked by another process"):
        Held(paths[:1])
