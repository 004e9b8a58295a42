"""The two-step cut, against straightforward loops and against invariants."""

import numpy as np
import pytest

from data_prep.geometry import geometry
from data_prep.patches import cut
from matlab_compat import im2double, imresize, modcrop, rgb2ycbcr


def picture(height, width, seed=0):
    """A smooth picture with texture, (height, width, 3) uint8."""
    random = np.random.RandomState(seed)  # noqa: NPY002
    rows, columns = np.mgrid[:height, :width]
    base = 120 + 60 * np.sin(rows / 9) + 50 * np.cos(columns / 7)
    return np.clip(base[..., None] + random.normal(0, 12, (height, width, 3)), 0, 255).astype(np.uint8)


def naive_cut(luma, scale, lr_size, stride):
    """The release's three loops (train/generate_train_IDN.m) in its own 1-based terms, not transposed."""
    high = modcrop(im2double(luma), scale)
    low = imresize(high, 1 / scale)
    bicubic = imresize(low, scale)
    hr_size = scale * lr_size - (scale - 1)
    pairs = {"data": [], "label": [], "bic": []}
    for x in range(1, low.shape[0] - lr_size + 2, stride):
        for y in range(1, low.shape[1] - lr_size + 2, stride):
            pairs["data"].append(low[x - 1 : x - 1 + lr_size, y - 1 : y - 1 + lr_size])
    for name, plane in (("label", high), ("bic", bicubic)):
        for x in range(1, plane.shape[0] - hr_size + 2, stride * scale):
            for y in range(1, plane.shape[1] - hr_size + 2, stride * scale):
                top, left = x + scale - 1, y + scale - 1
                pairs[name].append(plane[top - 1 : top - 1 + hr_size, left - 1 : left - 1 + hr_size])
    return pairs


@pytest.mark.parametrize("stride", [None, 7])
@pytest.mark.parametrize("stage", ["train", "finetune", "val"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_cut_equals_the_loops_of_the_release(scale, stage, stride):
    shape = geometry(scale, stage, stride)
    luma = rgb2ycbcr(picture(187, 250))[:, :, 0]
    found = cut(luma, shape)
    expected = naive_cut(luma, scale, shape.lr_size, shape.stride)
    rows, columns = shape.grid(*luma.shape)
    assert len(found["data"]) == rows * columns > 1
    for name, side in (("data", shape.lr_size), ("label", shape.hr_size), ("bic", shape.hr_size)):
        assert found[name].dtype == np.float32
        assert found[name].shape == (rows * columns, 1, side, side)
        assert np.array_equal(found[name][:, 0], np.float32(expected[name]))


def test_luma_keeps_matlabs_range():
    pairs = cut(np.full((60, 60), 235, np.uint8), geometry(3, "train"))
    assert np.all(pairs["label"] == np.float32(235 / 255))
    assert np.allclose(pairs["data"], 235 / 255, atol=1e-7)  # weights sum to 1 but for rounding


def test_bicubic_lines_up_with_the_label():
    """Shifting the bicubic patch by a pixel in any direction makes it fit its label worse."""
    pairs = cut(rgb2ycbcr(picture(200, 200))[:, :, 0], geometry(3, "train"))
    label = pairs["label"][:, 0, 1:-1, 1:-1]
    size = label.shape[-1]
    error = {
        (dy, dx): np.square(pairs["bic"][:, 0, dy : dy + size, dx : dx + size] - label).mean()
        for dy in range(3)
        for dx in range(3)
    }
    assert min(error, key=error.get) == (1, 1)


def test_too_small_an_image_gives_no_pair():
    pairs = cut(np.zeros((44, 300), np.uint8), geometry(3, "train"))
    assert {name: patches.shape for name, patches in pairs.items()} == {
        "data": (0, 1, 15, 15),
        "label": (0, 1, 43, 43),
        "bic": (0, 1, 43, 43),
    }


def test_just_large_enough_gives_one():
    assert len(cut(np.zeros((45, 45), np.uint8), geometry(3, "train"))["bic"]) == 1
