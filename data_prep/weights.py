"""Published weights of the methods, data_prep/weights.json: which file serves which method, where its authors offer it.

A file belongs at WEIGHTS/<method>/<name>; whatever put it there, it is found by that name. For a .mat file a
.caffemodel of the same name beside it (tools/import_weights.py) serves as well and is preferred. Which of them can be
fetched, from where and with which SHA-256, stands in data_prep/manifest.txt.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Optional

from data_prep.errors import DataError
from data_prep.manifest import registry

PUBLISHED = Path(__file__).with_name("weights.json")
OURS = Path(__file__).resolve().parent.parent / "results" / "models"


@dataclass(frozen=True)
class Model:
    """A weight file that somebody published.

    Attributes
    ----------
    method : str
        As in the tables.
    scales : tuple of int
        The factors it serves.
    file : str
        Its place below the weights folder.
    page : str
        Where its authors offer it.
    licence : str
        What is known of its licence.
    note : str or None
    """

    method: str
    scales: tuple
    file: str
    page: str
    licence: str
    note: Optional[str] = None

    @property
    def entry(self):
        """The Entry of the manifest to fetch it by, or None where it has to be put into its place by hand."""
        return next((entry for entry in registry() if entry.destination == f"weights/{self.file}"), None)


@lru_cache(maxsize=1)
def _published():
    try:
        return json.loads(PUBLISHED.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{PUBLISHED}: cannot be read ({error}); take the file from this repository again") from None


def models(method=None):
    """All published models (list of Model), or those of one method, best first."""
    entries = [Model(**{**entry, "scales": tuple(entry["scales"])}) for entry in _published()["models"]]
    return [model for model in entries if method in (None, model.method)]


def citation(method):
    """The paper (str) to cite for a method, whatever its configuration ("DRRN-B1U9" is DRRN's)."""
    return _published()["citations"][method.split("-", 1)[0]]


def methods():
    """Names of the methods that have published weights or could have (list of str)."""
    return list(dict.fromkeys(model.method for model in models()))


def named(text):
    """Our spelling of a method's name in any case; raises DataError."""
    spelling = {name.lower(): name for name in methods()}
    if text.lower() not in spelling:
        raise DataError(f"{text}: no such method; expected {', '.join(methods())}")
    return spelling[text.lower()]


def find(folder, method, scale):
    """The weight file (Path) of a method and factor in a weights folder, or None.

    Published files come first, then one that tools/train.py has made there.

    Parameters
    ----------
    folder : str or Path
    method : str
    scale : int
    """
    for model in models(method):
        if scale in model.scales:
            path = Path(folder) / model.file
            for candidate in (path.with_suffix(".caffemodel"), path):
                if candidate.is_file():
                    return candidate
    made = Path(folder) / place(method, scale)
    return made if made.is_file() else None


def place(method, scale):
    """Where weights that were trained here belong in a weights folder (str): fsrcnn/FSRCNN_x3.caffemodel."""
    return f"{method.lower()}/{method}_x{scale}.caffemodel"


def find_ours(method, scale):
    """The weight file (Path) of a method and factor that was trained here, in results/models, or None."""
    paths = OURS / f"{method.lower()}_x{scale}.caffemodel", OURS / place(method, scale)
    return next((path for path in paths if path.is_file()), None)


def gap(method, scale):
    """One line (str): which file is missing and where to get it."""
    model = next((m for m in models(method) if scale in m.scales), None)
    if model is None:
        return f"no weights of {method} at x{scale} are published"
    how = f"`make fetch METHOD={method}`, or {model.page}" if model.entry else model.page
    note = f"; {model.note}" if model.note and not model.entry else ""
    return f"no weights of {method} at x{scale} (no {model.file} in the weights folder; get it: {how}{note})"


def idn_weights(weights_dir, scale):
    """IDN's weights (Path) for a factor, the released ones or those trained here; None when there are none."""
    return find(weights_dir, "IDN", scale) or find_ours("IDN", scale)
