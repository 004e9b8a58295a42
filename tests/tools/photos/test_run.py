"""Picture after picture: what is kept, skipped, refused; full disks, signals, kills."""

import errno
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from tools.common.errors import UserError
from tools.nets import runtime
from tools.photos import photo

BICUBIC = ("--scale", "2", "--method", "Bicubic")


def test_a_folder_takes_one_net_and_lists_what_it_skips(upscaling, tmp_path, monkeypatch, capsys):
    for name, height in (("a", 9), ("b", 14), ("c", 9), ("d", 30)):
        upscaling.save(tmp_path / "in" / f"{name}.png", upscaling.picture(height, 11))
    upscaling.save(tmp_path / "in" / "a.bmp", upscaling.picture(8, 8))
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    (tmp_path / "in" / "cut.png").write_bytes((tmp_path / "in" / "a.png").read_bytes()[:60])
    (tmp_path / "in" / ".hidden").write_text("")
    built = []
    build = runtime.build_net
    monkeypatch.setattr(runtime, "build_net", lambda *args, **named: built.append(args) or build(*args, **named))
    assert upscaling.run(tmp_path / "in", "-o", tmp_path / "out", "--scale", 2) == 1
    assert len(built) == 1  # for the check of the weights and all pictures
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.bmp.png", "a.png.png", "b.png", "c.png", "d.png"]
    assert cv2.imread(str(tmp_path / "out/d.png")).shape == (60, 22, 3)
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("upscale.py: ")]
    assert len(lines) == 2
    assert "skipped" in lines[0] and "cut.png: truncated or damaged image" in lines[0]
    assert "notes.txt: not a picture" in lines[1]
    assert captured.out.splitlines()[-1] == "5 written, 2 skipped"


def test_what_exists_is_kept(upscaling, tmp_path, capsys):
    source, target = upscaling.save(tmp_path / "a.png", upscaling.picture(9, 8)), tmp_path / "b.png"
    assert upscaling.run(source, "-o", target, "--scale", 2) == 0
    before = target.stat().st_mtime_ns, target.read_bytes()
    # the same again: done before. Another scale: kept, and said so
    assert upscaling.run(source, "-o", target, "--scale", 2) == 0
    assert "b.png: done before" in capsys.readouterr().out
    assert upscaling.run(source, "-o", target, "--scale", 3) == 1
    assert "b.png: exists and is kept; --force overwrites it" in capsys.readouterr().err
    assert (target.stat().st_mtime_ns, target.read_bytes()) == before
    assert upscaling.run(source, "-o", target, "--scale", 3, "--force") == 0
    assert cv2.imread(str(target)).shape == (27, 24, 3)
    upscaling.save(source, upscaling.picture(9, 8))  # another picture of the same name
    assert upscaling.run(source, "-o", target, "--scale", 3) == 1


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "bmp"])
def test_no_space_left(upscaling, tmp_path, suffix):
    """A file size limit stands for the full disk: the same error at the same place."""
    source = upscaling.save(tmp_path / "a.png", upscaling.random.integers(0, 256, (100, 100, 3), np.uint8))

    code = (
        "import resource, signal, sys; from tools.common import cli; from tools import upscale; "
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000)); "
        "cli.run(upscale.main)"
    )
    options = ["-o", tmp_path / "out" / f"b.{suffix}", "--scale", "2", "--method", "Bicubic"]
    done = subprocess.run([sys.executable, "-c", code, source, *options], capture_output=True, text=True)
    assert done.returncode == 2
    assert f"b.{suffix}: cannot be written (File too large); the file system cannot hold a file of this" in done.stderr
    assert len(done.stderr.splitlines()) == 1 and list((tmp_path / "out").iterdir()) == []


def test_a_folder_onto_a_full_disk_prints_no_counts(upscaling, tmp_path, monkeypatch, capsys):
    """Nothing is counted yet: an empty line would say so."""

    def full(*args, **named):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for name in "ab":
        upscaling.save(tmp_path / f"in/{name}.png", upscaling.picture(9, 8))
    monkeypatch.setattr("tools.photos.png.PngWriter.close", full)
    with pytest.raises(UserError, match="a.png: cannot be written .No space left on device.; make room there"):
        upscaling.run(tmp_path / "in", "-o", tmp_path / "out", *BICUBIC)
    assert capsys.readouterr().out == "" and list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(("number", "what"), [(errno.ENOSPC, "make room there, or name another place with -o"),
                                              (errno.EACCES, "name another place with -o")])  # fmt: skip
