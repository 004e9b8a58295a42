"""Results are what the paper's protocol and MATLAB give: Y, colours, alpha, depth, border."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

import matlab_compat as matlab
from prototxt.receptive import receptive_field
from tools import upscale
from tools.common.errors import UserError
from tools.methods import evaluation
from tools.methods.registry import METHODS
from tools.nets import runtime
from tools.photos import photo
from tools.photos.enlarge import Enlarger

BICUBIC = ("--scale", "2", "--method", "Bicubic")

CASES = [("Bicubic", 3), ("IDN", 2), ("IDN", 3), ("FSRCNN", 2), ("ESPCN", 3), ("LapSRN", 2), ("LapSRN", 3),
         ("VDSR", 2), ("SRCNN", 3)]  # fmt: skip


@pytest.mark.parametrize(("name", "scale"), CASES)
def test_interior_is_the_papers_protocol(upscaling, name, scale, same_bits_everywhere):
    """Y of a gray picture against the benchmark's own way: one forward of the whole, bicubic added; to the
    last bit where the engine computes a pixel alike at any place.

    Nets whose output starts late see one more row and column: only what lies nearer to them than the radius differs.
    SRCNN and FSRCNN see the border repeated in both ways.
    """
    method = METHODS[name]
    enlarger = Enlarger(method, scale)
    img = photo.Photo(None, upscaling.picture(75, 80, 1)[..., 0])
    result = enlarger.result(img)
    lr = matlab.im2single(img.pixels)
    sample = evaluation.Sample("x", scale, None, lr, matlab.imresize(lr, scale))
    if name == "Bicubic":
        rows = np.concatenate([rows for rows, _ in result.strips()])[..., 0]
        assert np.array_equal(rows, matlab.im2uint8(sample.base))
        return
    result = np.concatenate([band for _, band in result.luma()])
    expected = method.finish(runtime.forward(enlarger.tiled.net, method.take(sample), method.blob), sample)
    assert result.shape == expected.shape == (75 * scale, 80 * scale)
    border = 0
    if method.starts_late and not method.border:
        border = scale * (receptive_field(method.build(scale), method.blob)[0].radius + 1)
        # and the border is filled: what the protocol leaves to the bicubic there has a residual as well
        assert not np.array_equal(result[0], expected[0]) and np.abs(result - sample.base)[0].max() > 0
    assert result[border:, border:].size > 0
    if same_bits_everywhere:
        assert np.array_equal(result[border:, border:], expected[border:, border:])
    else:
        np.testing.assert_allclose(result[border:, border:], expected[border:, border:], atol=1e-5)


def test_the_border_with_the_released_weights(shared):
    """x3 of all of Set5: with the padding the whole picture, border included, scores as well as the protocol's."""
    path = shared / "weights/idn/IDN_x3.caffemodel"
    enlarger = Enlarger(METHODS["IDN"], 3, path)
    gains = []
    for file in sorted((shared / "data/Set5").glob("*.bmp")):
        hr = matlab.modcrop(evaluation.luma(cv2.imread(str(file))[..., ::-1]), 3)
        lr = matlab.imresize(hr, 1 / 3)
        result = np.concatenate([band for _, band in enlarger.result(photo.Photo(None, lr)).luma()])
        sample = evaluation.Sample("x", 3, hr, matlab.im2single(lr), matlab.imresize(matlab.im2single(lr), 3))
        protocol = evaluation.super_resolve(enlarger.tiled.net, sample)
        whole, papers = (matlab.psnr(hr, matlab.im2uint8(one)) for one in (result, protocol))
        gains.append(whole - papers)
    assert min(gains) > -0.05 and np.mean(gains) > 0.01  # measured: -0.02 and 0.02 dB


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_colour_depth_and_alpha(upscaling, tmp_path, kind, channels):
    """Cb, Cr and alpha are MATLAB's bicubic of the whole, Y is the net's; the depth stays."""
    img = upscaling.picture(21, 19, channels, kind)
    source, target = upscaling.save(tmp_path / "a.png", img), tmp_path / "b.png"
    assert upscaling.run(source, "-o", target, "--scale", 3, "--compare") == 0
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


