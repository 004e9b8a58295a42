"""tools/upscale.py: the paper's protocol inside, tiles that change nothing, every kind of picture, bad input."""

import errno
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

import matlab_compat as matlab
from data_prep import weights as data_prep_weights
from data_prep.errors import DataError
from prototxt.receptive import receptive_field
from tools import upscale
from tools.common import build
from tools.common.errors import UserError
from tools.methods import evaluation
from tools.methods.registry import METHODS, Method
from tools.nets import runtime
from tools.photos import photo
from tools.photos.enlarge import Enlarger
from tools.photos.run import notes

RANDOM = np.random.default_rng(5)
# takes more than one window of IDN for a picture of 90x96 pixels
SMALL = "375M" if build.cpu_engine() == "onednn" else "430M"


def picture(height, width, channels=3, kind=np.uint8):
    """Something smooth with edges and a little noise, (H, W, C)."""
    y, x = np.mgrid[:height, :width] / 9
    planes = [np.sin(y + k) * np.cos(x * (k + 1)) + (x > 3 + k) for k in range(channels)]
    img = np.dstack(planes) / 4 + 0.4 + 0.02 * RANDOM.random((height, width, channels))
    return (img.clip(0, 1) * np.iinfo(kind).max).astype(kind)


def save(path, img):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), img)
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Folder with IDN weights as Caffe's filler makes them, for x2 and x3."""
    runtime.use_device()
    folder = tmp_path_factory.mktemp("weights")
    (folder / "idn").mkdir()
    for scale in (2, 3):
        METHODS["IDN"].load(scale).save(str(folder / "idn" / f"IDN_x{scale}.caffemodel"))
    return folder


@pytest.fixture
def run(weights):
    """Run the tool with these weights; gives the exit status."""
    return lambda *argv: upscale.main([*map(str, argv), "--weights-dir", str(weights)])


CASES = [("Bicubic", 3), ("IDN", 2), ("IDN", 3), ("FSRCNN", 2), ("ESPCN", 3), ("LapSRN", 2), ("LapSRN", 3),
         ("VDSR", 2), ("SRCNN", 3)]  # fmt: skip


@pytest.mark.parametrize(("name", "scale"), CASES)
def test_interior_is_the_papers_protocol(name, scale):
    """Y of a gray picture against the benchmark's own way: one forward of the whole, bicubic added, to the last bit.

    Nets whose output starts late see one more row and column: only what lies nearer to them than the radius differs.
    """
    method = METHODS[name]
    enlarger = Enlarger(method, scale)
    img = photo.Photo(None, picture(75, 80, 1)[..., 0])
    bands = list(enlarger.luma(img))
    lr = matlab.im2single(img.pixels)
    sample = evaluation.Sample("x", scale, None, lr, matlab.imresize(lr, scale))
    if name == "Bicubic":
        assert bands == []
        result = np.concatenate([rows for rows, _ in enlarger.strips(img)])[..., 0]
        assert np.array_equal(result, matlab.im2uint8(sample.base))
        return
    result = np.concatenate([band for _, band in bands])
    expected = method.finish(runtime.forward(enlarger.tiled.net, method.take(sample), method.blob), sample)
    assert result.shape == expected.shape == (75 * scale, 80 * scale)
    border = 0
    if method.starts_late:
        border = scale * (receptive_field(method.build(scale), method.blob)[0].radius + 1)
        # and the border is filled: what the protocol leaves to the bicubic there has a residual as well
        assert not np.array_equal(result[0], expected[0]) and np.abs(result - sample.base)[0].max() > 0
    assert result[border:, border:].size > 0
    assert np.array_equal(result[border:, border:], expected[border:, border:])


def test_the_border_with_the_released_weights(shared):
    """x3 of all of Set5: with the padding the whole picture, border included, scores as well as the protocol's."""
    path = shared / "weights/idn/IDN_x3.caffemodel"
    enlarger = Enlarger(METHODS["IDN"], 3, path)
    gains = []
    for file in sorted((shared / "data/Set5").glob("*.bmp")):
        hr = matlab.modcrop(evaluation.luma(cv2.imread(str(file))[..., ::-1]), 3)
        lr = matlab.imresize(hr, 1 / 3)
        result = np.concatenate([band for _, band in enlarger.luma(photo.Photo(None, lr))])
        sample = evaluation.Sample("x", 3, hr, matlab.im2single(lr), matlab.imresize(matlab.im2single(lr), 3))
        protocol = evaluation.super_resolve(enlarger.tiled.net, sample)
        whole, papers = (matlab.psnr(hr, matlab.im2uint8(one)) for one in (result, protocol))
        gains.append(whole - papers)
    assert min(gains) > -0.05 and np.mean(gains) > 0.01  # measured: -0.02 and 0.02 dB


