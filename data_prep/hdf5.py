"""HDF5 databases for Caffe's HDF5Data layer: make empty shards, check them; shard_list.py lists them.

A database is a folder of shards `00000.h5`, `00001.h5`, ... and, beside it, a text list that HDF5Data's
`source` names. A shard holds the datasets `data` (LR), `label` (HR) and `bic` (bicubic of LR), float32 in
Caffe's order (N, C, H, W) with C = 1. MATLAB writes HDF5 column-major, so the authors' files hold
transposed patches; ours are not transposed. With rotations and flips in the set both are the same
distribution.

HDF5Data reads a whole file at a time, hence the shards.
"""

import errno
import json
import math
import os
from dataclasses import dataclass

import cv2
import h5py
import numpy as np

from data_prep.errors import DataError
from data_prep.files import shown
from data_prep.geometry import geometry, patch_bytes
from data_prep.shard_list import read_list

CHUNK = 64
LARGEST_BLOB = 2**31 - 1  # values
# raise it when the same sources and parameters begin to give other bytes
FORMAT = 1
# attributes that all shards of a database share and that decide what is in it, besides those of the cut
SHARED = (
    "format", "seed", "source_set", "source_sha256", "images", "variants",
    "pairs_before_truncation", "pairs", "shards", "pairs_per_shard",
)  # fmt: skip

# those that decide the pairs and their order, for whoever trains on them
MADE_OF = ("source_sha256", "seed", "lr_stride", "stride", "crops")


@dataclass(frozen=True)
class Database:
    """What `check_database` found.

    Attributes
    ----------
    pairs : int
        LR/HR pairs in all shards.
    sides : dict of str to int
        Sides in pixels of the patches of each dataset.
    shards : list of Path
        The HDF5 files, in order.
    bytes : int
        Size of all files.
    largest_bytes : int
        float32 bytes of the largest shard: what HDF5Data holds in memory.
    attributes : dict
        Attributes of the first shard, among them seed, source_set and source_sha256.
    """

    pairs: int
    sides: dict
    shards: list
    bytes: int
    largest_bytes: int
    attributes: dict


def identity_names(wanted):
    """Attributes (tuple of str) that all shards of a database cut as `wanted` (Geometry or Sampling) share."""
    return (*SHARED, *wanted.attributes())


def shapes(rows, sides):
    """Shapes of the datasets of a shard of `rows` pairs: dict of name to (N, 1, H, W); `sides` is {name: side}."""
    return {name: (rows, 1, side, side) for name, side in sides.items()}


def create_shard(path, rows, sides, attributes):
    """Make a shard with all its room laid out and nothing in it yet.

    Every chunk gets its place in the file at once, so that patches can be written to known offsets later,
    by any process, in any order, and the bytes of the file do not depend on who wrote first.

    Parameters
    ----------
    path : Path
        File to make.
    rows : int
        Pairs.
    sides : dict of str to int
        Sides of the patches of each dataset in pixels.
    attributes : dict
        Written to the file's root.

    Returns
    -------
    dict of str to ndarray, (chunks,), int64
        For each dataset the offset in bytes of each chunk of CHUNK rows.
    """
    # the earliest file format: Caffe may be built with an old HDF5. No times: the same input gives the same
    # bytes
    with h5py.File(path, "w", libver=("earliest", "v108"), track_order=False) as file:
        for name in sorted(attributes):
            value = attributes[name]
            # HDF5 stores UTF-8; a folder's name need not be
            file.attrs[name] = shown(value) if isinstance(value, str) else value
        return {name: _lay_out(file, name, shape) for name, shape in shapes(rows, sides).items()}


def _lay_out(file, name, shape):
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((min(CHUNK, shape[0]), *shape[1:]))
    plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    plist.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    plist.set_obj_track_times(False)
    space = h5py.h5s.create_simple(shape)
    dataset = h5py.h5d.create(file.id, name.encode(), h5py.h5t.IEEE_F32LE, space, plist)
    chunk = min(CHUNK, shape[0])
    offsets = [
        dataset.get_chunk_info_by_coord((row, 0, 0, 0)).byte_offset for row in range(0, shape[0], chunk)
    ]
    return np.array(offsets, dtype=np.int64)


def check_database(list_file, scale, stage):
    """Open every shard that a list names and check it, because Caffe ends the process over a bad one.

    Parameters
    ----------
    list_file : str or Path
        The text list.
    scale : int
        Scale the database must be for.
    stage : str
        "pretrain", "train", "finetune" or "val".

    Returns
    -------
    Database

    Raises
    ------
    DataError
        A list or shard is missing, truncated, or of another scale, stage, shape, type or source than
        expected.
    """
    return check_cut(list_file, geometry(scale, stage))


