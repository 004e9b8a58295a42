"""The registry of what can be fetched: each file's SHA-256, its size, where its authors keep it, its place here.

`manifest.txt` has one section per release. A section begins with a line `from ADDRESS`, the address at one commit; each
line after it is a file: SHA-256, bytes, path in the release, destination. Make it again from a folder that is laid out
like the destinations with

    python3 -m data_prep.manifest FOLDER > data_prep/manifest.txt
"""

import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from data_prep.digests import file_sha256
from data_prep.errors import DataError
from data_prep.names import BadName, check_path

MANIFEST = Path(__file__).with_name("manifest.txt")
# address of a release at one commit: (folder here, folder in the release, pattern of the files' names)
RELEASES = {
    "https://github.com/Zheng222/IDN-Caffe/raw/482c601336000f5c00b0e93f83a525f0fc917830": (
        ("data/291", "train/291", "*"),
        ("data/Set5", "test/test_data/Set5", "*.bmp"),
        ("data/Set14", "test/test_data/Set14", "*.bmp"),
        ("data/BSD100", "test/test_data/B100", "*.jpg"),
        ("data/Urban100", "test/test_data/Urban100", "*.jpg"),
        ("weights/idn", "test/caffemodel", "IDN_x[234]*.caffemodel"),
    ),
    "https://github.com/huangzehao/caffe-vdsr/raw/5a839232d179c10736ed94e7142068b168b61cf6": (
        ("weights/vdsr", "Test", "VDSR_Official.mat"),
        ("weights/vdsr", "Train", "VDSR_Adam.caffemodel"),
    ),
    "https://github.com/phoenix104104/LapSRN/raw/95154bba82a3aab9bdaec8e0eedd4187babc5ed2": (
        ("weights/lapsrn", "pretrained_models", "LapSRN_x[248].mat"),
    ),
}


@dataclass(frozen=True)
class Entry:
    """A file that can be fetched. Its paths are relative and stay in their folders, or there is no Entry.

    Attributes
    ----------
    sha256 : str
        Hex digest.
    size : int
        Bytes.
    source : str
        Path in the release.
    destination : str
        `data/SET/NAME` or `weights/METHOD/NAME`.
    release : str
        Address of the release's files.

    Raises
    ------
    BadName
        A path would leave its folder, or the destination is not below a folder of data/ or weights/.
    """

    sha256: str
    size: int
    source: str
    destination: str
    release: str

    def __post_init__(self):
        check_path(self.source)
        check_path(self.destination)
        kind, *below = self.destination.split("/")
        if kind not in ("data", "weights") or len(below) < 2:
            raise BadName(f"{self.destination}: expected data/SET/NAME or weights/METHOD/NAME")

    @property
    def address(self):
        """Web address (str) of the file in its release."""
        return f"{self.release}/{quote(self.source)}"

    @property
    def set(self):
        """The set to ask for it by: Set5, ..., or weights for IDN's. None for a compared method's weights."""
        kind, name = self.destination.split("/")[:2]
        return name if kind == "data" else {"idn": "weights"}.get(name)


@lru_cache(maxsize=1)
def registry():
    """All entries of the project's manifest (tuple of Entry)."""
    return tuple(load(MANIFEST))


def load(path):
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
        A line has not four columns, a size that is no number, or a path that would leave its folder; or a file stands
        before the first release.
    """
    entries, release = [], None
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        columns = line.split()
        if not columns or line.startswith("#"):
            continue
        if columns[0] == "from" and len(columns) == 2:
            release = columns[1]
            continue
        if release is None or len(columns) != 4 or not columns[1].isdigit():
            raise DataError(
                f"{path}, line {number}: expected SHA-256, size, path and destination after a line `from ADDRESS`: "
                f"{line!r}"
            )
        digest, size, source, destination = columns
        try:
            entries.append(Entry(digest, int(size), source, destination, release))
        except BadName as error:
            raise BadName(f"{path}, line {number}: {error}") from None
    return entries


def lines_for(folder):
    """Yield the manifest's lines for the files under `folder`, which is laid out like the destinations."""
    yield "# what can be fetched: SHA-256, bytes, path in the release, destination; made by data_prep/manifest.py"
    for release, folders in RELEASES.items():
        yield f"from {release}"
        for here, there, pattern in folders:
            for path in sorted((Path(folder) / here).glob(pattern), key=lambda one: one.name):
                size = path.stat().st_size
                yield f"{file_sha256(path)}  {size}  {there}/{path.name}  {here}/{path.name}"


if __name__ == "__main__":
    print("\n".join(lines_for(sys.argv[1])))
