"""The pairs of the compared networks, against straightforward loops and against the nets that read them."""

import numpy as np
import pytest

from data_prep.augment import luma_variants
from data_prep.cutting import pairs
from data_prep.sampling import sampling
from matlab_compat import im2double, imresize, modcrop, rgb2ycbcr

KEY = "0 abc"


def picture(height, width, seed=0):
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    base = 120 + 60 * np.sin(rows / 9) + 50 * np.cos(columns / 7)
    return np.clip(base[..., None] + random.normal(0, 12, (height, width, 3)), 0, 255).astype(np.uint8)


def all_pairs(rgb, shape, key=KEY):
    made = list(pairs(rgb, shape, key))
    return {name: np.concatenate([one[name] for one in made]) for name in shape.sides}, [len(m["data"]) for m in made]


def check_counts(rgb, shape, found, counts):
    assert counts == shape.patches(*rgb.shape[:2])
    for name, side in shape.sides.items():
        assert found[name].shape == (sum(counts), 1, side, side) and found[name].dtype == np.float32


@pytest.mark.parametrize(("method", "scale"), [("DRRN", None), ("VDSR", None), ("SRCNN-9-1-5", 3), ("RED30", 2)])
def test_interpolated_pairs_are_those_of_the_releases(method, scale):
    """The three loops of generate_train.m, in its own 1-based terms."""
    rgb, shape = picture(97, 120), sampling(method, scale, stride=11)
    found, counts = all_pairs(rgb, shape)
    check_counts(rgb, shape, found, counts)
    data, label = [], []
    padding = abs(shape.size - shape.label) // 2
    for luma in luma_variants(rgb, shape.augmentation):
        for m in shape.scales:
            im_label = modcrop(im2double(luma), m)
            im_input = imresize(imresize(im_label, 1 / m), output_shape=im_label.shape)
            for x in range(1, im_label.shape[0] - shape.size + 2, shape.stride):
                for y in range(1, im_label.shape[1] - shape.size + 2, shape.stride):
                    top, left = x - 1, y - 1
                    data.append(im_input[top : top + shape.size, left : left + shape.size])
                    top, left = top + padding, left + padding
                    label.append(im_label[top : top + shape.label, left : left + shape.label])
    assert len(data) > 20
    assert np.array_equal(found["data"][:, 0], np.float32(data))
    assert np.array_equal(found["label"][:, 0], np.float32(label))


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("method", ["ESPCN", "FSRCNN"])
def test_small_pairs_lie_on_each_other(method, scale):
    """On a ramp of luma, label pixel i of a row has the value of its place: that tells where the label lies."""
    ramp = np.repeat(np.arange(60, 60 + 2 * 72, 2, dtype=np.uint8)[None], 72, 0)
    rgb = np.dstack([ramp] * 3)
    shape = sampling(method, scale, "val")
    found, counts = all_pairs(rgb, shape)
    check_counts(rgb, shape, found, counts)
    luma = im2double(rgb2ycbcr(rgb)[:, :, 0])
    small = imresize(modcrop(luma, scale), 1 / scale)
    assert np.array_equal(found["data"][0, 0, 0], np.float32(small[0, : shape.size]))
    # LR pixels that convolutions without padding take off each side: ESPCN's three 4, FSRCNN's first 2
    first = 4 * scale if method == "ESPCN" else 2 * scale + (scale == 3)
    assert np.array_equal(found["label"][0, 0, 0], np.float32(luma[0, first : first + shape.label]))


def test_a_pyramid_s_levels_belong_to_each_other():
    rgb, shape = picture(180, 260), sampling("LapSRN", 4, crops=20)
    found, counts = all_pairs(rgb, shape)
    check_counts(rgb, shape, found, counts)
    for level, half, quarter in zip(found["level1_HR"], found["level2_HR"], found["data"]):
        assert np.allclose(half[0], imresize(level[0].astype(float), 0.5), atol=1e-6)
        assert np.allclose(quarter[0], imresize(level[0].astype(float), 0.25), atol=1e-6)
    assert len({level.tobytes() for level in found["level1_HR"]}) == 20


def test_a_pyramid_is_drawn_from_the_image_s_key_alone():
    rgb, shape = picture(150, 140), sampling("LapSRN", 2, crops=3)
    first, again, other = (all_pairs(rgb, shape, key)[0]["data"] for key in (KEY, KEY, "1 abc"))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_validation_pieces_of_a_pyramid_are_the_image_s_own():
    rgb = picture(140, 150)
    shape = sampling("LapSRN", 2, "val")
    luma = im2double(rgb2ycbcr(rgb)[:, :, 0]).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(luma, (128, 128)).reshape(-1, 128, 128)
    known = {window.tobytes() for window in windows}
    found, counts = all_pairs(rgb, shape)
    assert counts == [1] * 16 and all(level[0].tobytes() in known for level in found["level1_HR"])


def test_an_image_smaller_than_a_piece_of_a_pyramid_is_enlarged():
    found, _ = all_pairs(picture(60, 90), sampling("LapSRN", 2, crops=4))
    assert found["level1_HR"].shape == (4, 1, 128, 128)


def test_an_image_too_small_for_a_patch_gives_none():
    for method in ("VDSR", "FSRCNN"):
        shape = sampling(method, 3)
        found, counts = all_pairs(picture(30, 200), shape)
        assert set(counts) == {0} and found["label"].shape == (0, 1, shape.label, shape.label)
