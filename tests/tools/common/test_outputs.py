"""The folder that a tool writes to, and names for what it makes of several files."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep import files
from tools.common import outputs
from tools.common.errors import UserError


def test_two_of_one_name_become_two_files():
    paths = [Path("s") / name for name in ("pic.png", "pic.bmp", "PIC.jpg", "other.png", "pic.bmp.png")]
    found = outputs.names(paths, ".png")
    assert [found[path] for path in paths] == [
        "pic.png.png", "pic.bmp-2.png", "PIC.jpg.png", "other.png", "pic.bmp.png",
    ]  # fmt: skip


# few letters, so that names meet; é in two ways, and a byte that is not UTF-8
LETTERS = st.sampled_from(["a", "A", ".", "-2", "e\u0301", "\u00e9", "\u00c9", "\u00df", "ss", os.fsdecode(b"\xff")])

STEMS = st.lists(LETTERS, min_size=1, max_size=3).map("".join)


@given(st.lists(st.builds("{}.{}".format, STEMS, st.sampled_from(["png", "bmp"])), unique=True, max_size=12))
def test_no_two_names_are_alike(names):
    found = outputs.names([Path(name) for name in names], ".png")
    assert len({outputs._folded(name) for name in found.values()}) == len(names)


def test_folder_is_made_and_swept(tmp_path):
    folder = outputs.folder(tmp_path / "a" / "b")
    dead = files.process_mark().replace(f"{os.getpid()}-", "999999999-", 1)
    (folder / f".benchmark.{dead}-0.part.json").write_text("half")
    (folder / f".benchmark.{files.process_mark()}-0.part.json").write_text("ours, at work")
    outputs.folder(folder)
    assert [path.name for path in folder.iterdir()] == [f".benchmark.{files.process_mark()}-0.part.json"]


def test_refusals(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"--out .*file: is a file, expected a folder; choose another one"):
        outputs.folder(tmp_path / "file")
    with pytest.raises(UserError, match=r"--out .*deeper: cannot be made \(Not a directory\); choose another folder"):
        outputs.folder(tmp_path / "file" / "deeper")
    with pytest.raises(UserError, match="cannot be made"):
        outputs.folder("/proc/nowhere")
