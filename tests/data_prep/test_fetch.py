"""The manifest, mirrors of every kind, and what fetch does with right, wrong and missing files."""

import hashlib
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest

from data_prep import manifest
from data_prep.errors import DataError
from data_prep.fetch import choose, fetch
from data_prep.manifest import Entry
from data_prep.mirrors import Folder, Releases, Web, open_mirror

FILES = {"a.bmp": b"first" * 100, "b.bmp": b"second" * 200}


def entry(name, content=None, release="https://nowhere.invalid"):
    """An entry for a file of the set Tiny."""
    content = FILES[name] if content is None else content
    digest = hashlib.sha256(content).hexdigest()
    return Entry(digest, len(content), f"test/Tiny/{name}", f"data/Tiny/{name}", release)


ENTRIES = [entry(name) for name in FILES]


@pytest.fixture(params=["test/Tiny", "data/Tiny", "Tiny"])
def served(request, tmp_path):
    """A folder laid out like the release, like the destinations, or like one of their two folders."""
    folder = tmp_path / "served" / request.param
    folder.mkdir(parents=True)
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    return tmp_path / "served"


@pytest.fixture(params=["folder", "web"])
def mirror(request, served, serve):
    """The same files in a folder and on a server."""
    if request.param == "folder":
        yield Folder(served)
        return
    with serve(served) as server:
        yield Web(server.url, retries=2, wait=0)


def run(entries, mirror, tmp_path, **options):
    """Fetch into tmp_path/data; return states by name and the outcomes."""
    outcomes = fetch(entries, mirror, tmp_path / "data", tmp_path / "weights", progress=False, **options)
    return {one.path.name: one.state for one in outcomes}, outcomes


def test_fetches_then_leaves_alone(mirror, tmp_path):
    assert run(ENTRIES, mirror, tmp_path)[0] == {"a.bmp": "fetched", "b.bmp": "fetched"}
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*.bmp")}
    assert {path.name: path.read_bytes() for path in stamps} == FILES
    assert run(ENTRIES, mirror, tmp_path)[0] == {"a.bmp": "present", "b.bmp": "present"}
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    assert sorted(path.name for path in (tmp_path / "data").rglob("*") if path.is_file()) == sorted(FILES)


def test_differing_file_is_kept_unless_forced(mirror, tmp_path):
    target = tmp_path / "data/Tiny/a.bmp"
    target.parent.mkdir(parents=True)
    target.write_bytes(b"mine")
    assert run(ENTRIES, mirror, tmp_path)[0] == {"a.bmp": "differs", "b.bmp": "fetched"}
    assert target.read_bytes() == b"mine"
    assert run(ENTRIES, mirror, tmp_path, force=True)[0] == {"a.bmp": "fetched", "b.bmp": "present"}
    assert target.read_bytes() == FILES["a.bmp"]


def test_wrong_hash_at_the_mirror(mirror, tmp_path):
    wrong = replace(ENTRIES[0], sha256="0" * 64)
    states, outcomes = run([wrong, ENTRIES[1]], mirror, tmp_path)
    assert states == {"a.bmp": "failed", "b.bmp": "fetched"}
    assert "SHA-256 f2a8b6d043f4... of 500 bytes, expected 000000000000... of 500; the mirror" in str(outcomes[0].error)
    assert sorted(path.name for path in (tmp_path / "data").rglob("*") if path.is_file()) == ["b.bmp"]


def test_stale_part_of_another_file(mirror, tmp_path):
    part = tmp_path / "data/Tiny/a.bmp.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"another file's beginning")
    assert run(ENTRIES, mirror, tmp_path)[0]["a.bmp"] == "fetched"
    assert (tmp_path / "data/Tiny/a.bmp").read_bytes() == FILES["a.bmp"]


