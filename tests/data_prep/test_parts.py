"""Parts of a database, cut apart and put together: the bytes of one run, whatever is missing or was left behind."""

import hashlib
from types import SimpleNamespace

import h5py
import pytest

from data_prep import parts, writing
from data_prep.build import build, database_folder
from data_prep.errors import DataError
from data_prep.geometry import geometry
from data_prep.parts import Part
from data_prep.plan import gather, make_plan
from data_prep.sampling import sampling
from data_prep.shard_list import shard_paths


def plan_for(folder, shape=None, **options):
    return make_plan(gather(folder), shape or geometry(3, "train"), **{"shard_mb": 2.1, **options})


def cut(plan, out, number, count, **options):
    database = database_folder(out, plan.geometry)
    return parts.build(plan, database, Part(number, count), **{"processes": 1, "progress": False, **options})


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in shard_paths(folder)}


def whole(plan, out):
    return build(plan, out, processes=1, progress=False).folder


@pytest.mark.parametrize("shape", [geometry(3, "train"), sampling("LapSRN", 4, crops=40)], ids=["IDN", "LapSRN"])
@pytest.mark.parametrize("most", [None, 128])
def test_parts_together_are_the_bytes_of_one_run(small_set, tmp_path, monkeypatch, shape, most):
    """Cut by different numbers of processes, in any order, and then only copied."""
    plan = plan_for(small_set, shape, max_pairs=most, seed=2)
    reports = [cut(plan, tmp_path / "parts", number, 3, processes=number) for number in (2, 3, 1)]
    assert sum(report.pairs for report in reports) == plan.pairs
    assert sum(report.images for report in reports) == len(plan.sources.images)
    decoded = []
    monkeypatch.setattr(writing, "read_pixels", lambda info: decoded.append(info))
    together = whole(plan, tmp_path / "parts")
    monkeypatch.undo()
    assert decoded == []
    assert digests(together) == digests(whole(plan, tmp_path / "one")) != {}
    assert not parts.folder_of(together).exists()


def test_missing_and_overlapping_parts(small_set, tmp_path):
    """What no part has is cut; what two have is taken once."""
    plan = plan_for(small_set)
    for number, count in ((1, 3), (2, 4), (7, 9)):  # the last has no image
        cut(plan, tmp_path / "parts", number, count)
    assert digests(whole(plan, tmp_path / "parts")) == digests(whole(plan, tmp_path / "one"))


def test_a_part_is_cut_once(small_set, tmp_path):
    plan = plan_for(small_set)
    first = cut(plan, tmp_path, 1, 2)
    assert (first.built, cut(plan, tmp_path, 1, 2).built, cut(plan, tmp_path, 1, 2, force=True).built) == (
        True, False, True,
    )  # fmt: skip
    first.path.write_bytes(first.path.read_bytes()[:-10_000])
    assert cut(plan, tmp_path, 1, 2).built
    assert [path.name for path in first.path.parent.iterdir()] == ["1_of_2.h5"]


@pytest.mark.parametrize("change", ["image", "seed", "truncated"])
def test_images_that_change_between_two_shards_are_told(small_set, tmp_path, make_picture, change):
    part = cut(plan_for(small_set), tmp_path, 1, 2)
    said = rf"1_of_2.h5: {'source_sha256' if change == 'image' else 'seed'} is .*: images or options have changed since"
    if change == "image":
        make_picture(small_set / "picture0.png", 97, 120, seed=9)
    if change == "truncated":
        part.path.write_bytes(part.path.read_bytes()[:1000])
        said = "1_of_2.h5: truncated or not HDF5; run this shard again"
    with pytest.raises(DataError, match=said):
        whole(plan_for(small_set, seed=1 if change == "seed" else 0), tmp_path)
    assert list(tmp_path.rglob(".*.partial")) == []


def test_no_space_for_a_part(small_set, tmp_path, monkeypatch):
    monkeypatch.setattr(writing.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(DataError, match=r"train.parts: no space: [0-9,]+ bytes needed, 1,000 free"):
        cut(plan_for(small_set), tmp_path, 1, 2)
    assert list(tmp_path.rglob("*.h5")) == []


def test_a_part_says_what_it_is(small_set, tmp_path):
    plan = plan_for(small_set)
    with h5py.File(cut(plan, tmp_path, 2, 2).path) as file:
        assert {name: file.attrs[name] for name in plan.identity()} == plan.identity()
        assert (file.attrs["part"], file.attrs["parts"]) == (2, 2)
