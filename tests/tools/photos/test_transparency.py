"""Colours weighted by alpha: no seam around what is seen, and nothing new for pictures that are opaque."""

import tracemalloc
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import matlab_compat as matlab
from tools.methods.registry import METHODS
from tools.photos import photo, result, transparency
from tools.photos.enlarge import Enlarger

RANDOM = np.random.default_rng(6)
METHOD_NAMES = ["Bicubic", "IDN", "FSRCNN", "LapSRN", "VDSR"]
KINDS = [("gray", np.uint8), ("rgb", np.uint8), ("rgb", np.uint16), ("gray", np.uint16)]


@cache
def enlarger(method, scale):
    """One of a kind: weights are random, and another one's would differ."""
    return Enlarger(METHODS[method], scale)


def enlarged(picture, method="Bicubic", scale=3):
    """The whole result (H, W, C)."""
    return np.concatenate([rows for rows, _ in enlarger(method, scale).result(picture).strips()])


def disc(colour, kind, soft=False, side=30):
    """A photo of a disc of one value on transparent black."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    top = np.iinfo(kind).max
    seen = np.clip(side / 3 - np.hypot(y, x), 0, 1) if soft else np.hypot(y, x) < side / 3
    alpha = np.round(seen * top).astype(kind)
    pixels = np.where(alpha > 0, top, 0).astype(kind)
    return photo.Photo(None, pixels if colour == "gray" else np.dstack([pixels] * 3), alpha)


@pytest.mark.parametrize("method", METHOD_NAMES)
@pytest.mark.parametrize(("colour", "kind"), KINDS)
@pytest.mark.parametrize("soft", [False, True])
def test_a_white_disc_on_transparent_black_is_as_a_white_picture(method, colour, kind, soft):
    """Whatever the net makes of white, it makes of the disc, at every pixel that is seen at all; bicubic: white."""
    picture = disc(colour, kind, soft)
    white = enlarged(photo.Photo(None, np.full_like(picture.pixels, np.iinfo(kind).max)), method)
    found = enlarged(picture, method)
    seen = found[..., -1] > 0
    assert 100 < seen.sum() < seen.size - 100
    assert np.array_equal(found[seen][:, :-1], white[seen])
    if method == "Bicubic":
        assert found[seen][:, :-1].min() == np.iinfo(kind).max
    assert np.array_equal(found[..., -1], matlab.imresize(picture.alpha, 3))


def test_bicubic_on_any_background_is_the_enlarged_composite():
    """What compositing asks for: enlarge the picture and put it on a colour, or the other way round."""
    pixels, alpha = RANDOM.integers(0, 256, (14, 15, 3), np.uint8), RANDOM.integers(30, 256, (14, 15), np.uint8)
    found = enlarged(photo.Photo(None, pixels.copy(), alpha), scale=2) / 255
    background = np.array([0.2, 0.5, 0.9])
    share = alpha[..., None] / 255
    expected = matlab.imresize(pixels / 255 * share + background * (1 - share), 2)
    share = found[..., 3:]
    composite = found[..., :3] * share + background * (1 - share)
    inside = ((found[..., :3] > 0) & (found[..., :3] < 1)).all(axis=2) & (share[..., 0] < 1)  # nothing was clipped
    assert inside.mean() > 0.5
    assert np.abs(composite - expected)[inside].max() < 6 / 255  # roundings to 8 bits, of alpha after either pass


@pytest.mark.parametrize("method", ["Bicubic", "IDN", "VDSR"])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_alpha_that_is_the_same_everywhere_changes_nothing(method, level):
    pixels = RANDOM.integers(0, 256, (20, 21, 3), np.uint8)
    opaque = enlarged(photo.Photo(None, pixels), method)
    found = enlarged(photo.Photo(None, pixels, np.full((20, 21), level, np.uint8)), method)
    assert np.array_equal(found[..., :3], opaque) and (found[..., 3] == level).all()


@pytest.mark.parametrize("method", ["Bicubic", "IDN"])
def test_far_from_transparent_pixels_colours_are_the_opaque_pictures(method):
    pixels = RANDOM.integers(0, 256, (24, 120), np.uint8)
    alpha = np.full_like(pixels, 255)
    alpha[:, :8] = 0
    opaque, found = (enlarged(photo.Photo(None, pixels.copy(), one), method, 2) for one in (None, alpha))
    # IDN's field reaches 30 pixels to each side
    assert np.array_equal(found[:, 2 * 42 :, 0], opaque[:, 2 * 42 :, 0])


@pytest.mark.parametrize("method", ["Bicubic", "IDN"])
def test_hidden_colours_do_not_matter(method):
    alpha = (RANDOM.random((22, 25)) > 0.4).astype(np.uint16) * 65535
    pixels = RANDOM.integers(0, 65536, (22, 25, 3), np.uint16)
    other = pixels.copy()
    other[alpha == 0] = RANDOM.integers(0, 65536, ((alpha == 0).sum(), 3))
    one, two = (enlarged(photo.Photo(None, given_, alpha), method, 2) for given_ in (pixels, other))
    assert np.array_equal(one, two)


def test_strips_change_nothing(monkeypatch):
    picture = disc("rgb", np.uint8, soft=True, side=41)
    noise = RANDOM.integers(0, 256, picture.pixels.shape, np.uint8)
    whole = enlarged(photo.Photo(None, noise.copy(), picture.alpha))
    monkeypatch.setattr(result, "STRIP", 400)
    monkeypatch.setattr(transparency, "STRIP", 100)
    assert np.array_equal(enlarged(photo.Photo(None, noise.copy(), picture.alpha)), whole)


@given(st.integers(1, 13), st.integers(1, 13), st.sampled_from([0, 3]), st.integers(0, 99))
def test_filling_keeps_what_is_seen_within_its_range(height, width, channels, seed):
    random = np.random.default_rng(seed)
    shape = (height, width, channels) if channels else (height, width)
    pixels, alpha = random.integers(50, 200, shape, np.uint8), random.integers(0, 3, (height, width), np.uint8)
    alpha.flat[random.integers(alpha.size)] = 1
    pixels[alpha == 0] = 255
    before = pixels.copy()
    transparency.fill_hidden(pixels, alpha)
    assert np.array_equal(pixels[alpha > 0], before[alpha > 0])
    seen = before[alpha > 0]
    assert (pixels >= seen.min(axis=0)).all() and (pixels <= seen.max(axis=0)).all()


@pytest.mark.parametrize("shape", [(700, 701), (3, 200_001), (200_001, 3)])
def test_filling_takes_what_is_counted(shape):
    pixels, alpha = RANDOM.integers(0, 256, (*shape, 3), np.uint8), np.zeros(shape, np.uint8)
    alpha[0, 0] = 200
    tracemalloc.start()
    transparency.fill_hidden(pixels, alpha)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert taken < transparency.fill_bytes(shape)
    assert (pixels == pixels[0, 0]).all()
