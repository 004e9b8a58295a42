"""The manifest, mirrors of every kind, and what fetch does with right, wrong and missing files."""

import hashlib
import json

import cv2
import numpy as np
import pytest

from data_prep import fetch as fetching
from data_prep import manifest
from data_prep.errors import DataError
from data_prep.fetch import choose, fetch, git_blob, read_lock
from data_prep.manifest import Entry
from data_prep.mirrors import Folder, GitHub, Web, open_mirror, parse_listing

IMAGE = cv2.imencode(".jpg", np.full((8, 9, 3), 77, np.uint8))[1].tobytes()
FILES = {"a.bmp": b"first" * 100, "b.bmp": b"second" * 200}


def entry(name, content=None):
    """A pinned entry for a file of the set Tiny."""
    content = FILES[name] if content is None else content
    digest = hashlib.sha256(content).hexdigest()
    return Entry(digest, len(content), f"test/Tiny/{name}", f"data/Tiny/{name}")


PATTERN = Entry(None, 2, "test/B/*.jpg", "data/Big/")
ENTRIES = [entry(name) for name in FILES]


@pytest.fixture(params=["source", "destination"])
def served(request, tmp_path):
    """A folder laid out like the repository, or like the destinations."""
    for name, content in FILES.items():
        one = entry(name)
        path = tmp_path / "served" / (one.source if request.param == "source" else one.destination)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    big = tmp_path / "served" / ("test/B" if request.param == "source" else "data/Big")
    big.mkdir(parents=True)
    for name in ("1.jpg", "2.jpg"):
        (big / name).write_bytes(IMAGE)
    (big / "notes.txt").write_text("not one of them")
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
    wrong = Entry("0" * 64, len(FILES["a.bmp"]), "test/Tiny/a.bmp", "data/Tiny/a.bmp")
    states, outcomes = run([wrong, ENTRIES[1]], mirror, tmp_path)
    assert states == {"a.bmp": "failed", "b.bmp": "fetched"}
    assert "expected 000000000000... of the manifest" in str(outcomes[0].error)
    assert sorted(path.name for path in (tmp_path / "data").rglob("*") if path.is_file()) == ["b.bmp"]


def test_stale_part_of_another_file(mirror, tmp_path):
    part = tmp_path / "data/Tiny/a.bmp.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"another file's beginning")
    assert run(ENTRIES, mirror, tmp_path)[0]["a.bmp"] == "fetched"
    assert (tmp_path / "data/Tiny/a.bmp").read_bytes() == FILES["a.bmp"]


def test_missing_at_the_mirror(mirror, tmp_path):
    states, outcomes = run([entry("c.bmp", b"nowhere")], mirror, tmp_path)
    assert states == {"c.bmp": "failed"}
    assert "test/Tiny/c.bmp" in str(outcomes[0].error)


def test_unpinned_files_are_listed_recorded_and_compared(mirror, served, tmp_path):
    assert run([PATTERN], mirror, tmp_path)[0] == {"1.jpg": "fetched", "2.jpg": "fetched"}
    lock = tmp_path / "data" / fetching.LOCK
    digest = hashlib.sha256(IMAGE).hexdigest()
    assert read_lock(lock) == {"data/Big/1.jpg": digest, "data/Big/2.jpg": digest}
    (tmp_path / "data/Big/1.jpg").write_bytes(b"changed here")
    assert run([PATTERN], mirror, tmp_path)[0] == {"1.jpg": "differs", "2.jpg": "present"}
    (tmp_path / "data/Big/1.jpg").unlink()
    other = cv2.imencode(".jpg", np.full((8, 9, 3), 99, np.uint8))[1].tobytes()
    next(served.rglob("1.jpg")).write_bytes(other)
    states, outcomes = run([PATTERN], mirror, tmp_path)
    assert states == {"1.jpg": "failed", "2.jpg": "present"}
    assert "of fetch.lock" in str(outcomes[0].error)


