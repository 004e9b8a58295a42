"""What this build adds to upstream's files: facts about itself, mends, and the start of the `caffe` program."""

import json
from pathlib import Path


def info():
    """Return what the wheel was built from: commit, source digest, variant, compiler and library versions."""
    return json.loads((Path(__file__).parent / "info.json").read_text(encoding="utf-8"))
