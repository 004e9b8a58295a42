"""Lists of shards: what is written, what is read, and what is refused."""

import pytest

from data_prep import shard_list
from data_prep.errors import DataError
from data_prep.hdf5 import check_database
from data_prep.shard_list import write_list


def shard(database, number=0):
    return database.with_suffix("") / f"{number:05d}.h5"


def test_list_names_absolute_paths_in_order(database):
    paths = database.read_text().splitlines()
    assert paths == [str(shard(database, number)) for number in range(3)]
    assert all(path.startswith("/") for path in paths)


def test_moved_database(database):
    moved = database.parent / "moved"
    database.with_suffix("").rename(moved)
    with pytest.raises(DataError, match="train.txt: names .*00000.h5, which is not there; has the database moved"):
        check_database(database, 3, "train")
    assert check_database(write_list(moved), 3, "train").pairs == 320


@pytest.mark.parametrize("name", ["my data", "caf\udce9", "\u0431\u0430\u0437\u0430", "tab\tin "])
def test_any_name_can_be_listed(database, name):
    moved = database.parent / name
    database.with_suffix("").rename(moved)
    assert check_database(write_list(moved), 3, "train").shards == shard_list.shard_paths(moved)
    assert shard_list.caffe_splits(moved) == (len(name.split()) > 1 or name != name.strip())
    assert not shard_list.caffe_splits(database)


def test_a_line_break_in_the_path_is_refused(database):
    moved = database.parent / "two\nlines"
    database.with_suffix("").rename(moved)
    with pytest.raises(DataError, match="has a line break; choose another --out"):
        write_list(moved)


def test_a_link_keeps_its_own_name(database, tmp_path):
    """The folder it leads to may have a blank, where Caffe would split the list."""
    moved = tmp_path / "with a blank"
    database.with_suffix("").rename(moved)
    (tmp_path / "link").symlink_to(moved)
    assert str(tmp_path / "link" / "00000.h5") in write_list(tmp_path / "link").read_text()


@pytest.mark.parametrize(
    "form", ["{0}\r\n{1}\r\n{2}\r\n", "\ufeff{0}\n{1}\n{2}", "{0} {1}\t{2}\n", "\n {0}\n\n{1}\n{2}\n"]
)
@pytest.mark.parametrize("relative", [False, "folder", "list"])
def test_lists_written_by_hand(database, form, relative, monkeypatch):
    """Lines as Windows ends them, blanks as Caffe splits at them; relative as Caffe has it, or to the list."""
    paths = [shard(database, number) for number in range(3)]
    if relative:
        paths = [path.relative_to(database.parent) for path in paths]
    monkeypatch.chdir(database.parent if relative == "folder" else database.parent.parent)
    database.write_bytes(form.format(*paths).encode())
    found = check_database(database, 3, "train")
    assert found.pairs == 320 and [path.name for path in found.shards] == ["00000.h5", "00001.h5", "00002.h5"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("", "train.txt: empty, expected one HDF5 file a line"),
        ("/nowhere/00000.h5\n", "names /nowhere/00000.h5, which is not there"),
        ("{0}\n{2}\n", r"shards \[0, 2\] of 3"),
        ("{1}\n{0}\n{2}\n", r"shards \[1, 0, 2\] of 3"),
    ],
)
def test_damaged_list(database, lines, message):
    database.write_text(lines.format(*(shard(database, number) for number in range(3))))
    with pytest.raises(DataError, match=message):
        check_database(database, 3, "train")


def test_missing_or_binary_list(tmp_path):
    with pytest.raises(DataError, match="none.txt: no such list of HDF5 files; run tools/prepare_data.py"):
        check_database(tmp_path / "none.txt", 3, "train")
    (tmp_path / "binary.txt").write_bytes(b"\x89HDF\xff")
    with pytest.raises(DataError, match="not a readable text list"):
        check_database(tmp_path / "binary.txt", 3, "train")
    with pytest.raises(DataError, match="not a readable text list"):
        check_database(tmp_path, 3, "train")


def test_list_of_an_empty_folder(tmp_path):
    with pytest.raises(DataError, match="no HDF5 shards"):
        write_list(tmp_path)
