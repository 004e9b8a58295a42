"""Results of independent programs on small pictures; golden/README.md says which and how."""

import json
from pathlib import Path

import numpy as np
import pytest

from matlab_compat import ifc, imresize

GOLDEN = Path(__file__).resolve().parent / "golden"


def _only(pattern):
    files = sorted(GOLDEN.glob(pattern))
    assert len(files) == 1, f"expected one {pattern} in {GOLDEN}, found {files}"
    return np.load(files[0])


def test_every_golden_file_is_read_here():
    assert {path.name.split("_")[0] for path in GOLDEN.glob("*.npz")} == {"imresize", "ifc"}


@pytest.fixture(scope="module")
def octave():
    with _only("imresize_octave-*.npz") as data:
        return dict(data)


@pytest.mark.parametrize("name", ["uint8", "uint16", "int16", "single", "double", "logical"])
def test_imresize_equals_the_definition_run_by_octave(octave, name):
    cases = json.loads(str(octave["cases"]))
    mine = [(i, case) for i, case in enumerate(cases) if case["image"] == name]
    assert len(mine) >= 3
    for i, case in mine:
        options = {key: case[key] for key in ("method", "edge", "antialiasing")}
        result = imresize(octave[f"image_{name}"], tuple(case["scale"]), **options)
        assert result.dtype == octave[f"image_{name}"].dtype
        expected = octave[f"result_{i}"]
        if name in ("single", "double"):
            # the last bits differ: Octave's x^3 and the order of divisions
            np.testing.assert_allclose(result, expected, atol=1e-14 if name == "double" else 2e-7, err_msg=str(case))
        else:
            np.testing.assert_array_equal(result, expected, err_msg=str(case))


def test_ifc_equals_pyrtools_and_plain_loops():
    with _only("ifc_pyrtools-*.npz") as data:
        ref, outs, values = data["ref"], data["outs"], data["values"]
    assert len(outs) == len(values) == 4
    for out, value in zip(outs, values):
        assert ifc(ref, out) == pytest.approx(value, rel=1e-9, abs=1e-12)
    assert values[0] > 1  # not a comparison of zeros
