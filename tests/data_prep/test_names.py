"""Names from outside: whatever passes stays in its folder, as the operating system sees it."""

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data_prep.names import LONGEST, BadName, check_inside, check_path

ODD = ("..", ".", "", "/", "\\", "\0", "\n", "a", ".jpg", "\u202e", "\udcff", "~", "C:", "\u2215", "x" * 200)
PARTS = st.lists(st.sampled_from(ODD), max_size=6)
TEXT = st.one_of(st.text(max_size=20), PARTS.map("".join), PARTS.map("/".join))


def passes(check, text):
    try:
        check(text)
    except BadName as error:
        assert str(error).isprintable() and len(str(error)) < 250
        return False
    return True


@given(TEXT)
@example("a" * LONGEST)
def test_a_path_stays_below_its_folder(text):
    if passes(check_path, text):
        path = os.path.join("/top/folder", text + ".part")  # noqa: PTH118
        assert os.path.normpath(path) == path and path.startswith("/top/folder/")
        assert text.isprintable() and "\\" not in text
        assert all(len(os.fsencode(part)) <= 255 for part in path.split("/"))


@pytest.mark.parametrize("name", ["img_001_4.png", "a b.jpg", "caf\u00e9.jpg", "\u56fe.png", "-x", "...", "a..b", "~"])
def test_usual_names_pass(name):
    check_path(f"data/Set/{name}")


@pytest.mark.parametrize("path", ["a/../evil", "../evil", "/etc/evil", "a//b", "./a", "a/", "C:\\evil", "x" * 251])
def test_paths_that_lead_elsewhere_are_refused(path):
    with pytest.raises(BadName, match="no name for a file here"):
        check_path(path)


def test_links_are_told_by_where_they_lead(tmp_path, monkeypatch):
    (tmp_path / "data/real").mkdir(parents=True)
    for name, target in {"in": "real", "out": "..", "round": "round", "absolute": tmp_path}.items():
        (tmp_path / "data" / name).symlink_to(target)
    (tmp_path / "link").symlink_to("data")
    for folder in (tmp_path / "data", tmp_path / "link"):
        check_inside(folder / "real/x", folder)
        check_inside(folder / "in/x", folder)
        check_inside(folder / "new/deep/x", folder)
        for name in ("out", "absolute"):
            with pytest.raises(BadName, match=f"{folder / name}: a link out of the folder"):
                check_inside(folder / name / "x", folder)
    monkeypatch.chdir(tmp_path / "data")
    check_inside(Path("in/x"), ".")
    with pytest.raises(BadName, match="out: a link out of the folder"):
        check_inside(Path("out/x"), ".")
