"""Downloads against a local server that breaks off, refuses, ignores ranges, or sends another file."""

import pytest

from data_prep.download import NotFound, Unreachable, download
from data_prep.errors import DataError

CONTENT = bytes(range(256)) * 40
SIZE = len(CONTENT)


@pytest.fixture
def mirror(tmp_path, serve):
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "file.bin").write_bytes(CONTENT)
    with serve(folder) as server:
        yield server


@pytest.fixture
def part(tmp_path):
    return tmp_path / "file.bin.part"


def get(mirror, part, size=SIZE, retries=3, name="file.bin"):
    """Download; return the number of bytes reported."""
    gained = []
    download(f"{mirror.url}/{name}", part, size, gained.append, retries=retries, wait=0)
    return sum(gained)


def test_whole_file_in_one_request(mirror, part):
    assert get(mirror, part) == len(CONTENT)
    assert part.read_bytes() == CONTENT
    assert mirror.requests == [("file.bin", None)]


def test_goes_on_where_an_earlier_run_stopped(mirror, part):
    part.write_bytes(CONTENT[:1000])
    assert get(mirror, part) == len(CONTENT)
    assert part.read_bytes() == CONTENT
    assert mirror.requests == [("file.bin", "bytes=1000-")]


def test_goes_on_after_a_truncated_answer(mirror, part):
    mirror.truncate["file.bin"] = 2
    assert get(mirror, part) == len(CONTENT)
    assert part.read_bytes() == CONTENT
    half = len(CONTENT) // 2
    assert [wanted for _, wanted in mirror.requests] == [None, f"bytes={half}-", f"bytes={half + half // 2}-"]


def test_server_without_ranges_starts_over(mirror, part):
    mirror.ranges = False
    part.write_bytes(b"x" * 1000)
    assert get(mirror, part) == len(CONTENT)
    assert part.read_bytes() == CONTENT


def test_finished_part_needs_no_request(mirror, part):
    part.write_bytes(CONTENT)
    assert get(mirror, part) == len(CONTENT)
    assert mirror.requests == []


def test_too_long_part_is_thrown_away(mirror, part):
    part.write_bytes(b"x" * (len(CONTENT) + 5))
    assert get(mirror, part) == len(CONTENT)
    assert part.read_bytes() == CONTENT


def test_range_past_the_end_starts_over(mirror, part):
    """The part is longer than the server's file, shorter than the one that is expected: HTTP 416."""
    part.write_bytes(b"x" * (SIZE + 5))
    get(mirror, part, size=SIZE + 9)
    assert part.read_bytes() == CONTENT
    assert mirror.requests == [("file.bin", f"bytes={SIZE + 5}-"), ("file.bin", None)]


def test_passing_failures_are_tried_again(mirror, part):
    mirror.fail["file.bin"] = [503, 429, 500]
    get(mirror, part)
    assert part.read_bytes() == CONTENT
    assert len(mirror.requests) == 4


def test_gives_up_and_keeps_what_came(mirror, part):
    mirror.truncate["file.bin"] = 9
    with pytest.raises(Unreachable, match=r"connection ended after 7,680 of 10,240 bytes \(2 attempts\)"):
        get(mirror, part, retries=1)
    assert part.read_bytes() == CONTENT[:7680]


def test_missing_file_is_not_asked_for_twice(mirror, part):
    with pytest.raises(NotFound, match="nowhere.bin: not found"):
        get(mirror, part, name="nowhere.bin")
    assert len(mirror.requests) == 1
    assert not part.exists()


def test_forbidden_is_not_tried_again(mirror, part):
    mirror.fail["file.bin"] = [403]
    with pytest.raises(DataError, match="refused \\(HTTP 403"):
        get(mirror, part)
    assert len(mirror.requests) == 1


def test_longer_file_than_the_manifest_says(mirror, part):
    with pytest.raises(DataError, match="sends more bytes than the manifest says"):
        get(mirror, part, size=100)
    assert not part.exists()


def test_no_server(part, serve):
    with serve(part.parent) as gone:
        url = gone.url
    with pytest.raises(Unreachable, match="check the connection and run again, or name a mirror"):
        download(f"{url}/file.bin", part, SIZE, [].append, retries=1, wait=0)