def test_tiles_change_nothing(run, tmp_path, same_bits_everywhere):
    """The same file, byte by byte, from one window and from many."""
    source = save(tmp_path / "a.png", picture(90, 96))
    for memory in (SMALL, "2G"):
        assert run(source, "-o", tmp_path / memory / "a.png", "--scale", 2, "--memory", memory, "--compare") == 0
    assert len(Enlarger(METHODS["IDN"], 2, memory=upscale._bytes(SMALL)).plan(photo.read(source).extent)[0].windows) > 1
    for name in ("a.png", "a_compare.png"):
        one, many = (tmp_path / memory / name for memory in ("2G", SMALL))
        if same_bits_everywhere:
            assert one.read_bytes() == many.read_bytes()
        assert np.abs(cv2.imread(str(one)).astype(int) - cv2.imread(str(many))).max() <= 1


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_colour_depth_and_alpha(run, tmp_path, kind, channels):
    """Cb, Cr and alpha are MATLAB's bicubic of the whole, Y is the net's; the depth stays."""
    img = picture(21, 19, channels, kind)
    source, target = save(tmp_path / "a.png", img), tmp_path / "b.png"
    assert run(source, "-o", target, "--scale", 3, "--compare") == 0
    result = cv2.imread(str(target), cv2.IMREAD_UNCHANGED).reshape(63, 57, -1)
    assert result.dtype == kind and result.shape[2] == channels
    with Image.open(target) as noted:
        noted.load()
        assert noted.info["Model"] == "IDN" and noted.info["Scale"] == "3"
        assert noted.info["Weights"].startswith("IDN_x3.caffemodel SHA-256 ")
    if channels == 4:
        assert np.array_equal(result[..., 3], matlab.imresize(img[..., 3], 3))
    if channels > 1:
        ycbcr = matlab.rgb2ycbcr(matlab.im2double(result[..., 2::-1]))
        chroma = matlab.rgb2ycbcr(matlab.im2double(img[..., 2::-1]))[..., 1:]
        share = img[..., 3:] / np.iinfo(kind).max if channels == 4 else np.ones((*img.shape[:2], 1))
        chroma = matlab.imresize(chroma * share, 3) / matlab.imresize(share, 3)
        inside = ((result > 0) & (result < np.iinfo(kind).max))[..., :3].all(axis=2)
        assert inside.mean() > 0.3
        assert np.abs(ycbcr[..., 1:] - chroma)[inside].max() < 1.1 / np.iinfo(kind).max
    both = cv2.imread(str(tmp_path / "b_compare.png"), cv2.IMREAD_UNCHANGED).reshape(63, 114, -1)
    assert np.array_equal(both[:, 57:], result) and not np.array_equal(both[:, :57], result)


def test_bicubic_of_colours_is_matlabs(run, tmp_path):
    img = picture(12, 13)
    assert run(save(tmp_path / "a.png", img), "-o", tmp_path / "b.tif", "--scale", 4, "--method", "Bicubic") == 0
    ycbcr = matlab.imresize(matlab.rgb2ycbcr(matlab.im2double(img[..., ::-1])), 4)
    ycbcr[..., 0] = matlab.imresize(matlab.rgb2ycbcr(matlab.im2double(img[..., ::-1]))[..., 0].astype(np.float32), 4)
    expected = matlab.im2uint8(matlab.ycbcr2rgb(ycbcr))
    assert np.array_equal(cv2.imread(str(tmp_path / "b.tif"))[..., ::-1], expected)


def test_a_photograph_is_turned_as_the_camera_noted(run, tmp_path):
    image = Image.fromarray(picture(16, 24))
    exif = image.getexif()
    exif[photo.ORIENTATION] = 6
    image.save(tmp_path / "a.jpg", exif=exif)
    assert run(tmp_path / "a.jpg", "-o", tmp_path / "b.png", "--scale", 2) == 0
    with Image.open(tmp_path / "b.png") as result:
        assert result.size == (32, 48)


def test_a_folder_takes_one_net_and_lists_what_it_skips(run, tmp_path, monkeypatch, capsys):
    for name, height in (("a", 9), ("b", 14), ("c", 9), ("d", 30)):
        save(tmp_path / "in" / f"{name}.png", picture(height, 11))
    save(tmp_path / "in" / "a.bmp", picture(8, 8))
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    (tmp_path / "in" / "cut.png").write_bytes((tmp_path / "in" / "a.png").read_bytes()[:60])
    (tmp_path / "in" / ".hidden").write_text("")
    built = []
    load = Method.load
    monkeypatch.setattr(Method, "load", lambda *args, **named: built.append(args) or load(*args, **named))
    assert run(tmp_path / "in", "-o", tmp_path / "out", "--scale", 2) == 1
    assert len(built) == 1  # for all pictures; the check of the weights builds a net of its own
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.bmp.png", "a.png.png", "b.png", "c.png", "d.png"]
    assert cv2.imread(str(tmp_path / "out/d.png")).shape == (60, 22, 3)
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("upscale.py: ")]
    assert len(lines) == 2
    assert "skipped" in lines[0] and "cut.png: truncated or damaged image" in lines[0]
    assert "notes.txt: not a picture" in lines[1]
    assert captured.out.splitlines()[-1] == "5 written, 2 skipped"


