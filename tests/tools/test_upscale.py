"""The command line of tools/upscale.py: weights, memory, and what is refused at once."""

import pytest

from data_prep import weights as data_prep_weights
from data_prep.errors import DataError
from tools import upscale
from tools.common.errors import UserError

BICUBIC = ("--scale", "2", "--method", "Bicubic")


def test_weights_trained_here_serve_without_a_download(upscaling, weights, tmp_path, monkeypatch):
    monkeypatch.setattr(data_prep_weights, "OURS", tmp_path / "models")
    source = upscaling.save(tmp_path / "a.png", upscaling.picture(9, 8))
    options = ["--scale", "3", "--weights-dir", str(tmp_path / "none")]
    with pytest.raises(UserError, match="no weights of IDN at x3 .*make fetch.*, and none in results/models; or give"):
        upscale.main([str(source), "-o", str(tmp_path / "b.png"), *options])
    (tmp_path / "models").mkdir()
    (tmp_path / "models/idn_x3.caffemodel").write_bytes((weights / "idn/IDN_x3.caffemodel").read_bytes())
    assert upscale.main([str(source), "-o", str(tmp_path / "b.png"), *options]) == 0
    with pytest.raises(UserError, match="no weights of IDN at x4"):
        upscale.main([str(source), "-o", str(tmp_path / "c.png"), "--scale", "4", *options[2:]])


def test_refusals(upscaling, weights, tmp_path, capsys):
    source = upscaling.save(tmp_path / "in/a.png", upscaling.picture(90, 90))
    out = tmp_path / "out"
    with pytest.raises(UserError, match="none.png: no such file or folder; expected a picture or a folder"):
        upscaling.run(tmp_path / "none.png", "-o", out, "--scale", 2)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: has no files; expected a folder of pictures"):
        upscaling.run(tmp_path / "empty", "-o", out, "--scale", 2)
    with pytest.raises(UserError, match="out.png: is a name for one picture, got 2; expected a folder"):
        upscaling.run(source, source, "-o", tmp_path / "out.png", "--scale", 2)
    upscaling.save(tmp_path / "other/a.png", upscaling.picture(9, 9))
    with pytest.raises(UserError, match="a.png: there are two inputs of this name"):
        upscaling.run(source, tmp_path / "other", "-o", out, "--scale", 2)
    with pytest.raises(UserError, match=r"250M: too little for a.png \(90x90 pixels\) with IDN at x2; .* 2..M or"):
        upscaling.run(source, "-o", out, "--scale", 2, "--memory", "250M")
    with pytest.raises(UserError, match="none.caffemodel: no such file, expected weights of IDN at x2"):
        upscaling.run(source, "-o", out, "--scale", 2, "--weights", tmp_path / "none.caffemodel")
    with pytest.raises(UserError, match=r"^IDN-MSCOCO: is offered for x4 only, got x2; choose another method or scale"):
        upscaling.run(source, "-o", out, "--scale", 2, "--method", "IDN-MSCOCO")
    with pytest.raises(UserError, match=r"no idn/IDN_x4_mscoco.caffemodel in the weights folder; get it: `make fetch"):
        upscaling.run(source, "-o", out, "--scale", 4, "--method", "IDN-MSCOCO")
    with pytest.raises(UserError, match=r"weights for x3 .*, expected x2"):
        upscaling.run(source, "-o", out, "--scale", 2, "--weights", weights / "idn/IDN_x3.caffemodel")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(DataError, match="text.png: not a picture"):
        upscaling.run(tmp_path / "text.png", "-o", out, "--scale", 2)
    with pytest.raises(UserError, match="b.gif: expected a name that ends in .png"):
        upscaling.run(source, "-o", tmp_path / "b.gif", "--scale", 2)
    assert not out.exists()
    for bad in ("0G", "many", "-1"):
        with pytest.raises(SystemExit) as stop:
            upscaling.run(source, "-o", out, "--scale", 2, f"--memory={bad}")
        assert stop.value.code == 2
        assert f"got {bad}, expected a size such as 500M or 2G" in capsys.readouterr().err


@pytest.mark.parametrize(
    "bad", ["0", "-5M", "nan", "inf", "1e3", "M", "", "9" * 400, "1.", "0.0", "\u0663G", "2 X", "1" * 13]
)
def test_memory_that_is_no_size(upscaling, tmp_path, capsys, bad):
    with pytest.raises(SystemExit) as stop:
        upscaling.run("a.png", "-o", tmp_path / "b.png", *BICUBIC, f"--memory={bad}")
    assert stop.value.code == 2
    assert "expected a size such as 500M or 2G" in capsys.readouterr().err


def test_memory_that_the_machine_does_not_have(upscaling, tmp_path, monkeypatch):
    """More than there is is taken for what there is; the refusal says so."""
    source = upscaling.save(tmp_path / "a.png", upscaling.picture(90, 90))
    assert upscaling.run(source, "-o", tmp_path / "b.png", *BICUBIC, "--memory", "999999999999T") == 0
    monkeypatch.setattr(upscale, "available", lambda: 1 << 20)
    monkeypatch.setattr(upscale.memory, "peak_mb", lambda: 150)
    with pytest.raises(UserError, match="^151M, all that this machine has left: too little for a.png"):
        upscaling.run(source, "-o", tmp_path / "c.png", *BICUBIC)
