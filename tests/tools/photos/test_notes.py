"""The notes in a result, with weights of any name."""

import os
from pathlib import Path

import pytest
from PIL import Image

from tools import upscale
from tools.methods.registry import METHODS
from tools.photos import notes
from tools.photos.enlarge import Enlarger


@pytest.mark.parametrize("name", ["\u0432\u0435\u0441\u0430", "\u6743\u91cd", "a\nb\x1b[31m", "w" * 200])
def test_weights_of_any_name_are_noted_so_that_they_are_known_again(upscaling, weights, tmp_path, capsys, name):
    own = tmp_path / f"{name}.caffemodel"
    own.write_bytes((weights / "idn/IDN_x2.caffemodel").read_bytes())
    source = upscaling.save(tmp_path / "a.png", upscaling.picture(9, 8))
    for said in ("b.png\n", "b.png: done before\n"):
        assert upscale.main([str(source), "-o", str(tmp_path / "b.png"), "--scale", "2", "--weights", str(own)]) == 0
        assert capsys.readouterr().out.endswith(said)
    with Image.open(tmp_path / "b.png") as image:
        noted = image.text["Weights"]
    assert noted.isprintable() and noted.startswith(name[:1])


def test_notes_of_weights_whose_name_is_not_utf8(weights, tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/w\xff.caffemodel"))
    path.write_bytes((weights / "idn/IDN_x2.caffemodel").read_bytes())
    noted = notes.of(Enlarger(METHODS["IDN"], 2), path, "cpu", "caffe")["Weights"]
    assert noted.startswith(r"w\xff.caffemodel SHA-256 ") and noted.encode("latin-1")