def test_what_exists_is_kept(run, tmp_path, capsys):
    source, target = save(tmp_path / "a.png", picture(9, 8)), tmp_path / "b.png"
    assert run(source, "-o", target, "--scale", 2) == 0
    before = target.stat().st_mtime_ns, target.read_bytes()
    # the same again: done before. Another scale: kept, and said so
    assert run(source, "-o", target, "--scale", 2) == 0
    assert "b.png: done before" in capsys.readouterr().out
    assert run(source, "-o", target, "--scale", 3) == 1
    assert "b.png: exists and is kept; --force writes it anew" in capsys.readouterr().err
    assert (target.stat().st_mtime_ns, target.read_bytes()) == before
    assert run(source, "-o", target, "--scale", 3, "--force") == 0
    assert cv2.imread(str(target)).shape == (27, 24, 3)
    save(source, picture(9, 8))  # another picture of the same name
    assert run(source, "-o", target, "--scale", 3) == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 20000)])
def test_extreme_sizes(run, tmp_path, shape):
    source = save(tmp_path / "a.png", picture(*shape))
    assert run(source, "-o", tmp_path / "b.png", "--scale", 3, "--memory", "1G") == 0
    result = cv2.imread(str(tmp_path / "b.png"))
    assert result.shape == (3 * shape[0], 3 * shape[1], 3)


def test_the_memory_that_was_allowed_is_enough(weights, tmp_path):
    """A picture that needs 1.5 GB at once stays below 700 MB; in a process of its own, whose peak the system tells."""
    source = save(tmp_path / "a.png", picture(160, 150))
    code = "from tools.common import memory; from tools import upscale; print(upscale.main(), memory.peak_mb())"
    command = [sys.executable, "-c", code]
    options = ["-o", tmp_path / "b.png", "--scale", "2", "--weights-dir", weights, "--memory", "700M"]
    done = subprocess.run([*command, source, *options], capture_output=True, text=True)
    status, peak = done.stdout.split()[-2:]
    assert status == "0", done.stderr
    assert 300 < int(peak) < 700


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "bmp"])
def test_no_space_left(tmp_path, suffix):
    """A file size limit stands for the full disk: the same error at the same place."""
    source = save(tmp_path / "a.png", RANDOM.integers(0, 256, (100, 100, 3), np.uint8))

    code = (
        "import resource, signal, sys; from tools.common import cli; from tools import upscale; "
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000)); "
        "cli.run(upscale.main)"
    )
    options = ["-o", tmp_path / "out" / f"b.{suffix}", "--scale", "2", "--method", "Bicubic"]
    done = subprocess.run([sys.executable, "-c", code, source, *options], capture_output=True, text=True)
    assert done.returncode == 2
    assert f"b.{suffix}: cannot be written (File too large); the file system takes no file of this size" in done.stderr
    assert len(done.stderr.splitlines()) == 1 and list((tmp_path / "out").iterdir()) == []


def test_a_folder_onto_a_full_disk_prints_no_counts(run, tmp_path, monkeypatch, capsys):
    """Nothing is counted yet: an empty line would say so."""

    def full(*args, **named):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for name in "ab":
        save(tmp_path / f"in/{name}.png", picture(9, 8))
    monkeypatch.setattr("tools.photos.png.PngWriter.close", full)
    with pytest.raises(UserError, match="a.png: cannot be written .No space left on device.; make room there"):
        run(tmp_path / "in", "-o", tmp_path / "out", *BICUBIC)
    assert capsys.readouterr().out == "" and list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(("number", "what"), [(errno.ENOSPC, "make room there, or name another place with -o"),
                                              (errno.EACCES, "name another place with -o")])  # fmt: skip
@pytest.mark.parametrize("compare", [False, True])
def test_the_disks_words(run, tmp_path, monkeypatch, number, what, compare):
    """What the disk says comes with the final name; nothing half-written stays, whichever file it was."""

    def full(*args, **named):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("tools.photos.png.PngWriter.close", full)
    source, options = save(tmp_path / "a.png", picture(9, 8)), ["--compare"] * compare
    with pytest.raises(UserError, match=f"b{'_compare' * compare}.png: cannot be written .*; {what}"):
        run(source, "-o", tmp_path / "out/b.png", "--scale", 2, "--method", "Bicubic", *options)
    assert list((tmp_path / "out").iterdir()) == []