@pytest.mark.parametrize("compare", [False, True])
def test_the_disks_words(upscaling, tmp_path, monkeypatch, number, what, compare):
    """What the disk says comes with the final name; nothing half-written stays, whichever file it was."""

    def full(*args, **named):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("tools.photos.png.PngWriter.close", full)
    source, options = upscaling.save(tmp_path / "a.png", upscaling.picture(9, 8)), ["--compare"] * compare
    with pytest.raises(UserError, match=f"b{'_compare' * compare}.png: cannot be written .*; {what}"):
        upscaling.run(source, "-o", tmp_path / "out/b.png", "--scale", 2, "--method", "Bicubic", *options)
    assert list((tmp_path / "out").iterdir()) == []


def paged(upscaling, path, count):
    frames = [
        Image.fromarray(upscaling.picture(9, 8)).convert("P" if path.suffix == ".gif" else "RGB") for _ in range(count)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    frames[0].save(path, save_all=True, append_images=frames[1:])
    return path


@pytest.mark.parametrize("suffix", [".tif", ".gif", ".webp", ".png"])
def test_more_pages_than_one_are_told_once(upscaling, tmp_path, capsys, suffix):
    source = paged(upscaling, tmp_path / f"in/many{suffix}", 3)
    assert upscaling.run(source, "-o", tmp_path / "b.png", *BICUBIC) == 0
    assert capsys.readouterr().err == f"upscale.py: {source}: has 3 pages or frames; the first one was enlarged\n"
    upscaling.save(tmp_path / "in/one.png", upscaling.picture(9, 8))
    assert upscaling.run(tmp_path / "in", "-o", tmp_path / "out", *BICUBIC) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "upscale.py: " in line]
    assert len(lines) == 1 and "has 3 pages or frames" in lines[0]


def test_an_input_that_can_be_read_once(upscaling, tmp_path):
    """A pipe gives what the file gives: the right way up, with the file's hash."""
    image = Image.fromarray(upscaling.picture(16, 24))
    exif = image.getexif()
    exif[photo.ORIENTATION] = 6
    image.save(tmp_path / "a.jpg", exif=exif)
    assert upscaling.run(tmp_path / "a.jpg", "-o", tmp_path / "whole.png", *BICUBIC) == 0
    pipe, content = tmp_path / "pipe", (tmp_path / "a.jpg").read_bytes()
    os.mkfifo(pipe)
    for said in ("written", "done before"):
        feeder = threading.Thread(target=pipe.write_bytes, args=(content,))
        feeder.start()
        assert upscaling.run(pipe, "-o", tmp_path / "once.png", *BICUBIC) == 0, said
        feeder.join(5)
        assert not feeder.is_alive()
    assert (tmp_path / "once.png").read_bytes() == (tmp_path / "whole.png").read_bytes()


def claiming(path, width, height, depth=8, body=b"x\x9c"):
    """A PNG whose header promises many pixels; `body` are those that it has, by default none."""
    content = b""
    for name, part in ((b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)), (b"IDAT", body),
                       (b"IEND", b"")):  # fmt: skip
        content += struct.pack(">I", len(part)) + name + part + struct.pack(">I", zlib.crc32(name + part))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    return path


@pytest.mark.parametrize(("width", "height", "depth"), [(65_000, 65_000, 8), (60_000, 60_000, 1), (2**31 - 1, 1, 8)])
def test_a_size_that_is_only_claimed_is_refused_by_the_header(upscaling, tmp_path, width, height, depth):
    source = claiming(tmp_path / "a.png", width, height, depth)
    status, _, err, peak = upscaling.in_process(source, "-o", tmp_path / "b.png", *BICUBIC, "--memory", "600M")
    assert status == 2 and len(err.splitlines()) == 1 and peak < 250
    assert "a.png: truncated or damaged image" in err  # so few bytes cannot hold so many pixels


