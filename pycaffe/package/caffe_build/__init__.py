"""What this build adds to upstream's files: facts about itself, mends, and the start of the `caffe` program."""

import json
from pathlib import Path


def info():
    """What this Caffe is, in words that can be written as JSON.

    Returns
    -------
    dict of str to str
        "project": version of the toolkit that is installed beside it; None where Caffe's wheel stands alone. The rest
        is what the wheel was built from: commit, source digest, variant, compiler and library versions.
    """
    built_from = json.loads((Path(__file__).parent / "info.json").read_text(encoding="utf-8"))
    return {"project": _project_version(), **built_from}


def _project_version():
    # asked when it is wanted, not built in: a wheel serves every later version of the toolkit that needs no other one
    from importlib import metadata  # takes longer than the rest of this package

    try:
        return metadata.version("idn-caffe")
    except metadata.PackageNotFoundError:
        return None
