"""Atomic files: what a full disk, a kill and an odd name leave."""

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep import files

FULL = Path("/dev/full")
ODD = os.fsdecode(b"caf\xe9 \xff")  # Latin-1 bytes: no UTF-8


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", ["a.json", ODD + ".txt", "x" * 251 + ".png", "no_suffix", "日本.csv", ".hidden"])
def test_any_name_is_written_whole(tmp_path, name):
    files.write_text(tmp_path / name, "ü\n")
    assert names(tmp_path) == [name]
    assert (tmp_path / name).read_bytes() == b"\xc3\xbc\n"


def test_failed_block_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "kept.txt"
    path.write_text("old")
    with pytest.raises(ValueError), files.atomic_path(path) as temporary:
        temporary.write_text("half")
        raise ValueError
    assert (names(tmp_path), path.read_text()) == (["kept.txt"], "old")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_full_disk_names_the_final_file(tmp_path):
    path = tmp_path / "report.json"
    with pytest.raises(OSError) as caught, files.atomic_path(path), FULL.open("w") as stream:
        stream.write("x")
        stream.flush()
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))


def test_folder_that_refuses_names_the_final_file(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError) as caught:
        files.write_text(tmp_path / "file" / "a.txt", "")
    assert str(tmp_path / "file") in str(caught.value) and ".part" not in str(caught.value)


def test_a_planted_link_is_not_followed(tmp_path, monkeypatch):
    (tmp_path / "victim").write_text("untouched")
    monkeypatch.setattr(files, "_temporary_name", lambda path: ".guessed.part")
    (tmp_path / ".guessed.part").symlink_to(tmp_path / "victim")
    files.write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "victim").read_text() == "untouched"
    assert (tmp_path / "a.txt").read_text() == "new" and not (tmp_path / "a.txt").is_symlink()


def test_errors_of_other_files_keep_their_name(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, files.atomic_path(tmp_path / "a.txt"):
        (tmp_path / "missing").read_bytes()
    assert caught.value.filename == str(tmp_path / "missing")


LEAVE = """
import os, signal, sys
from data_prep import files
with files.atomic_path(sys.argv[1]) as temporary:
    temporary.write_bytes(b"half")
    if sys.argv[2] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    print("ready", flush=True)
    sys.stdin.read()
"""


def leave(root, path, how):
    return subprocess.Popen(
        [sys.executable, "-c", LEAVE, path, how], cwd=root, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def test_sweep_takes_what_the_dead_left_and_nothing_of_the_living(root, tmp_path):
    (tmp_path / "photo.part.png").write_text("a user's")
    (tmp_path / ".notes.part").write_text("a user's")
    with leave(root, tmp_path / "dead.png", "die") as dead:
        dead.wait()
    (tmp_path / f".older.{dead.pid}.part.png").write_text("of a release before")
    assert len(names(tmp_path)) == 4
    with leave(root, tmp_path / "living.png", "wait") as living:
        assert living.stdout.readline() == "ready\n"
        files.sweep(tmp_path)
        living_file, *others = names(tmp_path)
        assert living_file.startswith(".living.") and others == [".notes.part", "photo.part.png"]
        living.communicate("")
    assert names(tmp_path) == [".notes.part", "living.png", "photo.part.png"]


def test_sweep_leaves_another_machines_files_for_a_day(tmp_path):
    other = "00000000" if files._machine() != "00000000" else "00000001"
    path = tmp_path / f".model.1-77-{other}-0.part.h5"
    path.write_text("of a machine that shares this disk")
    files.sweep(tmp_path)
    assert path.exists()
    day = time.time() - 25 * 3600
    os.utime(path, (day, day))
    files.sweep(tmp_path)
    assert not path.exists()


def test_sweep_of_a_missing_folder_is_nothing(tmp_path):
    files.sweep(tmp_path / "missing")


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
)


@given(json_like)
def test_json_is_strict(value):
    def refuse(name):
        raise AssertionError(name)

    json.loads(files.json_text(value).encode("utf-8"), parse_constant=refuse)


def test_json_of_numbers_and_names(tmp_path):
    files.write_json(tmp_path / "a.json", {"psnr": float("inf"), "rows": (1.5, float("nan")), "image": ODD})
    read = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert read == {"psnr": None, "rows": [1.5, None], "image": "caf\\xe9 \\xff"}


def test_files_written_together_appear_together(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with files.together():
        files.write_text(tmp_path / "a.txt", "new")
        files.write_text(tmp_path / "b.txt", "new")
        assert (tmp_path / "a.txt").read_text() == "old" and not (tmp_path / "b.txt").exists()
    assert sorted((p.name, p.read_text()) for p in tmp_path.iterdir()) == [("a.txt", "new"), ("b.txt", "new")]
    files.write_text(tmp_path / "a.txt", "at once")  # outside nothing waits
    assert (tmp_path / "a.txt").read_text() == "at once"


def test_of_files_written_together_none_appears_when_one_fails(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(OSError) as raised, files.together():
        files.write_text(tmp_path / "a.txt", "new")
        with files.atomic_path(tmp_path / "b.txt"):
            raise OSError(errno.ENOSPC, "No space left on device")
    assert raised.value.filename == str(tmp_path / "b.txt")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError) as raised, files.together():
        files.write_text(tmp_path / "a.txt", "new")
        files.write_text(tmp_path / "folder", "new")
    assert raised.value.filename == str(tmp_path / "folder")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.txt", "folder"]
    assert (tmp_path / "a.txt").read_text() == "old"
