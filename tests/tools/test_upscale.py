"""tools/upscale.py: the paper's protocol inside, tiles that change nothing, every kind of picture, bad input."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

import matlab_compat as matlab
from data_prep.errors import DataError
from prototxt.receptive import receptive_field
from tools import caffe_runtime, evaluation, models, net_memory, photo, upscale
from tools.cli import UserError
from tools.enlarge import Enlarger
from tools.methods import METHODS, Method

RANDOM = np.random.default_rng(5)
# takes more than one window of IDN for a picture of 90x96 pixels
SMALL = "470M" if net_memory.runs_onednn() else "520M"


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
    caffe_runtime.use_device(None)
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
    expected = method.finish(evaluation.forward(enlarger.tiled.net, method.take(sample), method.output), sample)
    assert result.shape == expected.shape == (75 * scale, 80 * scale)
    border = 0
    if method.starts_late:
        border = scale * (receptive_field(method.build(scale), method.output)[0].radius + 1)
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
        whole, papers = (matlab.psnr(hr, evaluation.quantise(one)) for one in (result, protocol))
        gains.append(whole - papers)
    assert min(gains) > -0.05 and np.mean(gains) > 0.01  # measured: -0.02 and 0.02 dB


def test_tiles_change_nothing(run, tmp_path, same_bits_everywhere):
    """The same file, byte by byte, from one window and from many."""
    source = save(tmp_path / "a.png", picture(90, 96))
    for memory in (SMALL, "2G"):
        assert run(source, "-o", tmp_path / memory / "a.png", "--scale", 2, "--memory", memory, "--compare") == 0
    assert len(Enlarger(METHODS["IDN"], 2, memory=upscale._bytes(SMALL)).plan(photo.read(source))[0].windows) > 1
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
        chroma = matlab.imresize(matlab.rgb2ycbcr(matlab.im2double(img[..., 2::-1]))[..., 1:], 3)
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
    assert len(built) == 2  # once to check the weights, once for all pictures
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
    command = [sys.executable, "-c", "from tools import memory, upscale; print(upscale.main(), memory.peak_mb())"]
    options = ["-o", tmp_path / "b.png", "--scale", "2", "--weights-dir", weights, "--memory", "700M"]
    done = subprocess.run([*command, source, *options], capture_output=True, text=True)
    status, peak = done.stdout.split()[-2:]
    assert status == "0", done.stderr
    assert 300 < int(peak) < 700


def test_no_space_left(weights, tmp_path):
    """A file size limit stands for the full disk: the same error at the same place."""
    source = save(tmp_path / "a.png", RANDOM.integers(0, 256, (100, 100, 3), np.uint8))

    code = (
        "import resource, signal, sys; from tools import cli, upscale; "
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (50000, 50000)); "
        "cli.run(upscale.main)"
    )
    options = ["-o", tmp_path / "out" / "b.png", "--scale", "2", "--weights-dir", weights]
    done = subprocess.run([sys.executable, "-c", code, source, *options], capture_output=True, text=True)
    assert done.returncode == 2
    assert "b.png: cannot be written (File too large); make room there, or name another place" in done.stderr
    assert "Traceback" not in done.stderr and list((tmp_path / "out").iterdir()) == []


def test_weights_trained_here_serve_without_a_download(weights, tmp_path, monkeypatch):
    monkeypatch.setattr(models, "OURS", tmp_path / "models")
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
    with pytest.raises(UserError, match=r"300M: too little for a.png \(91x91 pixels\) with IDN at x2; .* [45]..M or"):
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
    Enlarger(METHODS["IDN"], 2, memory=upscale._bytes(needed)).plan(photo.read(source))


def test_weights_that_have_diverged_are_told(tmp_path):
    net = METHODS["IDN"].load(2)
    net.params["conv2"][0].data[...] = 1e38  # finite, unlike what they give
    net.save(str(tmp_path / "w.caffemodel"))
    source = save(tmp_path / "a.png", picture(9, 9))
    with pytest.raises(UserError, match="a.png: IDN gives values that are not finite; its weights have diverged"):
        upscale.main([str(source), "-o", str(tmp_path / "b.png"), "--scale", "2", "--weights",
                      str(tmp_path / "w.caffemodel")])  # fmt: skip
    assert not (tmp_path / "b.png").exists()