def test_weights_trained_here_serve_without_a_download(weights, tmp_path, monkeypatch):
    monkeypatch.setattr(data_prep_weights, "OURS", tmp_path / "models")
    source = save(tmp_path / "a.png", picture(9, 8))
    options = ["--scale", "3", "--weights-dir", str(tmp_path / "none")]
    with pytest.raises(UserError, match="no weights of IDN at x3 .*make fetch.*, and none in results/models; or give"):
        upscale.main([str(source), "-o", str(tmp_path / "b.png"), *options])
    (tmp_path / "models").mkdir()
    (tmp_path / "models/idn_x3.caffemodel").write_bytes((weights / "idn/IDN_x3.caffemodel").read_bytes())
    assert upscale.main([str(source), "-o", str(tmp_path / "b.png"), *options]) == 0
    with pytest.raises(UserError, match="no weights of IDN at x4"):
        upscale.main([str(source), "-o", str(tmp_path / "c.png"), "--scale", "4", *options[2:]])


def test_refusals(run, weights, tmp_path, capsys):
    source = save(tmp_path / "in/a.png", picture(90, 90))
    out = tmp_path / "out"
    with pytest.raises(UserError, match="none.png: no such file or folder; expected a picture or a folder"):
        run(tmp_path / "none.png", "-o", out, "--scale", 2)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: has no files; expected a folder of pictures"):
        run(tmp_path / "empty", "-o", out, "--scale", 2)
    with pytest.raises(UserError, match="out.png: is a name for one picture, got 2; expected a folder"):
        run(source, source, "-o", tmp_path / "out.png", "--scale", 2)
    save(tmp_path / "other/a.png", picture(9, 9))
    with pytest.raises(UserError, match="a.png: there are two inputs of this name"):
        run(source, tmp_path / "other", "-o", out, "--scale", 2)
    with pytest.raises(UserError, match=r"300M: too little for a.png \(90x90 pixels\) with IDN at x2; .* 3..M or"):
        run(source, "-o", out, "--scale", 2, "--memory", "300M")
    with pytest.raises(UserError, match="none.caffemodel: no such file, expected weights of IDN at x2"):
        run(source, "-o", out, "--scale", 2, "--weights", tmp_path / "none.caffemodel")
    with pytest.raises(UserError, match=r"weights for x3 .*, expected x2"):
        run(source, "-o", out, "--scale", 2, "--weights", weights / "idn/IDN_x3.caffemodel")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(DataError, match="text.png: not a picture"):
        run(tmp_path / "text.png", "-o", out, "--scale", 2)
    with pytest.raises(UserError, match="b.gif: expected a name that ends in .png"):
        run(source, "-o", tmp_path / "b.gif", "--scale", 2)
    assert not out.exists()
    for bad in ("0G", "many", "-1"):
        with pytest.raises(SystemExit) as stop:
            run(source, "-o", out, "--scale", 2, f"--memory={bad}")
        assert stop.value.code == 2
        assert f"got {bad}, expected a size such as 500M or 2G" in capsys.readouterr().err


def test_the_memory_that_is_asked_for_suffices(run, tmp_path):
    """The figure in the refusal is enough."""
    source = save(tmp_path / "a.png", picture(90, 90))
    with pytest.raises(UserError) as refusal:
        run(source, "-o", tmp_path / "b.png", "--scale", 2, "--memory", "1M")
    needed = str(refusal.value).split("expected ")[1].split()[0]
    Enlarger(METHODS["IDN"], 2, memory=upscale._bytes(needed)).plan(photo.read(source).extent)


def test_weights_that_have_diverged_are_told(tmp_path):
    net = METHODS["IDN"].load(2)
    net.params["conv2"][0].data[...] = 1e38  # finite, unlike what they give
    net.save(str(tmp_path / "w.caffemodel"))
    source = save(tmp_path / "a.png", picture(9, 9))
    with pytest.raises(UserError, match="a.png: IDN gives values that are not finite; its weights have diverged"):
        upscale.main([str(source), "-o", str(tmp_path / "b.png"), "--scale", "2", "--weights",
                      str(tmp_path / "w.caffemodel")])  # fmt: skip
    assert not (tmp_path / "b.png").exists()


BICUBIC = ("--scale", 2, "--method", "Bicubic")


def paged(path, count):
    frames = [Image.fromarray(picture(9, 8)).convert("P" if path.suffix == ".gif" else "RGB") for _ in range(count)]
    path.parent.mkdir(parents=True, exist_ok=True)
    frames[0].save(path, save_all=True, append_images=frames[1:])
    return path


@pytest.mark.parametrize("suffix", [".tif", ".gif", ".webp", ".png"])
def test_more_pages_than_one_are_told_once(run, tmp_path, capsys, suffix):
    source = paged(tmp_path / f"in/many{suffix}", 3)
    assert run(source, "-o", tmp_path / "b.png", *BICUBIC) == 0
    assert capsys.readouterr().err == f"upscale.py: {source}: has 3 pages or frames; the first one was enlarged\n"
    save(tmp_path / "in/one.png", picture(9, 8))
    assert run(tmp_path / "in", "-o", tmp_path / "out", *BICUBIC) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "upscale.py: " in line]
    assert len(lines) == 1 and "has 3 pages or frames" in lines[0]


