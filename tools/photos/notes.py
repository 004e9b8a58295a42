"""The notes in a result: what made it, of what, with which weights; so that the same job is known again.

PNG has all of them; TIFF has only the first.
"""

from data_prep.digests import file_sha256
from tools.common import cli
from tools.methods import trained
from tools.photos import png

NAME = "idn-caffe tools/upscale.py"  # what made the file


def of(enlarger, path, device, engine):
    """The notes (dict of str) of all results of an Enlarger with the weights `path` (Path or None)."""
    return {
        "Software": NAME,
        "Model": enlarger.method.name,
        "Scale": str(enlarger.scale),
        "Weights": _weights(path) if path else "none",
        "Engine": f"{engine} on {device}" if path else "none",
    }


def _weights(path):
    here = f", {trained.HERE}" if trained.label(path) else ""
    return f"{cli.printable(path.name)} SHA-256 {file_sha256(path)}{here}"


def with_source(notes, sha256):
    """`notes`, and the SHA-256 (str) of the file that is enlarged."""
    return {**notes, "Source": sha256}


def read(path):
    """The notes (dict of str) of a PNG that exists; empty for anything else."""
    try:
        with path.open("rb") as stream:
            return png.read_texts(stream)
    except OSError:
        return {}


def is_ours(path):
    """Whether a file is a result of tools/upscale.py."""
    return read(path).get("Software") == NAME
