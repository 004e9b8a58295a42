"""Shares of a benchmark (--shard) and their reports put together."""

import json

import cv2
import numpy as np
import pytest

from tools import benchmark
from tools.benchmarking import merging
from tools.common.errors import UserError


@pytest.fixture
def place(tmp_path):
    """A data folder with two sets of one small picture."""
    for seed, name in enumerate(("Tiny", "Other")):
        (tmp_path / "data" / name).mkdir(parents=True)
        small = np.random.default_rng(seed).integers(30, 220, (8, 8), np.uint8)
        cv2.imwrite(str(tmp_path / "data" / name / "one.png"), cv2.resize(small, (48, 48)))
    return tmp_path


def measure(place, out, *more):
    asked = ["--tables", "2", "--methods", "Bicubic", "--datasets", "Tiny", "Other", "--scales", "2", "3"]
    return benchmark.main([*asked, "--data-dir", str(place / "data"), "--out", str(place / out), *more])


def read(place, *names):
    return {place / name: json.loads((place / name / "benchmark.json").read_text()) for name in names}


def test_shares_are_disjoint_and_together_the_whole(place, capsys):
    for number in (1, 2, 3):
        assert measure(place, f"s{number}", "--shard", f"{number}/3") == 0
    assert measure(place, "one") == 0
    rows = [[(row["dataset"], row["scale"]) for row in one["rows"]] for one in read(place, "s1", "s2", "s3").values()]
    assert [len(one) for one in rows] == [2, 1, 1] and len(set(sum(rows, []))) == 4
    shares = [str(place / f"s{number}" / "benchmark.json") for number in (3, 1, 2)]
    capsys.readouterr()
    assert benchmark.main(["--from-json", *shares, "--out", str(place / "all")]) == 0
    printed = capsys.readouterr().out
    assert benchmark.main(["--from-json", str(place / "one" / "benchmark.json")]) == 0
    assert capsys.readouterr().out == printed
    assert (place / "all/benchmark.csv").read_bytes() == (place / "one/benchmark.csv").read_bytes()


def test_a_share_without_a_row_is_refused(place):
    with pytest.raises(UserError, match="--shard 5/5: has no row, all are in the shares before; give a smaller N"):
        measure(place, "out", "--shard", "5/5")
    assert not (place / "out").exists()


def test_a_share_measures_and_from_json_does_not(place):
    with pytest.raises(UserError, match="--from-json: measures nothing, so that --shard has no effect"):
        benchmark.main(["--from-json", "x", "--shard", "1/2"])


@pytest.mark.parametrize("change", ["images", "edge"])
def test_shares_that_do_not_belong_together_are_refused(place, change):
    assert measure(place, "s1", "--shard", "1/2") == 0
    if change == "images":
        cv2.imwrite(str(place / "data/Tiny/one.png"), np.full((48, 48), 90, np.uint8))
    more = ["--edge", "symmetric"] if change == "edge" else []
    assert measure(place, "s2", "--shard", "2/2", *more) == 0
    said = {"images": "has other images of Tiny than .*: they have changed between the two",
            "edge": "was measured with edge symmetric, but .* with replicate"}[change]  # fmt: skip
    with pytest.raises(UserError, match=said):
        merging.together(read(place, "s1", "s2"))


def test_a_row_takes_the_place_of_a_gap(place):
    assert measure(place, "one") == 0
    (report,) = read(place, "one").values()
    gap = {**report["rows"][0], "psnr": None, "gap": "failed", "per_image": []}
    broken = {"meta": report["meta"], "rows": [gap, *report["rows"][1:]]}
    for found in ({"a": broken, "b": report}, {"a": report, "b": broken}):
        assert [row["gap"] for row in merging.together(found)["rows"]] == [None] * 4
