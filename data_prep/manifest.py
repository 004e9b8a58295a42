"""What can be fetched: the list of files of the authors' release, each with its SHA-256, size and place.

`manifest.txt` has a line a file: SHA-256, bytes, path in the repository, destination. A line whose path
ends in a pattern stands for a folder whose files nobody has pinned yet: `-`, how many files, pattern,
folder. Make the pinned lines again from a folder that is laid out like the destinations with

    python3 -m data_prep.manifest FOLDER > data_prep/manifest.txt
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from data_prep.errors import DataError
from data_prep.images import file_sha256
from data_prep.names import BadName, check_path

REPOSITORY = "Zheng222/IDN-Caffe"
COMMIT = "482c601"
MANIFEST = Path(__file__).with_name("manifest.txt")
# destination folder, folder in the repository, ending; None for what is pinned, else the number of files
FOLDERS = (
    ("data/291", "train/291", "*", None),
    ("data/Set5", "test/test_data/Set5", "*.bmp", None),
    ("data/Set14", "test/test_data/Set14", "*.bmp", None),
    ("weights/idn", "test/caffemodel", "*.caffemodel", None),
    ("data/BSD100", "test/test_data/B100", "*.jpg", 100),
    ("data/Urban100", "test/test_data/Urban100", "*.jpg", 100),
)


@dataclass(frozen=True)
class Entry:
    """A file to fetch, or a pattern that stands for several.

    Whatever made it, a manifest, a registry or a mirror's list of files: its paths are relative and stay in their
    folders, or there is no Entry.

    Attributes
    ----------
    sha256 : str or None
        Pinned hex digest; None where nobody has pinned one.
    size : int or None
        Bytes; None when unknown. The number of files in a pattern.
    source : str
        Path in the authors' repository.
    destination : str
        `data/SET/NAME` or `weights/idn/NAME`; a folder with a final slash for a pattern.
    blob : str or None
        Git's own hash of the file at the pinned commit, where a listing gave it.

    Raises
    ------
    BadName
        A path would leave its folder, or the destination is not below a folder of data/ or weights/.
    """

    sha256: Optional[str]
    size: Optional[int]
    source: str
    destination: str
    blob: Optional[str] = None

    def __post_init__(self):
        check_path(self.source)
        check_path(self.destination)
        kind, *below = self.destination.split("/")
        if kind not in ("data", "weights") or len(below) < 2:
            raise BadName(f"{self.destination}: expected data/SET/NAME or weights/METHOD/NAME")

    @property
    def set(self):
        """The name to ask for it by: Set5, ..., or weights."""
        kind, name = self.destination.split("/")[:2]
        return kind if kind == "weights" else name

    @property
    def is_pattern(self):
        """Whether this stands for all files that match a pattern."""
        return self.destination.endswith("/")


def load(path=MANIFEST):
    """Read a manifest.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    list of Entry

    Raises
    ------
    DataError
        A line has not four columns, a size that is no number, or a path that would leave its folder.
    """
    entries = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        columns = line.split()
        if len(columns) != 4 or not columns[1].isdigit():
            raise DataError(f"{path}, line {number}: expected SHA-256, size, path and destination: {line!r}")
        digest, size, source, destination = columns
        try:
            entries.append(Entry(None if digest == "-" else digest, int(size), source, destination))
        except BadName as error:
            raise BadName(f"{path}, line {number}: {error}") from None
    return entries


def set_names(entries):
    """Names of the sets in a manifest, in its order: (all, those fetched when none is named)."""
    names = list(dict.fromkeys(entry.set for entry in entries))
    unpinned = {entry.set for entry in entries if entry.is_pattern}
    return names, [name for name in names if name not in unpinned]


def lines_for(folder):
    """Yield the manifest's lines for the files under `folder`, which is laid out like the destinations."""
    yield f"# files of {REPOSITORY} at commit {COMMIT}; made by: python3 -m data_prep.manifest FOLDER"
    yield "# sha256  bytes  path in the repository  destination; - and a count where nothing is pinned"
    for destination, source, pattern, unpinned in FOLDERS:
        if unpinned:
            yield f"-  {unpinned}  {source}/{pattern}  {destination}/"
            continue
        for path in sorted((Path(folder) / destination).glob(pattern), key=lambda one: one.name):
            names = f"{source}/{path.name}  {destination}/{path.name}"
            yield f"{file_sha256(path)}  {path.stat().st_size}  {names}"


if __name__ == "__main__":
    print("\n".join(lines_for(sys.argv[1])))