def test_bicubic_of_colours_is_matlabs(upscaling, tmp_path):
    img = upscaling.picture(12, 13)
    assert (
        upscaling.run(
            upscaling.save(tmp_path / "a.png", img), "-o", tmp_path / "b.tif", "--scale", 4, "--method", "Bicubic"
        )
        == 0
    )
    ycbcr = matlab.imresize(matlab.rgb2ycbcr(matlab.im2double(img[..., ::-1])), 4)
    ycbcr[..., 0] = matlab.imresize(matlab.rgb2ycbcr(matlab.im2double(img[..., ::-1]))[..., 0].astype(np.float32), 4)
    expected = matlab.im2uint8(matlab.ycbcr2rgb(ycbcr))
    assert np.array_equal(cv2.imread(str(tmp_path / "b.tif"))[..., ::-1], expected)


def test_a_photograph_is_turned_as_the_camera_noted(upscaling, tmp_path):
    image = Image.fromarray(upscaling.picture(16, 24))
    exif = image.getexif()
    exif[photo.ORIENTATION] = 6
    image.save(tmp_path / "a.jpg", exif=exif)
    assert upscaling.run(tmp_path / "a.jpg", "-o", tmp_path / "b.png", "--scale", 2) == 0
    with Image.open(tmp_path / "b.png") as result:
        assert result.size == (32, 48)


def test_cmyk_has_no_alpha(upscaling, tmp_path):
    Image.fromarray(upscaling.picture(9, 8)).convert("CMYK").save(tmp_path / "a.tif")
    assert upscaling.run(tmp_path / "a.tif", "-o", tmp_path / "b.jpg", *BICUBIC) == 0
    assert cv2.imread(str(tmp_path / "b.jpg")).shape == (18, 16, 3)


def test_profiles_go_along_or_are_told(upscaling, tmp_path, capsys):
    """From reading to writing: gray stays gray, CMYK becomes RGB without its profile, what cannot stay is told."""
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for space, mode in ((b"GRAY", "L"), (b"RGB ", "RGB"), (b"CMYK", "CMYK")):
        made[16:20] = space
        Image.fromarray(upscaling.picture(9, 8)).convert(mode).save(tmp_path / f"{mode}.jpg", icc_profile=bytes(made))
        for suffix in ("png", "jpg", "tif", "webp", "bmp"):
            target = tmp_path / f"{mode}_out.{suffix}"
            assert upscaling.run(tmp_path / f"{mode}.jpg", "-o", target, *BICUBIC) == 0
            with Image.open(target) as image:
                found = image.info.get("icc_profile")
            lost = mode == "CMYK" or suffix == "bmp" or (mode == "L" and suffix == "webp")
            assert found == (None if lost else bytes(made)), target
            said = capsys.readouterr().err
            assert ("is left out" in said) == (lost and mode != "CMYK"), target


def test_weights_that_have_diverged_are_told(upscaling, tmp_path):
    net = METHODS["IDN"].load(2)
    net.params["conv2"][0].data[...] = 1e38  # finite, unlike what they give
    net.save(str(tmp_path / "w.caffemodel"))
    source = upscaling.save(tmp_path / "a.png", upscaling.picture(9, 9))
    with pytest.raises(UserError, match="a.png: IDN gives values that are not finite; its weights have diverged"):
        upscale.main([str(source), "-o", str(tmp_path / "b.png"), "--scale", "2", "--weights",
                      str(tmp_path / "w.caffemodel")])  # fmt: skip
    assert not (tmp_path / "b.png").exists()


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 20000)])
def test_extreme_sizes(upscaling, tmp_path, shape):
    source = upscaling.save(tmp_path / "a.png", upscaling.picture(*shape))
    assert upscaling.run(source, "-o", tmp_path / "b.png", "--scale", 3, "--memory", "1G") == 0
    result = cv2.imread(str(tmp_path / "b.png"))
    assert result.shape == (3 * shape[0], 3 * shape[1], 3)
