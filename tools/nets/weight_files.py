"""What a weight file is, told by its content, and the arrays of those that Caffe's protobuf parser does not read.

Names do not count: VDSR.MAT, a file without a suffix and one whose name is not UTF-8 are read like any other.
"""

import json
import math
import stat
import subprocess
from pathlib import Path

import numpy as np

from tools.common import parent
from tools.common.errors import UserError

READER = "tools.nets.weight_reader"
LARGEST = 2**31 - 1  # bytes; neither protobuf nor MATLAB's version 5 goes further
SECONDS = 300
HEAD = 1024
EXPECTED = "expected a .caffemodel, its HDF5 form (.caffemodel.h5) or a .mat of the authors"

HDF5, MAT, OTHER = "hdf5", "mat", "other"
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
# first bytes: what the file is
_FOREIGN = (
    (b"PK\x03\x04", "a ZIP archive (such as PyTorch's .pth or NumPy's .npz)"),
    (b"\x1f\x8b", "compressed with gzip"),
    (b"\x93NUMPY", "a NumPy array (.npy)"),
    (b"\x80\x02", "a Python pickle (such as an old .pth)"),
    (b"\x80\x03", "a Python pickle (such as an old .pth)"),
    (b"\x80\x04", "a Python pickle (such as an old .pth)"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself (git lfs pull)"),
    (b"<!DOCTYPE", "a web page that was saved instead of the file"),
    (b"<!doctype", "a web page that was saved instead of the file"),
    (b"<html", "a web page that was saved instead of the file"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
)


def kind(path, expected=EXPECTED):
    """What a file is, from its first bytes.

    Parameters
    ----------
    path : str or Path
    expected : str
        For the message.

    Returns
    -------
    str
        HDF5, MAT or OTHER (perhaps a .caffemodel).

    Raises
    ------
    UserError
        No such file, a folder, an empty one, or one that certainly holds no weights; the text says what it is.
    """
    path = Path(path)
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(
            f"{path}: no such file, {expected}; check the name, or get the released weights with `make fetch`"
        ) from None
    if stat.S_ISDIR(mode):
        raise UserError(f"{path}: is a folder, {expected}")
    if not stat.S_ISREG(mode):
        raise UserError(f"{path}: is no regular file, {expected}; save it first")
    with path.open("rb") as file:
        head = file.read(HEAD)
    size = path.stat().st_size
    if not head:
        raise UserError(f"{path}: is empty (0 bytes), {expected}; get it again")
    if size > LARGEST:
        raise UserError(f"{path}: has {size:,} bytes, and Caffe reads no more than {LARGEST:,}; {expected}")
    if head.startswith(b"MATLAB 7.3 MAT-file") or head[126:128] in (b"IM", b"MI") or head.startswith(b"MATLAB 5.0 MAT"):
        return MAT
    if head.startswith(_HDF5_SIGNATURE):
        return HDF5
    for signature, name in _FOREIGN:
        if head.startswith(signature):
            raise UserError(f"{path}: is {name}; {expected}")
    # a .mat of version 4 has no signature; a .caffemodel begins with the net's name, its length in the second byte
    named = head[:1] == b"\n" and head[1:2] not in (b"", b"\0")
    return MAT if path.suffix.lower() == ".mat" and not named else OTHER


def is_text(path):
    """Whether a file begins with readable text, such as a prototxt does."""
    with Path(path).open("rb") as file:
        head = file.read(HEAD)
    if b"\0" in head:
        return False
    text = head.decode("utf-8", "ignore")
    return len(text) >= len(head) - 4 and all(char.isprintable() or char.isspace() for char in text)


def listed(names, most=3):
    """The first `most` of `names` (iterable of str) in one line (str), as they can be printed."""
    names = list(names)
    shown = ["".join(char if char.isprintable() else "?" for char in name)[:60] for name in names[:most]]
    return ", ".join(shown + ["..."] * (len(names) > most))


def arrays(path, layout):
    """Arrays of a file, read in a process of its own.

    Parameters
    ----------
    path : Path
    layout : str
        "hdf5", or one of weight_reader.LAYOUTS for a .mat.

    Returns
    -------
    (dict of str to ndarray float32, list of str)
        The arrays, and, where there are none because the file has another layout, what it holds.

    Raises
    ------
    UserError
        The file is damaged, claims too much, or is of a kind that is not read.
    """
    command = parent.command(READER, layout)
    try:
        with Path(path).open("rb") as file:
            environment = parent.environment()
            done = subprocess.run(command, stdin=file, capture_output=True, timeout=SECONDS, env=environment)
    except subprocess.TimeoutExpired:
        raise UserError(f"{path}: could not be read within {SECONDS} s; {EXPECTED}") from None
    if done.returncode:
        short = done.returncode == parent.NO_MEMORY
        why = "no memory" if short else f"its reader ended with status {done.returncode}"
        raise UserError(f"{path}: cannot be read, damaged or not what it claims to be ({why}); get it again")
    line, _, content = done.stdout.partition(b"\n")
    said = json.loads(line)
    if "error" in said:
        raise UserError(f"{path}: {said['error']}")
    if "holds" in said:
        return {}, said["holds"]
    return dict(_cut(said["arrays"], memoryview(content))), []


def _cut(described, content):
    start = 0
    for name, shape in described:
        end = start + 4 * math.prod(shape)
        yield name, np.frombuffer(content[start:end], np.float32).reshape(shape)
        start = end
