"""Where results go: no two under one name, no input overwritten."""

import os
from pathlib import Path

import cv2
import pytest

from tools.common.errors import UserError

BICUBIC = ("--scale", "2", "--method", "Bicubic")


@pytest.mark.parametrize("names", [("a.png", "a_compare.png"), ("a.png", "a_compare.tif"), ("A.png", "a.png"),
                                   ("a.png", "a.bmp", "a.png.bmp"), ("\u00e9.png", "e\u0301.png"),
                                   ("stra\u00dfe.png", "STRASSE.png"), ("a.png", "A_COMPARE.bmp")])  # fmt: skip
@pytest.mark.parametrize("force", [False, True])
def test_two_outputs_of_one_name_are_refused(upscaling, tmp_path, names, force):
    for name in names:
        upscaling.save(tmp_path / "in" / name, upscaling.picture(9, 8))
    with pytest.raises(UserError, match="would be written for .* and for .*; rename one of them"):
        upscaling.run(tmp_path / "in", "-o", tmp_path / "out", *BICUBIC, "--compare", *["--force"] * force)
    assert not (tmp_path / "out").exists()


def test_names_that_only_seem_alike_are_done(upscaling, tmp_path):
    for name in ("a.png", "a.bmp", "b_compare.png", "c.png"):
        upscaling.save(tmp_path / "in" / name, upscaling.picture(9, 8))
    assert upscaling.run(tmp_path / "in", "-o", tmp_path / "out", *BICUBIC) == 0
    made = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert made == ["a.bmp.png", "a.png.png", "b_compare.png", "c.png"]


def test_inputs_stay_what_they_are(upscaling, tmp_path, monkeypatch):
    """No output takes an input's place, by whatever name; the input folder is no output folder."""
    source = upscaling.save(tmp_path / "in/a.png", upscaling.picture(9, 8))
    other = upscaling.save(tmp_path / "in/b.png", upscaling.picture(9, 8))
    (tmp_path / "link.png").symlink_to(source)
    os.link(source, tmp_path / "hard.png")
    before = source.read_bytes()
    monkeypatch.chdir(tmp_path / "in")
    for out in ("a.png", "./a.png", source, tmp_path / "link.png", tmp_path / "hard.png"):
        with pytest.raises(UserError, match="is an input, and would be overwritten"):
            upscaling.run("a.png", "-o", out, *BICUBIC, "--force")
    with pytest.raises(UserError, match="is an input"):
        upscaling.run(source, other, "-o", tmp_path / "in", *BICUBIC, "--force")
    upscaling.save(tmp_path / "in2/x_compare.png", upscaling.picture(9, 8))
    source2 = upscaling.save(tmp_path / "in2/x.jpg", upscaling.picture(9, 8))
    with pytest.raises(UserError, match="x_compare.png: "):
        upscaling.run(source2, tmp_path / "in2/x_compare.png", "-o", tmp_path / "in2", *BICUBIC, "--force", "--compare")
    (tmp_path / "folder").symlink_to(tmp_path / "in")
    for out in (tmp_path / "in", ".", tmp_path / "folder", f"{tmp_path}/in/../in/"):
        with pytest.raises(UserError, match="is the folder of the inputs and of the results, .* such as .*large"):
            upscaling.run(tmp_path / "in", "-o", out, *BICUBIC)
    assert source.read_bytes() == before
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == ["a.png", "b.png"]