@pytest.mark.parametrize("names", [("a.png", "a_compare.png"), ("a.png", "a_compare.tif"), ("A.png", "a.png"),
                                   ("a.png", "a.bmp", "a.png.bmp"), ("\u00e9.png", "e\u0301.png"),
                                   ("stra\u00dfe.png", "STRASSE.png"), ("a.png", "A_COMPARE.bmp")])  # fmt: skip
@pytest.mark.parametrize("force", [False, True])
def test_two_outputs_of_one_name_are_refused(run, tmp_path, names, force):
    for name in names:
        save(tmp_path / "in" / name, picture(9, 8))
    with pytest.raises(UserError, match="would be written for .* and for .*; rename one of them"):
        run(tmp_path / "in", "-o", tmp_path / "out", *BICUBIC, "--compare", *["--force"] * force)
    assert not (tmp_path / "out").exists()


def test_names_that_only_seem_alike_are_done(run, tmp_path):
    for name in ("a.png", "a.bmp", "b_compare.png", "c.png"):
        save(tmp_path / "in" / name, picture(9, 8))
    assert run(tmp_path / "in", "-o", tmp_path / "out", *BICUBIC) == 0
    made = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert made == ["a.bmp.png", "a.png.png", "b_compare.png", "c.png"]


def test_inputs_stay_what_they_are(run, tmp_path, monkeypatch):
    """No output takes an input's place, by whatever name; the input folder is no output folder."""
    source = save(tmp_path / "in/a.png", picture(9, 8))
    other = save(tmp_path / "in/b.png", picture(9, 8))
    (tmp_path / "link.png").symlink_to(source)
    os.link(source, tmp_path / "hard.png")
    before = source.read_bytes()
    monkeypatch.chdir(tmp_path / "in")
    for out in ("a.png", "./a.png", source, tmp_path / "link.png", tmp_path / "hard.png"):
        with pytest.raises(UserError, match="is an input, and would be overwritten"):
            run("a.png", "-o", out, *BICUBIC, "--force")
    with pytest.raises(UserError, match="is an input"):
        run(source, other, "-o", tmp_path / "in", *BICUBIC, "--force")
    save(tmp_path / "in2/x_compare.png", picture(9, 8))
    source2 = save(tmp_path / "in2/x.jpg", picture(9, 8))
    with pytest.raises(UserError, match="x_compare.png: "):
        run(source2, tmp_path / "in2/x_compare.png", "-o", tmp_path / "in2", *BICUBIC, "--force", "--compare")
    (tmp_path / "folder").symlink_to(tmp_path / "in")
    for out in (tmp_path / "in", ".", tmp_path / "folder", f"{tmp_path}/in/../in/"):
        with pytest.raises(UserError, match="is the folder of the inputs and of the results, .* such as .*large"):
            run(tmp_path / "in", "-o", out, *BICUBIC)
    assert source.read_bytes() == before
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == ["a.png", "b.png"]


