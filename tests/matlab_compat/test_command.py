"""python -m matlab_compat: the command and its refusals."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from matlab_compat import ifc, imresize, psnr, rgb2ycbcr, shave, ssim
from matlab_compat.__main__ import main, read_image, write_image


@pytest.fixture
def pair(tmp_path):
    """Two RGB images of 90 x 96 as PNG, and their arrays."""
    rng = np.random.default_rng(5)
    ref = cv2.GaussianBlur(rng.integers(0, 256, (90, 96, 3), np.uint8), (5, 5), 1)
    out = np.clip(ref + rng.normal(0, 4, ref.shape), 0, 255).astype(np.uint8)
    for name, img in (("a.png", ref), ("b.png", out)):
        cv2.imwrite(str(tmp_path / name), img[..., ::-1])
    return str(tmp_path / "a.png"), str(tmp_path / "b.png"), ref, out


def _error(capsys, argv):
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    return err


def test_imresize_writes_what_the_function_gives(tmp_path, pair):
    out = tmp_path / "out.png"
    assert main(["imresize", pair[0], str(out), "--scale", "1/3"]) == 0
    np.testing.assert_array_equal(read_image(out), imresize(pair[2], 1 / 3))
    arguments = ["--size", "50x-", "--method", "lanczos3", "--edge", "symmetric", "--no-antialiasing"]
    assert main(["imresize", pair[0], str(out), *arguments]) == 0
    expected = imresize(pair[2], output_shape=(50, None), method="lanczos3", edge="symmetric", antialiasing=False)
    np.testing.assert_array_equal(read_image(out), expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png", "out.png"]  # nothing left over


def test_a_pair_of_scales_is_for_rows_and_columns(tmp_path, pair):
    out = tmp_path / "out.png"
    assert main(["imresize", pair[0], str(out), "--scale", "1/2,1/3"]) == 0
    assert read_image(out).shape == (45, 32, 3)


@pytest.mark.parametrize("channels", [1, 4])
def test_gray_16_bit_and_alpha_survive(tmp_path, channels):
    img = np.random.default_rng(0).integers(0, 65536, (12, 9, channels), np.uint16)
    img = img[..., 0] if channels == 1 else img
    write_image(tmp_path / "in.png", img)
    np.testing.assert_array_equal(read_image(tmp_path / "in.png"), img)
    assert main(["imresize", str(tmp_path / "in.png"), str(tmp_path / "out.png"), "--scale", "2"]) == 0
    np.testing.assert_array_equal(read_image(tmp_path / "out.png"), imresize(img, 2))


@pytest.mark.parametrize("name, metric", [("psnr", psnr), ("ssim", ssim), ("ifc", ifc)])
def test_metrics_print_what_the_functions_give(capsys, pair, name, metric):
    assert main([name, pair[0], pair[1], "--y", "--border", "3"]) == 0
    expected = metric(*(shave(rgb2ycbcr(img)[..., 0], 3) for img in pair[2:]))
    assert float(capsys.readouterr().out) == pytest.approx(expected, abs=6e-7)


def test_identical_files(capsys, pair):
    assert main(["psnr", pair[0], pair[0]]) == 0
    assert main(["rmse", pair[0], pair[0]]) == 0
    assert main(["ssim", pair[0], pair[0], "--y"]) == 0
    assert capsys.readouterr().out.split() == ["inf", "0.000000", "1.000000"]


def test_16_bit_images_have_their_own_peak(capsys, tmp_path):
    img = np.full((8, 8), 1000, np.uint16)
    write_image(tmp_path / "a.png", img)
    write_image(tmp_path / "b.png", img + np.uint16(655))
    assert main(["psnr", str(tmp_path / "a.png"), str(tmp_path / "b.png")]) == 0
    assert float(capsys.readouterr().out) == pytest.approx(20 * np.log10(65535 / 655), abs=6e-7)


def test_it_runs_as_a_module(pair):
    done = subprocess.run(
        [sys.executable, "-m", "matlab_compat", "psnr", *pair[:2]], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) == pytest.approx(psnr(*pair[2:]), abs=6e-7)


def test_refuses_files_it_cannot_use(capsys, tmp_path, pair):
    missing, text = str(tmp_path / "missing.png"), tmp_path / "text.png"
    text.write_text("no image")
    assert "missing.png: No such file" in _error(capsys, ["psnr", missing, pair[1]])
    assert "text.png: not a picture" in _error(capsys, ["psnr", str(text), pair[1]])
    target = str(tmp_path / "none" / "o.png")
    assert f"{target}: No such file" in _error(capsys, ["imresize", pair[0], target, "--scale", "2"])
    target = str(tmp_path / "o.xyz")
    assert "o.xyz: no format for this suffix" in _error(capsys, ["imresize", pair[0], target, "--scale", "2"])


@pytest.mark.parametrize("kept", [0.5, 0.95])
def test_refuses_a_jpeg_that_is_not_whole(capsys, tmp_path, pair, kept):
    whole, cut = tmp_path / "whole.jpg", tmp_path / "cut.jpg"
    Image.fromarray(pair[2]).save(whole, quality=90)
    content = whole.read_bytes()
    cut.write_bytes(content[: int(kept * len(content))])
    assert main(["psnr", pair[0], str(whole)]) == 0  # it is the cut that is refused
    assert float(capsys.readouterr().out) > 25
    for command in ("psnr", "ssim", "ifc"):
        assert "cut.jpg: truncated" in _error(capsys, [command, pair[0], str(cut), "--y"])
    assert "cut.jpg: truncated" in _error(capsys, ["imresize", str(cut), str(tmp_path / "o.png"), "--scale", "2"])
    assert not (tmp_path / "o.png").exists()


def test_refuses_images_that_do_not_match(capsys, tmp_path, pair):
    write_image(tmp_path / "deep.png", pair[2].astype(np.uint16))
    assert "expected the same depth" in _error(capsys, ["psnr", pair[0], str(tmp_path / "deep.png")])
    write_image(tmp_path / "small.png", pair[2][:80])
    assert "shapes differ" in _error(capsys, ["psnr", pair[0], str(tmp_path / "small.png")])
    assert "--y on the command line" in _error(capsys, ["ssim", *pair[:2]])
    assert "data_range is 0.0" in _error(capsys, ["psnr", *pair[:2], "--data-range", "0"])


@pytest.mark.parametrize(
    "argv, message",
    [
        (["imresize", "a", "b", "--scale", "1/0"], "'1/0' is no factor"),
        (["imresize", "a", "b", "--scale", "three"], "'three' is no factor"),
        (["imresize", "a", "b", "--size", "12"], "'12' is no size"),
        (["imresize", "a", "b"], "one of the arguments --scale --size is required"),
        (["psnr", "a"], "the following arguments are required: out"),
        (["blur", "a"], "invalid choice: 'blur'"),
    ],
)
def test_refuses_bad_arguments_in_one_line(capsys, argv, message):
    with pytest.raises(SystemExit) as stop:
        main(argv)
    err = capsys.readouterr().err
    assert stop.value.code == 2 and message in err and err.count("\n") == 1


def test_what_a_format_cannot_hold_is_refused(capsys, tmp_path, pair):
    """16 bits in a JPEG came out white, alpha was dropped, colours in .pgm would be."""
    write_image(tmp_path / "deep.png", pair[2].astype(np.uint16) * 257)
    write_image(tmp_path / "clear.png", np.dstack([pair[2], pair[2][..., 0]]))
    write_image(tmp_path / "gray.png", pair[2][..., 0])
    for source, target, message in (
        ("deep.png", "o.jpg", ".jpg holds 8 bits a channel, the picture has 16; take .png or .tif"),
        ("deep.png", "o.webp", ".webp holds 8 bits a channel"),
        ("clear.png", "o.jpg", ".jpg holds no alpha channel, the picture has one; take .png or .tif"),
        ("clear.png", "o.bmp", ".bmp holds no alpha channel"),
        ("a.png", "o.pgm", ".pgm holds gray, the picture is RGB"),
        ("gray.png", "o.ppm", ".ppm holds RGB, the picture is gray"),
    ):
        assert message in _error(capsys, ["imresize", str(tmp_path / source), str(tmp_path / target), "--scale", "2"])
        assert not (tmp_path / target).exists()


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_depth_and_alpha_are_kept(tmp_path, suffix, kind, channels):
    rng = np.random.default_rng(channels)
    img = rng.integers(0, np.iinfo(kind).max, (9, 8, channels), kind, endpoint=True)
    source, target = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    write_image(source, img)
    # gray with alpha is written as colour with alpha
    img = img[..., 0] if channels == 1 else img[..., [0, 0, 0, 1]] if channels == 2 else img
    np.testing.assert_array_equal(read_image(source), img)
    assert main(["imresize", str(source), str(target), "--scale", "2"]) == 0
    np.testing.assert_array_equal(read_image(target), imresize(img, 2))


@pytest.mark.parametrize("amount", [["--scale", "1e9"], ["--scale", "1e300"], ["--size", "9000000000x2"]])
def test_a_result_beyond_the_memory_is_refused_before_it_is_made(capsys, tmp_path, pair, amount):
    message = _error(capsys, ["imresize", pair[0], str(tmp_path / "o.png"), *amount])
    assert "take a smaller" in message and ("of memory" in message or "finite" in message)


def test_a_truncated_picture_is_refused(capsys, tmp_path, pair):
    ok, content = cv2.imencode(".jpg", pair[2])
    (tmp_path / "cut.jpg").write_bytes(content.tobytes()[:-300])
    assert "cut.jpg: truncated or damaged image" in _error(capsys, ["psnr", pair[0], str(tmp_path / "cut.jpg")])


def test_floating_point_is_refused(capsys, tmp_path, pair):
    cv2.imwrite(str(tmp_path / "f.tif"), pair[2].astype(np.float32))
    message = _error(capsys, ["imresize", str(tmp_path / "f.tif"), str(tmp_path / "o.png"), "--scale", "2"])
    assert "f.tif: pixels are float32, expected 8 or 16 bits; save it as 8-bit PNG" in message


def test_alpha_and_further_pages_are_left_out_and_said(capsys, tmp_path, pair):
    write_image(tmp_path / "clear.png", np.dstack([pair[2], pair[2][..., 0]]))
    assert main(["psnr", pair[0], str(tmp_path / "clear.png"), "--y"]) == 0
    out, err = capsys.readouterr()
    assert out == "inf\n" and err == f"matlab_compat: {tmp_path}/clear.png: alpha is left out\n"
    pages = [Image.fromarray(img) for img in pair[2:]]
    pages[0].save(tmp_path / "two.tif", save_all=True, append_images=pages[1:])
    assert main(["psnr", pair[0], str(tmp_path / "two.tif")]) == 0
    out, err = capsys.readouterr()
    assert out == "inf\n" and err == f"matlab_compat: {tmp_path}/two.tif: 2 pages or frames, the first is used\n"
