"""The version of this project. Standard library only: the set-up uses it."""

import re

from tools.common.paths import ROOT

PROJECT = "idn-caffe"


def project():
    """Version (str) of this project: that of pyproject.toml, where alone it stands."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    # Python has a reader of TOML from 3.11 on
    return re.search(r'^version = "(.+)"$', text, re.MULTILINE)[1]