def test_results_beside_their_inputs_are_not_enlarged_again(run, tmp_path, capsys):
    for name in ("a.bmp", "b.bmp"):
        save(tmp_path / name, picture(9, 8))
    for _ in range(3):
        assert run(*sorted(tmp_path.iterdir()), "-o", tmp_path, *BICUBIC, "--compare") == 0
    made = ["a.bmp", "a.png", "a_compare.png", "b.bmp", "b.png", "b_compare.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == made
    captured = capsys.readouterr()
    assert captured.err.count("a.png: made by this tool, and in the output folder: left out") == 2
    assert captured.out.count("a.png: done before") == 2


def test_what_the_output_may_be(run, tmp_path, monkeypatch):
    source = save(tmp_path / "a.png", picture(9, 8))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.png").mkdir()
    (tmp_path / "file").write_text("x")
    for out, made in (("new.png/", "new.png/a.png"), ("there.png", "there.png/a.png"),
                      ("there.png/", "there.png/a.png"), ("out", "out/a.png"), ("x.TIF", "x.TIF"),
                      ("deep/er/y.png", "deep/er/y.png")):  # fmt: skip
        assert run(source, "-o", out, *BICUBIC) == 0
        assert cv2.imread(made).shape == (18, 16, 3)
    os.mkfifo("pipe")
    for out, words in (("/dev/null", "/dev/null: is a device or a pipe, expected a file or a folder; name another"),
                       ("pipe", "pipe: is a device or a pipe"), ("file/", "file/: is a file, expected a folder"),
                       ("file", "file: expected a name that ends in .png"), ("", "-o '': is no name; expected that of"),
                       (".png", "-o '.png': is no name"), ("x.gif", "x.gif: expected a name that ends in .png"),
                       ("v1.5", "v1.5: expected a name .*, or a folder, which ends in / where it is to be made"),
                       ("file/b.png", "file: is a file where the folder of the results should be"),
                       ("n" * 300 + ".png", "written .File name too long.; take a shorter name")):  # fmt: skip
        with pytest.raises(UserError, match=words):
            run(source, "-o", out, *BICUBIC)
    (tmp_path / "out2/a.png").mkdir(parents=True)
    with pytest.raises(UserError, match="a.png: is a folder, a device or a pipe, expected a file"):
        run(source, "-o", "out2", *BICUBIC, "--force")
    with pytest.raises(UserError, match="/dev/zero: is a device; expected a picture"):
        run("/dev/zero", "-o", "z.png", *BICUBIC)


@pytest.mark.skipif(os.geteuid() == 0 and not hasattr(os, "setresuid"), reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(run, tmp_path, monkeypatch):
    source = save(tmp_path / "a.png", picture(9, 8))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(UserError, match="no permission to write in this folder; name another place with -o"):
        run(source, "-o", tmp_path / "new/b.png", *BICUBIC)


def test_cmyk_has_no_alpha(run, tmp_path):
    Image.fromarray(picture(9, 8)).convert("CMYK").save(tmp_path / "a.tif")
    assert run(tmp_path / "a.tif", "-o", tmp_path / "b.jpg", *BICUBIC) == 0
    assert cv2.imread(str(tmp_path / "b.jpg")).shape == (18, 16, 3)


def test_an_input_that_can_be_read_once(run, tmp_path):
    """A pipe gives what the file gives: the right way up, with the file's hash."""
    image = Image.fromarray(picture(16, 24))
    exif = image.getexif()
    exif[photo.ORIENTATION] = 6
    image.save(tmp_path / "a.jpg", exif=exif)
    assert run(tmp_path / "a.jpg", "-o", tmp_path / "whole.png", *BICUBIC) == 0
    pipe, content = tmp_path / "pipe", (tmp_path / "a.jpg").read_bytes()
    os.mkfifo(pipe)
    for said in ("written", "done before"):
        feeder = threading.Thread(target=pipe.write_bytes, args=(content,))
        feeder.start()
        assert run(pipe, "-o", tmp_path / "once.png", *BICUBIC) == 0, said
        feeder.join(5)
        assert not feeder.is_alive()
    assert (tmp_path / "once.png").read_bytes() == (tmp_path / "whole.png").read_bytes()


def in_process(*argv, before=""):
    """The tool as a process of its own: (status, stdout without the peak, stderr, peak in MB)."""
    code = (
        f"import sys, os; {before}\nfrom tools.common import cli, memory; from tools import upscale\n"
        "try: cli.run(upscale.main)\nfinally: print('PEAK', memory.peak_mb())"
    )
    done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True)
    out, peak = done.stdout.rsplit(b"PEAK ", 1)
    return done.returncode, out.decode(), done.stderr.decode(), int(peak)


def claiming(path, width, height, depth=8, body=b"x\x9c"):
    """A PNG whose header promises many pixels; `body` are those that it has, by default none."""
    content = b""
    for name, part in ((b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)), (b"IDAT", body),
                       (b"IEND", b"")):  # fmt: skip
        content += struct.pack(">I", len(part)) + name + part + struct.pack(">I", zlib.crc32(name + part))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    return path


@pytest.mark.parametrize(("width", "height", "depth"), [(65_000, 65_000, 8), (60_000, 60_000, 1), (2**31 - 1, 1, 8)])
def test_a_size_that_is_only_claimed_is_refused_by_the_header(tmp_path, width, height, depth):
    source = claiming(tmp_path / "a.png", width, height, depth)
    status, _, err, peak = in_process(source, "-o", tmp_path / "b.png", *map(str, BICUBIC), "--memory", "600M")
    assert status == 2 and len(err.splitlines()) == 1 and peak < 250
    assert "a.png: truncated or damaged image" in err  # so few bytes cannot hold so many pixels


