"""The test protocol on real Caffe, against a plain numpy computation and against measured figures."""

import numpy as np
import pytest

import matlab_compat as matlab
from data_prep.images import list_images, read_image
from matlab_compat.contributions import EDGES
from prototxt.idn import idn
from tools.common.errors import UserError
from tools.methods import evaluation
from tools.nets import runtime

SLOPE = 0.05
# small widths: the plain computation below is slow, and has the same layers
WIDTHS = dict(D3=16, d=4, s=4, groups=2)


@pytest.fixture
def picture():
    """A colour image, (50, 41, 3) uint8: smooth shapes plus noise, no side a multiple of 2, 3 and 4 at once."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:50, :41]
    smooth = 128 + 90 * np.sin(x / 6)[..., None] * np.cos(y / 7)[..., None] * np.array([1, 0.6, -0.5])
    return np.clip(smooth + rng.normal(0, 12, (50, 41, 3)), 0, 255).astype(np.uint8)


def random_net(scale):
    """A small IDN with random weights of a size that makes its residual visible but not saturating."""
    net = runtime.build_net(idn(scale, "deploy", **WIDTHS))
    rng = np.random.default_rng(scale)
    for blobs in net.params.values():
        fan_in = np.prod(blobs[0].data.shape[1:])
        blobs[0].data[...] = rng.normal(0, np.sqrt(2 / fan_in), blobs[0].data.shape)
        blobs[1].data[...] = rng.normal(0, 0.01, blobs[1].data.shape)
    net.params["upsample"][0].data[...] *= 0.05
    return net


# --- the plain computation: nothing of Caffe, tools or matlab_compat in it ---------------------------------


def plain_imresize(img, size, scale):
    """MATLAB's bicubic imresize of a 2-D array to `size`, clamped borders, as dense matrices in double."""
    rows, columns = (plain_weights(n, m, scale) for n, m in zip(img.shape, size))
    return rows @ img.astype(np.float64) @ columns.T


def plain_weights(n, m, scale):
    stretch = min(scale, 1)
    matrix = np.zeros((m, n))
    for i in range(m):
        centre = (i + 0.5) / scale - 0.5
        taps = np.arange(int(centre - 2 / stretch) - 2, int(centre + 2 / stretch) + 4)
        weights = plain_cubic(stretch * (centre - taps))
        np.add.at(matrix[i], np.clip(taps, 0, n - 1), weights / weights.sum())
    return matrix


def plain_cubic(x):
    x = abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return near * (x <= 1) + far * ((x > 1) & (x <= 2))