def test_results_beside_their_inputs_are_not_enlarged_again(upscaling, tmp_path, capsys):
    for name in ("a.bmp", "b.bmp"):
        upscaling.save(tmp_path / name, upscaling.picture(9, 8))
    for _ in range(3):
        assert upscaling.run(*sorted(tmp_path.iterdir()), "-o", tmp_path, *BICUBIC, "--compare") == 0
    made = ["a.bmp", "a.png", "a_compare.png", "b.bmp", "b.png", "b_compare.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == made
    captured = capsys.readouterr()
    assert captured.err.count("a.png: made by this tool, and in the output folder: left out") == 2
    assert captured.out.count("a.png: done before") == 2


def test_what_the_output_may_be(upscaling, tmp_path, monkeypatch):
    source = upscaling.save(tmp_path / "a.png", upscaling.picture(9, 8))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.png").mkdir()
    (tmp_path / "file").write_text("x")
    for out, made in (("new.png/", "new.png/a.png"), ("there.png", "there.png/a.png"),
                      ("there.png/", "there.png/a.png"), ("out", "out/a.png"), ("x.TIF", "x.TIF"),
                      ("deep/er/y.png", "deep/er/y.png")):  # fmt: skip
        assert upscaling.run(source, "-o", out, *BICUBIC) == 0
        assert cv2.imread(made).shape == (18, 16, 3)
    os.mkfifo("pipe")
    for out, words in (("/dev/null", "/dev/null: is a device or a pipe, expected a file or a folder; name another"),
                       ("pipe", "pipe: is a device or a pipe"), ("file/", "file/: is a file, expected a folder"),
                       ("file", "file: expected a name that ends in .png"), ("", "-o '': is not a name; expected"),
                       (".png", "-o '.png': is not a name"), ("x.gif", "x.gif: expected a name that ends in .png"),
                       ("v1.5", "v1.5: expected a name .*, or a folder, which ends in / if it does not exist yet"),
                       ("file/b.png", "file: is a file where the folder of the results should be"),
                       ("n" * 300 + ".png", "written .File name too long.; use a shorter name")):  # fmt: skip
        with pytest.raises(UserError, match=words):
            upscaling.run(source, "-o", out, *BICUBIC)
    (tmp_path / "out2/a.png").mkdir(parents=True)
    with pytest.raises(UserError, match="a.png: is a folder, a device or a pipe, expected a file"):
        upscaling.run(source, "-o", "out2", *BICUBIC, "--force")
    with pytest.raises(UserError, match="/dev/zero: is a device; expected a picture"):
        upscaling.run("/dev/zero", "-o", "z.png", *BICUBIC)


@pytest.mark.skipif(os.geteuid() == 0 and not hasattr(os, "setresuid"), reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(upscaling, tmp_path, monkeypatch):
    source = upscaling.save(tmp_path / "a.png", upscaling.picture(9, 8))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(UserError, match="no permission to write in this folder; name another place with -o"):
        upscaling.run(source, "-o", tmp_path / "new/b.png", *BICUBIC)


def test_names_that_are_not_utf8(upscaling, tmp_path):
    """In a folder, alone, as output and twice; the second time all is done before."""
    content = upscaling.save(tmp_path / "a.png", upscaling.picture(9, 8)).read_bytes()
    folder = os.fsencode(tmp_path) + b"/in\xff"
    Path(os.fsdecode(folder)).mkdir()
    names = [b"caf\xe9.png", b"\xff\xfe.png", "\u0444\u043e\u0442\u043e.png".encode(), b"new\nline\x1b[31m.png"]
    for name in names:
        Path(os.fsdecode(folder + b"/" + name)).write_bytes(content)
    out = os.fsencode(tmp_path) + b"/out\xe9"
    for said in ("", ": done before"):
        status, text, err, _ = upscaling.in_process(folder, "-o", out, *BICUBIC)
        assert status == 0, err
        assert f"/out\\xe9/caf\\xe9.png{said}\n" in text and f"new\\nline\\x1b[31m.png{said}\n" in text
        assert sorted(os.fsencode(path.name) for path in Path(os.fsdecode(out)).iterdir()) == sorted(names)
    status, text, err, _ = upscaling.in_process(folder + b"/" + names[0], "-o", out + b".png", *BICUBIC)
    assert status == 0 and Path(os.fsdecode(out + b".png")).stat().st_size > 0