def test_a_size_that_is_there_is_refused_by_the_header(tmp_path):
    """30,000x30,000 pixels of one bit, in 110 KB: decoded they would take 900 MB."""
    rows = zlib.compress(bytes((1 + 30_000 // 8) * 30_000), 9)
    source = claiming(tmp_path / "a.png", 30_000, 30_000, 1, rows)
    status, _, err, peak = in_process(source, "-o", tmp_path / "b.png", *map(str, BICUBIC), "--memory", "600M")
    assert status == 2 and len(err.splitlines()) == 1 and peak < 250
    assert "--memory 600M: too little for a.png (30000x30000 pixels) with Bicubic at x2; expected " in err
    assert int(err.split("expected ")[1].split("M")[0]) > 900


@pytest.mark.parametrize(("shape", "suffix", "options"), [
    ((1500, 1600, 3), "png", []), ((1000, 1100, 4), "png", ["--compare"]), ((2, 90_000, 4), "png", []),
    ((90_000, 2, 3), "png", []), ((700, 700, 3), "webp", []), ((1500, 1600, 3), "tif", []),
])  # fmt: skip
def test_bicubic_keeps_to_the_memory_it_asks_for(tmp_path, shape, suffix, options):
    """The figure in the refusal is enough, and it is kept to."""
    source = save(tmp_path / "a.png", picture(*shape))
    argv = [source, "-o", tmp_path / f"b.{suffix}", *map(str, BICUBIC), *options, "--memory"]
    status, _, err, _ = in_process(*argv, "1M")
    assert status == 2 and len(err.splitlines()) == 1
    needed = int(err.split("expected ")[1].split("M")[0])
    status, _, err, peak = in_process(*argv, f"{needed}M")
    assert status == 0, err
    assert peak <= needed < 2.6 * peak


def test_memory_of_earlier_pictures_counts(weights, tmp_path):
    """A small picture whose window fills the memory, then one whose pixels need it: the net's blobs are given back."""
    save(tmp_path / "in/a.png", picture(130, 130))
    save(tmp_path / "in/b.png", picture(4500, 4500))
    code = (
        "import sys; from pathlib import Path; from tools.nets import runtime; from tools.common import memory\n"
        "from tools.photos import photo; from tools.photos.enlarge import Enlarger\n"
        "from tools.methods.registry import METHODS; runtime.use_device()\n"
        "e = Enlarger(METHODS['IDN'], 2, Path(sys.argv[1]), memory=600 << 20); folder = Path(sys.argv[2])\n"
        "small = photo.read(folder / 'a.png'); list(e.strips(small)); held = e._held\n"
        "source = photo.Source(folder / 'b.png'); e.check(source.extent(), source.reading_bytes())\n"
        "memory.reset_peak(); large = source.read(); del source\n"
        "print(int(held) >> 20, int(e._held), memory.peak_mb())\n"
        "print(next(e.luma(large))[1].shape, memory.peak_mb())"
    )
    done = subprocess.run([sys.executable, "-c", code, weights / "idn/IDN_x2.caffemodel", tmp_path / "in"],
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    held, after, peak = map(int, first.split())
    assert held > 100 and after == 0 and peak < 600
    assert int(second.split()[-1]) < 600


def test_what_does_not_fit_is_skipped_and_the_rest_done(run, tmp_path, monkeypatch, capsys):
    claiming(tmp_path / "in" / "b.png" if save(tmp_path / "in/a.png", picture(9, 8)) else None, 65_000, 65_000)
    save(tmp_path / "in/c.png", picture(9, 8))
    save(tmp_path / "in/d.png", picture(9, 8))
    read = photo.Source.read
    monkeypatch.setattr(photo.Source, "read", lambda self, limit=None: fail() if self.path.stem == "c" else read(self))

    def fail():
        raise MemoryError

    assert run(tmp_path / "in", "-o", tmp_path / "out", *BICUBIC) == 1
    captured = capsys.readouterr()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "d.png"]
    lines = [line for line in captured.err.splitlines() if line.startswith("upscale.py: ")]
    assert len(lines) == 2 and "2G" not in lines[1]
    assert "b.png: truncated or damaged image" in lines[0] and "c.png: not enough memory" in lines[1]
    assert captured.out.splitlines()[-1] == "2 written, 2 skipped"


def test_names_that_are_not_utf8(tmp_path):
    """In a folder, alone, as output and twice; the second time all is done before."""
    content = save(tmp_path / "a.png", picture(9, 8)).read_bytes()
    folder = os.fsencode(tmp_path) + b"/in\xff"
    Path(os.fsdecode(folder)).mkdir()
    names = [b"caf\xe9.png", b"\xff\xfe.png", "\u0444\u043e\u0442\u043e.png".encode(), b"new\nline\x1b[31m.png"]
    for name in names:
        Path(os.fsdecode(folder + b"/" + name)).write_bytes(content)
    out = os.fsencode(tmp_path) + b"/out\xe9"
    for said in ("", ": done before"):
        status, text, err, _ = in_process(folder, "-o", out, *map(str, BICUBIC))
        assert status == 0, err
        assert f"/out\\xe9/caf\\xe9.png{said}\n" in text and f"new\\nline\\x1b[31m.png{said}\n" in text
        assert sorted(os.fsencode(path.name) for path in Path(os.fsdecode(out)).iterdir()) == sorted(names)
    status, text, err, _ = in_process(folder + b"/" + names[0], "-o", out + b".png", *map(str, BICUBIC))
    assert status == 0 and Path(os.fsdecode(out + b".png")).stat().st_size > 0


@pytest.mark.parametrize("name", ["\u0432\u0435\u0441\u0430", "\u6743\u91cd", "a\nb\x1b[31m", "w" * 200])
def test_weights_of_any_name_are_noted_so_that_they_are_known_again(weights, tmp_path, capsys, name):
    own = tmp_path / f"{name}.caffemodel"
    own.write_bytes((weights / "idn/IDN_x2.caffemodel").read_bytes())
    source = save(tmp_path / "a.png", picture(9, 8))
    for said in ("b.png\n", "b.png: done before\n"):
        assert upscale.main([str(source), "-o", str(tmp_path / "b.png"), "--scale", "2", "--weights", str(own)]) == 0
        assert capsys.readouterr().out.endswith(said)
    with Image.open(tmp_path / "b.png") as image:
        noted = image.text["Weights"]
    assert noted.isprintable() and noted.startswith(name[:1])


def test_notes_of_weights_whose_name_is_not_utf8(weights, tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/w\xff.caffemodel"))
    path.write_bytes((weights / "idn/IDN_x2.caffemodel").read_bytes())
    noted = notes(Enlarger(METHODS["IDN"], 2), path, "cpu", "caffe")["Weights"]
    assert noted.startswith(r"w\xff.caffemodel SHA-256 ") and noted.encode("latin-1")


def test_terminated_nothing_half_written_stays(tmp_path):
    source = save(tmp_path / "a.png", picture(1500, 1500))
    out = tmp_path / "out"
    tool = "from tools.common import cli; from tools import upscale; cli.run(upscale.main)"
    command = [sys.executable, "-c", tool, source, "-o", out / "b.png",
               *map(str, BICUBIC), "--compare"]  # fmt: skip
    started = subprocess.Popen(command, stderr=subprocess.PIPE)
    while not (out.exists() and len(list(out.iterdir())) == 2) and started.poll() is None:
        time.sleep(0.01)
    started.send_signal(signal.SIGTERM)
    err = started.communicate(timeout=30)[1]
    assert started.returncode == 128 + signal.SIGTERM and err.endswith(b"terminated\n")
    assert list(out.iterdir()) == []


def test_what_a_killed_run_left_is_removed(run, tmp_path):
    source = save(tmp_path / "a.png", picture(300, 300))
    out = tmp_path / "out"
    code = (
        "import os, sys; from tools.photos import png; from tools import upscale\n"
        "png.PngWriter.close = lambda self: os.kill(os.getpid(), 9)\nupscale.main()"
    )
    options = ["-o", out, *map(str, BICUBIC)]
    assert subprocess.run([sys.executable, "-c", code, source, *options]).returncode == -9
    assert [path.suffixes[-2] for path in out.iterdir()] == [".part"]
    (out / ".mine.part").write_text("a user's")
    assert run(source, *options) == 0
    assert sorted(path.name for path in out.iterdir()) == [".mine.part", "a.png"]


@pytest.mark.parametrize(
    "bad", ["0", "-5M", "nan", "inf", "1e3", "M", "", "9" * 400, "1.", "0.0", "\u0663G", "2 X", "1" * 13]
)
def test_memory_that_is_no_size(run, tmp_path, capsys, bad):
    with pytest.raises(SystemExit) as stop:
        run("a.png", "-o", tmp_path / "b.png", *BICUBIC, f"--memory={bad}")
    assert stop.value.code == 2
    assert "expected a size such as 500M or 2G" in capsys.readouterr().err


def test_memory_that_the_machine_does_not_have(run, tmp_path, monkeypatch):
    """More than there is is taken for what there is; the refusal says so."""
    source = save(tmp_path / "a.png", picture(90, 90))
    assert run(source, "-o", tmp_path / "b.png", *BICUBIC, "--memory", "999999999999T") == 0
    monkeypatch.setattr(upscale, "available", lambda: 1 << 20)
    monkeypatch.setattr(upscale.memory, "peak_mb", lambda: 150)
    with pytest.raises(UserError, match="^151M, all that this machine has left: too little for a.png"):
        run(source, "-o", tmp_path / "c.png", *BICUBIC)


def test_profiles_go_along_or_are_told(run, tmp_path, capsys):
    """From reading to writing: gray stays gray, CMYK becomes RGB without its profile, what cannot stay is told."""
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for space, mode in ((b"GRAY", "L"), (b"RGB ", "RGB"), (b"CMYK", "CMYK")):
        made[16:20] = space
        Image.fromarray(picture(9, 8)).convert(mode).save(tmp_path / f"{mode}.jpg", icc_profile=bytes(made))
        for suffix in ("png", "jpg", "tif", "webp", "bmp"):
            target = tmp_path / f"{mode}_out.{suffix}"
            assert run(tmp_path / f"{mode}.jpg", "-o", target, *BICUBIC) == 0
            with Image.open(target) as image:
                found = image.info.get("icc_profile")
            lost = mode == "CMYK" or suffix == "bmp" or (mode == "L" and suffix == "webp")
            assert found == (None if lost else bytes(made)), target
            said = capsys.readouterr().err
            assert ("is left out" in said) == (lost and mode != "CMYK"), target
