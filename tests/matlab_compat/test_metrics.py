"""psnr, ssim, ifc and rmse: their definitions and limits; test_oracles.py holds them to the authors' scripts."""

import math
import sys

import numpy as np
import pytest

from matlab_compat import _strips, ifc, psnr, rmse, ssim
from matlab_compat.steerable import BANDS, LOW, LOW0, SMALLEST_SIDE, steerable_bands

matlab_ifc = sys.modules["matlab_compat.ifc"]  # the package's attribute of this name is the function


@pytest.fixture
def picture():
    """A smooth 96 x 80 picture with an edge, and a noisy copy, both uint8."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:96, :80]
    ref = 120 + 60 * np.sin(y / 5) * np.cos(x / 7) + 40 * (x > 40) + rng.normal(0, 8, (96, 80))
    out = ref + rng.normal(0, 6, ref.shape)
    return tuple(np.clip(img, 0, 255).astype(np.uint8) for img in (ref, out))


def test_psnr_and_rmse_by_hand():
    ref = np.array([[10, 20], [30, 40]], np.uint8)
    out = np.array([[13, 16], [30, 40]], np.uint8)
    assert rmse(ref, out) == 2.5  # sqrt((9 + 16) / 4)
    assert psnr(ref, out) == pytest.approx(20 * math.log10(255 / 2.5), abs=1e-13)
    assert psnr(out, ref) == psnr(ref, out)  # bytes do not wrap around in the difference
    assert psnr(ref, out, data_range=1) == pytest.approx(-20 * math.log10(2.5), abs=1e-13)


def test_identical_images(picture):
    ref = picture[0]
    assert psnr(ref, ref) == math.inf and rmse(ref, ref) == 0
    assert ssim(ref, ref) == pytest.approx(1, abs=1e-14)
    assert ifc(ref, ref) > 10


def test_range_of_one_gives_the_same(picture):
    ref, out = picture
    assert psnr(ref / 255, out / 255, data_range=1) == pytest.approx(psnr(ref, out), abs=1e-10)
    assert ssim(ref / 255, out / 255, data_range=1) == pytest.approx(ssim(ref, out), abs=1e-12)
    assert abs(ssim(ref / 255, out / 255) - ssim(ref, out)) > 0.01  # the wrong range shows


def _plain_ssim(ref, out, window, k1, k2, peak):
    """Wang et al. 2004, equation 13, one window at a time."""
    c1, c2 = (k1 * peak) ** 2, (k2 * peak) ** 2
    window = window / window.sum()
    h, w = window.shape
    values = []
    for i in range(ref.shape[0] - h + 1):
        for j in range(ref.shape[1] - w + 1):
            x, y = (img[i : i + h, j : j + w].astype(float) for img in (ref, out))
            mx, my = (window * x).sum(), (window * y).sum()
            sx, sy = (window * (x - mx) ** 2).sum(), (window * (y - my) ** 2).sum()
            sxy = (window * (x - mx) * (y - my)).sum()
            values.append((2 * mx * my + c1) * (2 * sxy + c2) / ((mx**2 + my**2 + c1) * (sx + sy + c2)))
    return np.mean(values)


def _gaussian():
    x = np.arange(-5, 6)
    return np.exp(-(x[:, None] ** 2 + x**2) / (2 * 1.5**2))


@pytest.mark.parametrize(
    "window, K",
    [(None, (0.01, 0.03)), (np.ones((8, 8)), (0.01, 0.03)), (np.arange(1.0, 29).reshape(4, 7), (0.05, 0.02))],
)
def test_ssim_equals_its_definition(picture, window, K):
    ref, out = (img[:31, :34] for img in picture)
    expected = _plain_ssim(ref, out, _gaussian() if window is None else window, *K, 255)
    assert 0.1 < expected < 0.99
    assert ssim(ref, out, window=window, K=K) == pytest.approx(expected, abs=1e-11)


def test_ssim_of_a_window_sized_image(picture):
    ref, out = (img[:11, :11] for img in picture)
    assert ssim(ref, out) == pytest.approx(_plain_ssim(ref, out, _gaussian(), 0.01, 0.03, 255), abs=1e-12)


def test_ssim_without_constants():
    # ssim_index.m: 0 / 0 counts as 1; without spread only the means are compared
    flat = np.full((12, 12), 100.0)
    assert ssim(0 * flat, 0 * flat, K=(0, 0)) == 1
    # a window of one pixel has no spread at all
    assert ssim(flat, flat / 2, K=(0, 0), window=np.ones((1, 1))) == pytest.approx(2 * 0.5 / 1.25)


def test_strips_do_not_show(picture, monkeypatch):
    ref, out = picture
    whole = ssim(ref, out), psnr(ref, out), ifc(ref, out)
    monkeypatch.setattr(_strips, "PIXELS", 1)
    monkeypatch.setattr(matlab_ifc, "STRIP", 1)
    monkeypatch.setattr(matlab_ifc, "PORTION", 1)
    assert (ssim(ref, out), psnr(ref, out), ifc(ref, out)) == pytest.approx(whole, rel=1e-12)
    rows = [a.shape[0] for a, _ in _strips.double_strips(ref, out, overlap=10)]
    assert rows == [50, 50, 16]  # 40 + 40 + 6 rows of windows, 10 shared


def test_ifc_falls_with_the_noise(picture):
    ref = picture[0].astype(float)
    noise = np.random.default_rng(1).normal(size=ref.shape)
    values = [ifc(ref, ref + spread * noise) for spread in (1, 5, 20, 100)]
    assert values == sorted(values, reverse=True) and values[0] > 2 and values[-1] < 0.5


@pytest.mark.parametrize("value", [0, 7, 255, 1e-3])
def test_ifc_of_flat_images_is_zero(picture, value):
    flat = np.full(picture[0].shape, float(value))
    assert ifc(flat, picture[1]) == 0
    assert ifc(picture[0], flat) == 0
    assert ifc(flat, flat) == 0


def test_ifc_of_stripes_is_finite(picture):
    # all rows alike: the covariance of 3x3 blocks has rank 3, and its inverse does not exist
    stripes = np.tile(np.random.default_rng(3).integers(0, 256, 80), (96, 1)).astype(np.uint8)
    assert 0 < ifc(stripes, picture[1] // 8 + stripes // 2) < 50
    assert 0 < ifc(stripes.T.copy(), picture[1].T // 8 + stripes.T // 2) < 50


def test_ifc_at_its_smallest_size():
    rng = np.random.default_rng(2)
    ref = rng.normal(size=(72, 75)).cumsum(axis=0).cumsum(axis=1)
    assert 0 < ifc(ref, ref + rng.normal(size=ref.shape)) < 100
    assert SMALLEST_SIDE == 72


def test_the_filters_equal_those_of_pyrtools():
    pyrtools = pytest.importorskip("pyrtools", reason="pyrtools is not installed")
    filters = pyrtools.steerable_filters("sp5_filters")
    np.testing.assert_array_equal(LOW0, filters["lo0filt"])
    np.testing.assert_array_equal(LOW, filters["lofilt"])
    for band, column in zip(BANDS, (0, 3)):
        np.testing.assert_array_equal(band, filters["bfilts"][:, column].reshape(7, 7).T)


def test_the_filters_do_what_filters_do():
    # low-pass: the first keeps the mean, the second doubles it (a level has a quarter of the pixels)
    assert LOW0.sum() == pytest.approx(1, abs=1e-3) and LOW.sum() == pytest.approx(2, abs=1e-3)
    for band in BANDS:
        assert abs(band.sum()) < 1e-15 and np.abs(band).max() > 0.1
    np.testing.assert_array_equal(BANDS[1], -BANDS[0].T)


def test_bands_have_the_pyramids_sizes_and_find_their_edges():
    img = np.zeros((80, 97))
    img[:, 50:] = 100  # a vertical edge: the first orientation sees it, the one across does not
    listed = list(steerable_bands(img))
    assert [level for level, _ in listed] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert [band.shape for _, (band,) in listed[::2]] == [(80, 97), (40, 49), (20, 25), (10, 13)]
    for (_, (along,)), (_, (across,)) in zip(listed[::2], listed[1::2]):
        assert np.abs(along).max() > 5 and np.abs(across).max() < 1e-10
