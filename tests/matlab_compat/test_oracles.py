"""MATLAB's own imresize output, and the authors' metric scripts run under Octave: the reference data beside the
checkout."""

import json

import cv2
import numpy as np
import pytest

from matlab_compat import ifc, imresize, psnr, ssim
from matlab_compat._resample import axis_plan, resample_exact


def _read(path, flag=cv2.IMREAD_COLOR):
    img = cv2.imread(str(path), flag)
    assert img is not None, f"cannot read {path}"
    return img


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_imresize_equals_matlab_in_every_pixel(shared, scale):
    # NAME_LR.png is MATLAB's imresize(HR, 1/scale) of the 8-bit RGB image; channel order does not matter
    references = sorted((shared / "oracles" / "imresize" / f"x{scale}").glob("*_HR.png"))
    assert len(references) == 5
    for path in references:
        small = _read(str(path).replace("_HR", "_LR"))
        assert small.std() > 10  # not a flat picture
        np.testing.assert_array_equal(imresize(_read(path), 1 / scale), small, err_msg=path.name)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_definition_in_double_equals_matlab_too(shared, scale):
    path = sorted((shared / "oracles" / "imresize" / f"x{scale}").glob("*_HR.png"))[0]
    img, small = _read(path), _read(str(path).replace("_HR", "_LR"))
    for axis in (0, 1):
        plan = axis_plan(img.shape[axis], small.shape[axis], 1 / scale, "bicubic", True, "replicate")
        img = resample_exact(img, plan, axis)
    np.testing.assert_array_equal(img, small)


def test_metrics_equal_the_authors_scripts(shared):
    folder = shared / "oracles" / "metrics"
    values = json.loads((folder / "metrics.json").read_text())["values"]
    assert len(values) == 9
    for name, expected in values.items():
        ref = _read(folder / f"{name}_reference.png", cv2.IMREAD_GRAYSCALE)
        out = _read(folder / f"{name}_bicubic.png", cv2.IMREAD_GRAYSCALE)
        # the values are printed with ten decimals
        assert psnr(ref, out) == pytest.approx(expected["psnr"], abs=1e-9), name
        assert ssim(ref, out) == pytest.approx(expected["ssim"], abs=1e-9), name
        assert ifc(ref, out) == pytest.approx(expected["ifc"], abs=1e-9), name