def test_a_part_is_counted_once(mirror, tmp_path):
    """Whichever of the layouts the mirror has: the progress bar ends at the file's size."""
    part, gained = tmp_path / "a.bmp.part", []
    part.write_bytes(FILES["a.bmp"][:120])
    mirror.get(ENTRIES[0], part, gained.append)
    assert sum(gained) == len(FILES["a.bmp"])


def test_missing_at_the_mirror(mirror, tmp_path):
    states, outcomes = run([entry("c.bmp", b"nowhere")], mirror, tmp_path)
    assert states == {"c.bmp": "failed"}
    assert "test/Tiny/c.bmp" in str(outcomes[0].error)


def test_no_server_ends_at_once(tmp_path, serve):
    with serve(tmp_path) as gone:
        url = gone.url
    with pytest.raises(DataError, match="check the connection"):
        run(ENTRIES, Web(url, retries=0, wait=0), tmp_path)


def test_each_file_from_its_own_release(tmp_path, serve):
    """Without a mirror; the address of a release is taken as it is, whatever is in it."""
    folders = {"a.bmp": "one/raw/482c601", "b.bmp": "raw/two"}
    for name, folder in folders.items():
        path = tmp_path / "site" / folder / "test/Tiny" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(FILES[name])
    with serve(tmp_path / "site") as server:
        entries = [entry(name, release=f"{server.url}/{folder}") for name, folder in folders.items()]
        missing = entry("c.bmp", b"nowhere", f"{server.url}/one")
        states, outcomes = run([*entries, missing], Releases(retries=0, wait=0), tmp_path)
    assert states == {"a.bmp": "fetched", "b.bmp": "fetched", "c.bmp": "failed"}
    assert f"{server.url}/one/test/Tiny/c.bmp: not found (HTTP 404)" in str(outcomes[2].error)
    assert isinstance(open_mirror(), Releases)


def test_mirror_that_is_no_folder(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        open_mirror(str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="expected a folder or an http or https address"):
        open_mirror("ftp://example.org/x")
    assert isinstance(open_mirror(tmp_path.as_uri()), Folder)


def test_manifest_of_the_project():
    entries = manifest.registry()
    # the numbers of images: paper, section 4.1; weights: IDN's, and those of methods, which are in no set
    count = Counter(one.set for one in entries)
    assert count == {"291": 291, "Set5": 5, "Set14": 14, "BSD100": 100, "Urban100": 100, "weights": 4, None: 5}
    assert all(len(one.sha256) == 64 and one.size > 0 for one in entries)
    assert len({one.destination.casefold() for one in entries}) == len(entries)
    # every release at one commit in full, no branch
    assert all(re.fullmatch(r"https://.*/[0-9a-f]{40}", one.release) for one in entries)
    assert entries[-1].address == f"{entries[-1].release}/pretrained_models/LapSRN_x8.mat"


def test_manifest_is_made_from_the_reference_files(shared):
    made = "\n".join(manifest.lines_for(shared)) + "\n"
    assert made == manifest.MANIFEST.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "lines",
    [
        "# fine\nabc twelve a b",
        f"# fine\n{'0' * 64}  12  test/a  data/T/a",
        "from https://nowhere.invalid\nabc 12 a",
    ],
)
def test_damaged_manifest(tmp_path, lines):
    path = tmp_path / "manifest.txt"
    path.write_text(lines + "\n")
    with pytest.raises(DataError, match="line 2: expected SHA-256, size, .* after a line `from ADDRESS`"):
        manifest.load(path)


def test_choose():
    assert {one.set for one in choose([])} == {"291", "Set5", "Set14", "BSD100", "Urban100", "weights"}
    assert {one.set for one in choose(["set5", "Weights"])} == {"Set5", "weights"}
    assert len(choose(["BSD100", "urban100"])) == 200
    with pytest.raises(DataError, match="Set6: no such set; expected 291, Set5, Set14, BSD100, Urban100, weights"):
        choose(["Set6"])


def test_fetching_needs_no_picture(root):
    """So the tool starts at once."""
    code = "import sys, data_prep.fetch, data_prep.mirrors, data_prep.weights; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