def test_unpinned_image_must_decode(mirror, served, tmp_path):
    next(served.rglob("2.jpg")).write_bytes(IMAGE[: len(IMAGE) // 2])
    states, outcomes = run([PATTERN], mirror, tmp_path)
    assert states == {"1.jpg": "fetched", "2.jpg": "failed"}
    assert "truncated or damaged" in str(outcomes[1].error)
    assert not (tmp_path / "data/Big/2.jpg").exists()


def test_pattern_with_another_number_of_files(mirror, served, tmp_path):
    next(served.rglob("2.jpg")).unlink()
    with pytest.raises(DataError, match=r"Big: 1 files like test/B/\*.jpg at .*, expected 2"):
        run([PATTERN], mirror, tmp_path)


def test_no_server_ends_at_once(tmp_path, serve):
    with serve(tmp_path) as gone:
        url = gone.url
    with pytest.raises(DataError, match="check the connection"):
        run(ENTRIES, Web(url, retries=0, wait=0), tmp_path)


def test_blob_of_a_listing_decides(served, tmp_path):
    """An entry that GitHub listed is checked against git's own hash."""
    good = git_blob(next(served.rglob("1.jpg")))
    one = Entry(None, len(IMAGE), "test/B/1.jpg", "data/Big/1.jpg", blob=good)
    two = Entry(None, len(IMAGE), "test/B/2.jpg", "data/Big/2.jpg", blob="0" * 40)
    states, outcomes = run([one, two], Folder(served), tmp_path)
    assert states == {"1.jpg": "fetched", "2.jpg": "failed"}
    assert "not the file of the pinned commit" in str(outcomes[1].error)


@pytest.fixture
def github(tmp_path, serve):
    """GitHub's addresses on a local server, which knows the commit in full only: (mirror, server)."""
    full = manifest.COMMIT + "0" * 33
    raw = tmp_path / "site" / manifest.REPOSITORY / "raw" / full / "test"
    api = tmp_path / "site/repos" / manifest.REPOSITORY
    for folder in (raw / "Tiny", raw / "B", api / "commits", api / "contents/test"):
        folder.mkdir(parents=True)
    for name, content in FILES.items():
        (raw / "Tiny" / name).write_bytes(content)
    listing = []
    for name in ("1.jpg", "2.jpg"):
        (raw / "B" / name).write_bytes(IMAGE)
        listing.append({"type": "file", "name": name, "size": len(IMAGE), "sha": git_blob(raw / "B" / name)})
    (api / "contents/test/B").write_text(json.dumps(listing))
    (api / "commits" / manifest.COMMIT).write_text(json.dumps({"sha": full}))
    with serve(tmp_path / "site") as server:
        yield GitHub(retries=0, wait=0, site=server.url, api=server.url), server


def test_github_with_the_full_commit(github, tmp_path):
    mirror, server = github
    states, outcomes = run([*ENTRIES, PATTERN], mirror, tmp_path)
    assert states == dict.fromkeys(("a.bmp", "b.bmp", "1.jpg", "2.jpg"), "fetched")
    assert [one.entry.blob is not None for one in outcomes] == [False, False, True, True]
    states, outcomes = run([entry("c.bmp", b"nowhere")], mirror, tmp_path)
    assert "not found (HTTP 404)" in str(outcomes[0].error)


def test_github_that_limits_its_listing(github, tmp_path):
    mirror, server = github
    server.fail[f"repos/{manifest.REPOSITORY}/contents/test/B"] = [403]
    with pytest.raises(DataError, match=r"refused \(HTTP 403 .*\); try later, or use a mirror"):
        run([PATTERN], mirror, tmp_path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        # `git hash-object` of git 2.39.5; the tests must run where git is not installed
        (b"", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
        (b"hello\n", "ce013625030ba8dba906f756967f9e9ca394464a"),
        (bytes(range(256)) * 3, "d88d75086be4e95d2edadda5a4361e3e64e8532f"),
    ],
)
def test_git_blob_is_gits(tmp_path, content, told):
    path = tmp_path / "file"
    path.write_bytes(content)
    assert git_blob(path) == told


def test_listing_as_github_answers():
    # the fields and values of GitHub's documented answer to GET /repos/.../contents/FOLDER
    answer = [
        {"type": "file", "size": 625, "name": "1.jpg", "sha": "fff4", "path": "test/B/1.jpg"},
        {"type": "dir", "size": 0, "name": "more", "sha": "a84d", "path": "test/B/more"},
    ]
    assert parse_listing(json.dumps(answer).encode(), "url") == {"1.jpg": (625, "fff4")}
    with pytest.raises(DataError, match="not the listing of a folder"):
        parse_listing(b'{"message": "rate limit"}', "url")


def test_mirror_that_is_no_folder(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        open_mirror(str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="expected a folder or an http or https address"):
        open_mirror("ftp://example.org/x")
    assert isinstance(open_mirror(tmp_path.as_uri()), Folder)


def test_manifest_of_the_project():
    entries = manifest.load()
    names, pinned = manifest.set_names(entries)
    assert names == ["291", "Set5", "Set14", "weights", "BSD100", "Urban100"]
    assert pinned == ["291", "Set5", "Set14", "weights"]
    # the numbers of images: paper, section 4.1
    count = {name: sum(one.set == name and not one.is_pattern for one in entries) for name in names}
    assert count == {"291": 291, "Set5": 5, "Set14": 14, "weights": 3, "BSD100": 0, "Urban100": 0}
    assert all(len(one.sha256) == 64 and one.size > 0 for one in entries if not one.is_pattern)
    assert len({one.destination for one in entries}) == len(entries)


def test_manifest_of_the_project_fits_the_reference_files(shared):
    entries = [one for one in manifest.load() if not one.is_pattern]
    wrong = [
        one.destination
        for one in entries
        if hashlib.sha256((shared / one.destination).read_bytes()).hexdigest() != one.sha256
    ]
    assert (len(entries), wrong) == (313, [])


def test_damaged_manifest(tmp_path):
    path = tmp_path / "manifest.txt"
    path.write_text("# fine\nabc twelve a b\n")
    with pytest.raises(DataError, match="line 2: expected SHA-256, size"):
        manifest.load(path)


def test_choose():
    assert {one.set for one in choose([])} == {"291", "Set5", "Set14", "weights"}
    assert {one.set for one in choose(["set5", "Weights"])} == {"Set5", "weights"}
    assert [one.is_pattern for one in choose(["BSD100"])] == [True]
    with pytest.raises(DataError, match="Set6: no such set; expected 291, Set5"):
        choose(["Set6"])