def check_cut(list_file, wanted):
    """As `check_database`, for a database that is cut as `wanted` (Geometry or Sampling)."""
    paths = read_list(list_file)
    found = [_check_shard(path, wanted) for path in paths]
    first = found[0]
    for path, head in zip(paths, found):
        other = [name for name in identity_names(wanted) if head.get(name) != first.get(name)]
        if other:
            raise DataError(
                f"{path}: {other[0]} is {head.get(other[0])}, but {first.get(other[0])} in {paths[0].name}; "
                "the shards are of two databases; run tools/prepare_data.py --force"
            )
    numbers = [head["shard"] for head in found]
    if numbers != list(range(first["shards"])):
        raise DataError(
            f"{list_file}: shards {numbers} of {first['shards']}; run tools/prepare_data.py again"
        )
    pairs = [head["rows"] for head in found]
    if sum(pairs) != first["pairs"]:
        raise DataError(
            f"{list_file}: {sum(pairs)} pairs, expected {first['pairs']}; run tools/prepare_data.py again"
        )
    return Database(
        pairs=sum(pairs),
        sides=wanted.sides,
        shards=paths,
        bytes=sum(path.stat().st_size for path in paths),
        largest_bytes=max(pairs) * patch_bytes(wanted.sides),
        attributes=first,
    )


def is_sample(attributes):
    """Whether a database with these attributes (dict) is a sample of its images' pairs, by --max-pairs."""
    total = attributes["pairs_before_truncation"]
    return attributes["pairs"] < total - total % attributes["batch"]


def heads(paths, wanted):
    """What the shards say they hold: a list of (identity attributes, number of the shard, rows).

    Raises DataError for a shard that is damaged or not cut as `wanted` (Geometry or Sampling).
    """
    found = [_check_shard(path, wanted) for path in paths]
    names = identity_names(wanted)
    return [({name: head[name] for name in names}, head["shard"], head["rows"]) for head in found]


def _check_shard(path, wanted):
    """Check one shard; return its attributes and, under "rows", its number of pairs."""
    again = "make it again with tools/prepare_data.py --force"
    try:
        with h5py.File(path, "r") as file:
            head = {name: _plain(value) for name, value in file.attrs.items()}
            found = {
                name: (file[name].shape, file[name].dtype)
                for name in wanted.sides
                if isinstance(file.get(name), h5py.Dataset)
            }
            for name in found:
                _check_chunks(file[name], path.stat().st_size)
    except (OSError, RuntimeError, ValueError, KeyError) as error:  # h5py has one for each part of the file
        raise DataError(f"{path}: {_why_not_open(error, again)}") from error
    made_for = head.get("method", "idn" if "lr_stride" in head else None)
    if made_for not in (None, wanted.attributes().get("method", "idn")):
        raise DataError(f"{path}: a database for {made_for}, expected one for {wanted.name}; {again}, or name another")
    missing = [name for name in wanted.sides if name not in found]
    if missing:
        raise DataError(f"{path}: no dataset {missing[0]!r}; {again}")
    absent = [name for name in (*identity_names(wanted), "shard") if name not in head]
    if absent:
        raise DataError(f"{path}: no attribute {absent[0]!r}; {again}")
    for name, value in {"format": FORMAT, **wanted.asked()}.items():
        if head[name] != value:
            raise DataError(f"{path}: {name} is {head[name]}, expected {value}; {again}, or name another")
    rows = found["data"][0][0] if found["data"][0] else 0
    for name, shape in shapes(rows, wanted.sides).items():
        if found[name] != (shape, np.dtype("<f4")):
            raise DataError(
                f"{path}: {name} is {found[name][1]} {found[name][0]}, expected float32 {shape}; {again}"
            )
    if rows > most_rows(wanted.sides):
        raise DataError(
            f"{path}: {rows:,} pairs in one file, Caffe reads {most_rows(wanted.sides):,} at most; make it again in "
            "smaller shards with tools/prepare_data.py --force --shard-mb 500"
        )
    if rows == 0 or rows % wanted.batch:
        raise DataError(f"{path}: {rows} pairs, expected a multiple of the batch of {wanted.batch}; {again}")
    return {**head, "rows": rows}


def _check_chunks(dataset, size):
    """Raise OSError when chunks of a dataset cannot be found, or end beyond the file, which has `size` bytes.

    Caffe reads the whole dataset, and HDF5 ends the process over a damaged index that an intact header hides.
    """
    if dataset.chunks is None:
        return
    expected = math.prod(-(-n // m) for n, m in zip(dataset.shape, dataset.chunks))
    ends = []
    dataset.id.chunk_iter(lambda chunk: ends.append(chunk.byte_offset + chunk.size))
    if len(ends) not in (0, expected) or max(ends, default=0) > size:  # 0: nothing was written yet
        raise OSError("its index of chunks is damaged")


def _why_not_open(error, again):
    """What an error of h5py means."""
    said = str(error)
    if "unable to lock file" in said:
        return (
            "locked by another process, which writes to it, or on a disk that knows no locks; wait for that process to "
            "end, or set HDF5_USE_FILE_LOCKING=FALSE"
        )
    if "already open for" in said:
        return f"marked as open for writing by a process that is at work or was killed; wait for it, or {again}"
    no_access = (errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOENT, errno.EISDIR)
    if getattr(error, "errno", None) in no_access:
        return f"cannot be read ({os.strerror(error.errno)})"
    return f"truncated or not HDF5; {again}"


def most_rows(sides):
    """Pairs (int) that a shard may hold: the values of one dataset are one blob, which Caffe counts in an int."""
    return LARGEST_BLOB // max(sides.values()) ** 2


def _plain(value):
    return value.item() if isinstance(value, np.generic) else value


def versions():
    """Versions of what makes the numbers and the file, as one JSON text for an attribute."""
    found = {
        "h5py": h5py.__version__,
        "hdf5": h5py.version.hdf5_version,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }
    return json.dumps(found, sort_keys=True)