def plain_conv(img, blobs, groups=1, slope=SLOPE):
    """Correlation of (C, H, W) with zero padding that keeps the size, then the leaky ReLU."""
    weight, bias = (blob.data.astype(np.float64) for blob in blobs)
    pad = weight.shape[-1] // 2
    padded = np.pad(img, ((0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], axis=(1, 2))
    parts = [
        np.einsum("chwij,ocij->ohw", part, kernel)
        for part, kernel in zip(np.split(windows, groups), np.split(weight, groups))
    ]
    out = np.concatenate(parts) + bias[:, None, None]
    return np.where(out > 0, out, slope * out)


def plain_deconv(img, blobs, scale):
    """Transposed convolution of (C, H, W): spread each pixel's kernel, cut 8 pixels off every side."""
    weight, bias = (blob.data.astype(np.float64) for blob in blobs)
    kernel, (_, height, width) = weight.shape[-1], img.shape
    out = np.zeros((scale * (height - 1) + kernel, scale * (width - 1) + kernel))
    for i in range(height):
        for j in range(width):
            spread = np.tensordot(img[:, i, j], weight[:, 0], 1)
            out[scale * i : scale * i + kernel, scale * j : scale * j + kernel] += spread
    return out[8:-8, 8:-8] + bias


def plain_idn(net, lr, scale):
    """Sections 3.1 to 3.3 of the paper for one LR image (H, W)."""
    p = net.params
    b = plain_conv(plain_conv(lr[None].astype(np.float64), p["conv1"]), p["conv2"])
    for k in range(1, 5):
        layer = [p[f"conv{k + 2}_{i}"] for i in range(1, 7)]
        short = plain_conv(plain_conv(plain_conv(b, layer[0]), layer[1], WIDTHS["groups"]), layer[2])
        kept = WIDTHS["D3"] // WIDTHS["s"]
        long = plain_conv(short[kept:], layer[3])
        long = plain_conv(plain_conv(long, layer[4], WIDTHS["groups"]), layer[5])
        b = plain_conv(long + np.concatenate([b, short[:kept]]), p[f"down{k}"])
    return plain_deconv(b, p["upsample"], scale)


def plain_luma(rgb):
    """Y of BT.601 from 8-bit RGB, rounded half up to 8 bits."""
    return np.floor(16 + rgb @ np.array([65.481, 128.553, 24.966]) / 255 + 0.5)


def plain_psnr(picture, scale, residual=None, net=None):
    """PSNR of the protocol's result for an RGB image; without a net, of the bicubic base."""
    height, width = (side - side % scale for side in picture.shape[:2])
    hr = plain_luma(picture)[:height, :width]
    lr = plain_imresize(hr / 255, (height // scale, width // scale), 1 / scale)
    result = plain_imresize(lr, (height, width), scale)
    if net is not None:
        result[scale - 1 :, scale - 1 :] += plain_idn(net, lr, scale)
    result = np.floor(255 * np.clip(result, 0, 1) + 0.5)
    error = (hr - result)[scale:-scale, scale:-scale]
    return 10 * np.log10(255**2 / np.mean(error**2))


# --- the protocol ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_psnr_equals_a_plain_computation(picture, scale):
    net = random_net(scale)
    ours = evaluation.evaluate_image(net, picture, scale, metrics=("psnr",))["psnr"]
    bicubic = plain_psnr(picture, scale)
    expected = plain_psnr(picture, scale, net=net)
    # guard: the net must have a say in the result, or the comparison shows nothing
    assert abs(expected - bicubic) > 0.1
    # a few pixels lie on a rounding edge, which single and double precision take differently
    assert ours == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_equals_a_plain_computation(picture, scale):
    sample = evaluation.prepare(picture, scale)
    ours = evaluation.score(sample.hr, matlab.im2uint8(sample.base), scale, ("psnr",))["psnr"]
    assert ours == pytest.approx(plain_psnr(picture, scale), abs=2e-3)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_sample_shapes_and_classes(picture, scale):
    sample = evaluation.prepare(picture, scale, name="p.png")
    height, width = 50 // scale, 41 // scale
    assert sample.lr.shape == (height, width) and sample.lr.dtype == np.float32
    assert sample.hr.shape == (scale * height, scale * width) and sample.hr.dtype == np.uint8
    assert sample.base.shape == sample.hr.shape and sample.base.dtype == np.float32
    assert sample.name == "p.png" and sample.scale == scale


def test_lr_is_not_rounded_to_8_bits(picture):
    lr = evaluation.prepare(picture, 3).lr.astype(np.float64) * 255
    assert np.abs(lr - np.round(lr)).max() > 0.4


def test_gray_image_is_its_own_luma(picture):
    gray = np.ascontiguousarray(picture[..., 1])
    assert np.array_equal(evaluation.prepare(gray, 2).hr, gray[:50, :40])


def test_edges_differ_only_near_the_border(picture):
    old, new = (evaluation.prepare(picture, 2, edge=edge).lr for edge in EDGES)
    assert not np.array_equal(old, new)
    assert np.array_equal(old[4:-4, 4:-4], new[4:-4, 4:-4])


def test_result_is_the_base_where_the_net_does_not_reach(picture):
    sample = evaluation.prepare(picture, 3)
    result = evaluation.add_base(np.ones([side - 2 for side in sample.base.shape], np.float32), sample)
    assert np.array_equal(result[:2], sample.base[:2]) and np.array_equal(result[:, :2], sample.base[:, :2])
    assert np.array_equal(result[2:, 2:], sample.base[2:, 2:] + 1)
    assert result is not sample.base


def test_one_net_serves_images_of_any_size(picture):
    net = random_net(2)
    first = evaluation.super_resolve(net, evaluation.prepare(picture, 2))
    evaluation.super_resolve(net, evaluation.prepare(picture[:30, :24], 2))
    again = evaluation.super_resolve(net, evaluation.prepare(picture, 2))
    assert np.array_equal(first, again)
    assert first.shape == (50, 40)


def test_forward_gives_a_copy(picture):
    net = random_net(2)
    sample = evaluation.prepare(picture, 2)
    output = runtime.forward(net, sample.lr)
    kept = output.copy()
    runtime.forward(net, 1 - sample.lr)
    assert np.array_equal(output, kept)


def test_rounding_is_half_away_and_saturates():
    values = np.array([[-0.2, 0, 0.5 / 255, 1.5 / 255, 2.5 / 255, 1.2]])
    assert matlab.im2uint8(values).tolist() == [[0, 0, 1, 2, 3, 255]]


def test_validation_psnr_is_the_mean_of_the_benchmark_path(picture):
    net = random_net(3)
    images = [picture, picture[::-1, :38], picture[:30, ::-1]]
    samples = [evaluation.prepare(image, 3) for image in images]
    each = [evaluation.evaluate_image(net, image, 3, metrics=("psnr",))["psnr"] for image in images]
    assert evaluation.validation_psnr(net, samples) == pytest.approx(np.mean(each), abs=1e-12)
    assert np.ptp(each) > 0.01


def test_validation_psnr_of_a_diverged_net_is_nan(picture):
    net = random_net(3)
    net.params["conv1"][0].data[...] = np.nan
    assert np.isnan(evaluation.validation_psnr(net, [evaluation.prepare(picture, 3)]))


def test_scores_leave_the_border_out():
    rng = np.random.default_rng(0)
    hr = rng.integers(0, 256, (40, 40), np.uint8)
    sr = hr.copy()
    sr[:3], sr[-3:], sr[:, :3], sr[:, -3:] = 0, 0, 0, 0
    assert evaluation.score(hr, sr, 3, ("psnr", "ssim")) == {"psnr": np.inf, "ssim": pytest.approx(1)}


def test_ifc_of_a_small_image_is_a_gap_with_its_reason():
    hr = np.random.default_rng(0).integers(0, 256, (20, 20), np.uint8)
    scores = evaluation.score(hr, hr[::-1], 2)
    assert scores["ifc"] is None and "ifc" in scores["note"]
    assert np.isfinite(scores["psnr"]) and np.isfinite(scores["ssim"])


@pytest.mark.parametrize("scale, least", [(2, 16), (3, 18), (4, 20)])
def test_too_small_image_is_named_with_the_least_size(scale, least):
    with pytest.raises(
        UserError, match=rf"dot\.png: 40x{least - 1} pixels is too small .* x{scale}, .* {least} a side"
    ):
        evaluation.prepare(np.zeros((least - 1, 40), np.uint8), scale, name="dot.png")
    sample = evaluation.prepare(np.zeros((least, least), np.uint8), scale)
    assert np.isfinite(evaluation.score(sample.hr, sample.hr, scale, ("ssim",))["ssim"])


def test_net_of_another_scale_is_refused(picture):
    with pytest.raises(UserError, match="output is 49x61 pixels, expected 37x46 at x3"):
        evaluation.super_resolve(random_net(4), evaluation.prepare(picture[:48, :40], 3))


# --- colour ------------------------------------------------------------------------------------------------


def test_colour_picture_of_a_perfect_result_is_close_to_the_original(picture):
    smooth = matlab.imresize(matlab.imresize(picture[:48, :36], 0.25), 4)
    hr = evaluation.prepare(smooth, 3).hr
    shown = evaluation.colour(smooth, hr, 3)
    assert shown.shape == (42, 30, 3) and shown.dtype == np.uint8
    assert np.abs(shown.astype(int) - smooth[3:-3, 3:-3]).mean() < 3


def test_colour_takes_luma_from_the_result(picture):
    sr = np.full((48, 39), 100, np.uint8)
    shown = evaluation.colour(picture, sr, 3)
    # colours outside the RGB cube are clipped and lose their Y; the others keep it
    inside = ((shown > 0) & (shown < 255)).all(axis=2)
    assert inside.mean() > 0.5
    assert np.abs(matlab.rgb2ycbcr(shown)[..., 0][inside].astype(int) - 100).max() <= 1


def test_colour_of_a_gray_image_is_the_result_itself():
    sr = np.random.default_rng(0).integers(0, 256, (30, 24), np.uint8)
    assert np.array_equal(evaluation.colour(sr, sr, 3), sr[3:-3, 3:-3])


# --- the released weights ----------------------------------------------------------------------------------


def test_set5_x3_equals_the_measured_figures(shared, measured):
    net = runtime.build_net(idn(3, "deploy"), shared / "weights/idn/IDN_x3.caffemodel")
    rows = {"Bicubic": [], "IDN": []}
    paths = list_images(shared / "data/Set5")
    assert len(paths) == 5
    for path in paths:
        sample = evaluation.prepare(read_image(path), 3, name=path.name)
        for name, result in (("Bicubic", sample.base), ("IDN", evaluation.super_resolve(net, sample))):
            rows[name].append(evaluation.score(sample.hr, matlab.im2uint8(result), 3))
    for name, found in rows.items():
        psnr, ssim, ifc = measured["Set5", 3, name]
        mean = {metric: np.mean([row[metric] for row in found]) for metric in evaluation.METRICS}
        assert mean["psnr"] == pytest.approx(psnr, abs=2e-4)
        assert mean["ssim"] == pytest.approx(ssim, abs=1e-5)
        assert mean["ifc"] == pytest.approx(ifc, abs=5e-4)