def test_a_size_that_is_there_is_refused_by_the_header(upscaling, tmp_path):
    """30,000x30,000 pixels of one bit, in 110 KB: decoded they would take 900 MB."""
    rows = zlib.compress(bytes((1 + 30_000 // 8) * 30_000), 9)
    source = claiming(tmp_path / "a.png", 30_000, 30_000, 1, rows)
    status, _, err, peak = upscaling.in_process(source, "-o", tmp_path / "b.png", *BICUBIC, "--memory", "600M")
    assert status == 2 and len(err.splitlines()) == 1 and peak < 250
    assert "--memory 600M: too little for a.png (30000x30000 pixels) with Bicubic at x2; expected " in err
    assert int(err.split("expected ")[1].split("M")[0]) > 900


def test_what_does_not_fit_is_skipped_and_the_rest_done(upscaling, tmp_path, monkeypatch, capsys):
    claiming(
        tmp_path / "in" / "b.png" if upscaling.save(tmp_path / "in/a.png", upscaling.picture(9, 8)) else None,
        65_000,
        65_000,
    )
    upscaling.save(tmp_path / "in/c.png", upscaling.picture(9, 8))
    upscaling.save(tmp_path / "in/d.png", upscaling.picture(9, 8))
    read = photo.Source.read
    monkeypatch.setattr(photo.Source, "read", lambda self, limit=None: fail() if self.path.stem == "c" else read(self))

    def fail():
        raise MemoryError

    assert upscaling.run(tmp_path / "in", "-o", tmp_path / "out", *BICUBIC) == 1
    captured = capsys.readouterr()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "d.png"]
    lines = [line for line in captured.err.splitlines() if line.startswith("upscale.py: ")]
    assert len(lines) == 2 and "2G" not in lines[1]
    assert "b.png: truncated or damaged image" in lines[0] and "c.png: not enough memory" in lines[1]
    assert captured.out.splitlines()[-1] == "2 written, 2 skipped"


def test_terminated_nothing_half_written_stays(upscaling, tmp_path):
    source = upscaling.save(tmp_path / "a.png", upscaling.picture(1500, 1500))
    out = tmp_path / "out"
    tool = "from tools.common import cli; from tools import upscale; cli.run(upscale.main)"
    command = [sys.executable, "-c", tool, source, "-o", out / "b.png",
               *BICUBIC, "--compare"]  # fmt: skip
    started = subprocess.Popen(command, stderr=subprocess.PIPE)
    while not (out.exists() and len(list(out.iterdir())) == 2) and started.poll() is None:
        time.sleep(0.01)
    started.send_signal(signal.SIGTERM)
    err = started.communicate(timeout=30)[1]
    assert started.returncode == 128 + signal.SIGTERM and err.endswith(b"terminated\n")
    assert list(out.iterdir()) == []


def test_what_a_killed_run_left_is_removed(upscaling, tmp_path):
    source = upscaling.save(tmp_path / "a.png", upscaling.picture(300, 300))
    out = tmp_path / "out"
    code = (
        "import os, sys; from tools.photos import png; from tools import upscale\n"
        "png.PngWriter.close = lambda self: os.kill(os.getpid(), 9)\nupscale.main()"
    )
    options = ["-o", out, *BICUBIC]
    assert subprocess.run([sys.executable, "-c", code, source, *options]).returncode == -9
    assert [path.suffixes[-2] for path in out.iterdir()] == [".part"]
    (out / ".mine.part").write_text("a user's")
    assert upscaling.run(source, *options) == 0
    assert sorted(path.name for path in out.iterdir()) == [".mine.part", "a.png"]


OPENS = """
import os, sys
from PIL import Image
opens, decoders, wanted, pillow = [], [], os.path.realpath(sys.argv[1]), Image.open
sys.addaudithook(lambda event, args: event == "open" and isinstance(args[0], (str, bytes, os.PathLike))
                 and os.path.realpath(os.fsdecode(args[0])) == wanted and opens.append(args[0]))
Image.open = lambda *args, **named: decoders.append(args) or pillow(*args, **named)
from tools import upscale
print(upscale.main(), len(opens), len(decoders))
"""


@pytest.mark.parametrize(("suffix", "options"), [("jpg", ()), ("png", ("--compare",)), ("bmp", ("--force",))])
def test_a_picture_is_opened_once(upscaling, weights, tmp_path, root, suffix, options):
    """By the system and by Pillow; what the header told is carried to where the pixels are decoded."""
    source = upscaling.save(tmp_path / f"a.{suffix}", upscaling.picture(20, 19))
    argv = [source, "-o", tmp_path / "b.png", "--scale", "2", "--weights-dir", weights, *options]
    done = subprocess.run([sys.executable, "-c", OPENS, *argv], capture_output=True, text=True, cwd=root)
    assert done.stdout.split()[-3:] == ["0", "1", "1"], done
