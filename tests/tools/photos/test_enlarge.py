"""Tiles that change nothing, and memory that is foretold and kept to."""

import re
import subprocess
import sys

import cv2
import numpy as np
import pytest

from tools import upscale
from tools.common.errors import UserError
from tools.methods.registry import METHODS
from tools.photos import photo
from tools.photos.enlarge import Enlarger

BICUBIC = ("--scale", "2", "--method", "Bicubic")


def little_memory(extent):
    """A --memory (str) that suffices for small windows of a picture: 20 MB above the least, which an error names."""
    with pytest.raises(UserError) as refused:
        Enlarger(METHODS["IDN"], 2, memory=1 << 20).plan(extent)
    return f"{int(re.search('expected ([0-9]+)M or more', str(refused.value))[1]) + 20}M"


def test_tiles_change_nothing(upscaling, tmp_path, same_bits_everywhere):
    """The same file, byte by byte, from one window and from many."""
    source = upscaling.save(tmp_path / "a.png", upscaling.picture(340, 420))
    extent = photo.read(source).extent
    little = little_memory(extent)
    for memory in (little, "2G"):
        assert (
            upscaling.run(source, "-o", tmp_path / memory / "a.png", "--scale", 2, "--memory", memory, "--compare") == 0
        )
    plan = Enlarger(METHODS["IDN"], 2, memory=upscale._bytes(little)).plan(extent)
    assert plan.steps == len(plan.windows[0].windows) * len(plan.windows[1].windows) > 1
    for name in ("a.png", "a_compare.png"):
        one, many = (tmp_path / memory / name for memory in ("2G", little))
        if same_bits_everywhere:
            assert one.read_bytes() == many.read_bytes()
        assert np.abs(cv2.imread(str(one)).astype(int) - cv2.imread(str(many))).max() <= 1


def test_the_memory_that_was_allowed_is_enough(upscaling, weights, tmp_path):
    """A picture that may need 850 MB at once stays below 700; in a process of its own, whose peak the system tells."""
    source = upscaling.save(tmp_path / "a.png", upscaling.picture(400, 380))
    code = "from tools.common import memory; from tools import upscale; print(upscale.main(), memory.peak_mb())"
    command = [sys.executable, "-c", code]
    options = ["-o", tmp_path / "b.png", "--scale", "2", "--weights-dir", weights, "--memory", "700M"]
    done = subprocess.run([*command, source, *options], capture_output=True, text=True)
    status, peak = done.stdout.split()[-2:]
    assert status == "0", done.stderr
    assert 300 < int(peak) < 700


def test_the_memory_that_is_asked_for_suffices(upscaling, tmp_path):
    """The figure in the refusal is enough."""
    source = upscaling.save(tmp_path / "a.png", upscaling.picture(90, 90))
    with pytest.raises(UserError) as refusal:
        upscaling.run(source, "-o", tmp_path / "b.png", "--scale", 2, "--memory", "1M")
    needed = str(refusal.value).split("expected ")[1].split()[0]
    Enlarger(METHODS["IDN"], 2, memory=upscale._bytes(needed)).plan(photo.read(source).extent)


@pytest.mark.parametrize(("shape", "suffix", "options"), [
    ((1500, 1600, 3), "png", []), ((1000, 1100, 4), "png", ["--compare"]), ((2, 90_000, 4), "png", []),
    ((90_000, 2, 3), "png", []), ((700, 700, 3), "webp", []), ((1500, 1600, 3), "tif", []),
])  # fmt: skip
def test_bicubic_keeps_to_the_memory_it_asks_for(upscaling, tmp_path, shape, suffix, options):
    """The figure in the refusal is enough, and it is kept to."""
    source = upscaling.save(tmp_path / "a.png", upscaling.picture(*shape))
    argv = [source, "-o", tmp_path / f"b.{suffix}", *BICUBIC, *options, "--memory"]
    status, _, err, _ = upscaling.in_process(*argv, "1M")
    assert status == 2 and len(err.splitlines()) == 1
    needed = int(err.split("expected ")[1].split("M")[0])
    status, _, err, peak = upscaling.in_process(*argv, f"{needed}M")
    assert status == 0, err
    assert peak <= needed < 2.6 * peak


def test_memory_of_earlier_pictures_counts(upscaling, weights, tmp_path):
    """A small picture whose window fills the memory, then one whose pixels need it: the net's blobs are given back."""
    upscaling.save(tmp_path / "in/a.png", upscaling.picture(900, 900))
    upscaling.save(tmp_path / "in/b.png", upscaling.picture(4500, 4500))
    code = (
        "import sys; from pathlib import Path; from tools.nets import runtime; from tools.common import memory\n"
        "from tools.photos import photo; from tools.photos.enlarge import Enlarger\n"
        "from tools.methods.registry import METHODS; runtime.use_device()\n"
        "e = Enlarger(METHODS['IDN'], 2, Path(sys.argv[1]), memory=600 << 20); folder = Path(sys.argv[2])\n"
        "small = photo.read(folder / 'a.png'); list(e.result(small).strips()); held = e._held\n"
        "source = photo.Source(folder / 'b.png'); plan = e.plan(source.extent, source.reading_bytes)\n"
        "memory.reset_peak(); large = source.read(); del source\n"
        "print(int(held) >> 20, int(e._held), memory.peak_mb())\n"
        "print(next(e.result(large, plan).luma())[1].shape, memory.peak_mb())"
    )
    done = subprocess.run([sys.executable, "-c", code, weights / "idn/IDN_x2.caffemodel", tmp_path / "in"],
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    held, after, peak = map(int, first.split())
    assert held > 150 and after == 0 and peak < 600
    assert int(second.split()[-1]) < 600
