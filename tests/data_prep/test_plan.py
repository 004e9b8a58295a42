"""Counts, permutation and layout; what is left out and said."""

import itertools
import json

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from data_prep.errors import DataError
from data_prep.geometry import SCALES, STAGES, geometry
from data_prep.plan import gather, make_plan


@pytest.fixture
def sources(small_set):
    return gather(small_set)


def test_every_kept_pair_has_a_place_of_its_own(sources):
    plan = make_plan(sources, geometry(3, "train"), seed=4)
    assert plan.pairs == plan.total // 64 * 64 < plan.total == sum(plan.counts)
    check_places(plan)


def check_places(plan):
    """Every row of the database is one pair's, every pair of an image is named once, in the order of cutting."""
    places = plan.destinations()
    assert np.array_equal(np.sort(np.concatenate([one.rows for one in places])), np.arange(plan.pairs))
    for (chosen, rows), count in zip(places, plan.counts):
        assert len(chosen) == len(rows)
        assert (np.diff(chosen) > 0).all() and (not len(chosen) or 0 <= chosen[0] <= chosen[-1] < count)


def test_permutation_is_global_and_seeded(sources):
    shape = geometry(3, "train")
    plans = [make_plan(sources, shape, seed) for seed in (0, 0, 1)]
    places = [np.concatenate([one.rows for one in plan.destinations()]) for plan in plans]
    assert np.array_equal(places[0], places[1])
    assert not np.array_equal(places[0], places[2])
    # each image's pairs are spread over the whole database, not kept together
    plan = make_plan(sources, shape)
    first = plan.destinations()[0].rows
    assert first.min() < plan.pairs * 0.1
    assert first.max() > plan.pairs * 0.9


def test_permutation_of_seed_0_stays_what_it_is(sources):
    """NumPy promises RandomState's stream for good (NEP 19); permutation(10) of seed 0 is in its documentation."""
    assert np.random.RandomState(0).permutation(10).tolist() == [2, 8, 4, 9, 1, 6, 7, 3, 0, 5]  # noqa: NPY002


def test_a_sample_is_of_all_pairs_of_all_variants(sources):
    shape = geometry(3, "train")
    total = make_plan(sources, shape).total
    plan = make_plan(sources, shape, seed=2, max_pairs=150)
    assert (plan.total, plan.pairs, plan.is_sample) == (total, 128, True)
    check_places(plan)
    others = [make_plan(sources, shape, seed, max_pairs=150).destinations() for seed in (2, 3)]
    same = [all(np.array_equal(a.chosen, b.chosen) for a, b in zip(plan.destinations(), other)) for other in others]
    assert same == [True, False]


@pytest.mark.parametrize("most", [None, 10**15])
def test_a_sample_of_all_is_the_whole_database(sources, most):
    shape = geometry(3, "train")
    whole = make_plan(sources, shape)
    plan = make_plan(sources, shape, max_pairs=most or whole.total)
    assert plan.identity() == whole.identity() and not plan.is_sample
    for one, other in zip(plan.destinations(), whole.destinations()):
        assert np.array_equal(one.chosen, other.chosen) and np.array_equal(one.rows, other.rows)


def test_every_pair_is_drawn_equally_often(sources):
    """Chi-squared over all pairs, 300 samples: each is in 64 of `total` of them, whatever its image and variant."""
    shape = geometry(3, "train")
    plan = make_plan(sources, shape, max_pairs=64)
    drawn = np.zeros(plan.total)
    starts = np.cumsum([0, *plan.counts[:-1]])
    for seed in range(300):
        places = make_plan(sources, shape, seed, max_pairs=64).destinations()
        drawn[np.concatenate([start + one.chosen for start, one in zip(starts, places)])] += 1
    # without replacement the counts vary by the factor 1 - 64 / total less than independent ones
    statistic = ((drawn - drawn.mean()) ** 2 / drawn.mean()).sum() / (1 - 64 / plan.total)
    assert drawn.sum() == 300 * 64 and 0.001 < stats.chi2.sf(statistic, plan.total - 1) < 0.999


def test_a_sample_of_less_than_a_batch_is_refused(sources):
    with pytest.raises(DataError, match="max-pairs 63: expected at least one batch of 64"):
        make_plan(sources, geometry(3, "train"), max_pairs=63)


def test_a_glance_finds_what_decoding_finds(small_set, sources, damage):
    assert gather(small_set, decode=False) == sources
    damage(small_set / "picture1.png")
    assert len(gather(small_set, decode=False).images) == 5  # seen when it is cut
    assert len(gather(small_set, skip_bad=True, decode=False).images) == 4
    (small_set / "picture1.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"picture1.png: not a picture.*--skip-bad"):
        gather(small_set, decode=False)


def test_shards_hold_whole_chunks(sources):
    plan = make_plan(sources, geometry(3, "train"), shard_mb=1.1)
    # 1.1e6 bytes / 15,692 bytes a pair = 70 pairs, that is one chunk of 64
    assert plan.per_shard == 64
    assert set(plan.shard_rows[:-1]) == {64}
    assert sum(plan.shard_rows) == plan.pairs
    assert make_plan(sources, geometry(3, "train"), shard_mb=0.001).per_shard == 64
    assert make_plan(sources, geometry(3, "train")).shard_rows == [plan.pairs]


def test_small_images_are_counted(sources):
    plan = make_plan(sources, geometry(3, "train"))
    assert plan.counts[4] == 0
    assert plan.warnings == ["1 file smaller than a patch of 45x45, no pair: picture4.png"]


def test_set_of_only_small_images(tmp_path, make_picture):
    make_picture(tmp_path / "s/a.png", 40, 40)
    with pytest.raises(DataError, match="s: 0 pairs from 1 images, expected at least one batch of 64.*45x45"):
        make_plan(gather(tmp_path / "s"), geometry(3, "train"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "seed -1: expected 0 to 4294967295"),
        ({"seed": 2**32}, "expected 0 to"),
        ({"shard_mb": 0}, "shard size 0 MB: expected more than 0"),
        ({"shard_mb": float("nan")}, "shard size nan MB"),
    ],
)
def test_parameters_out_of_range(sources, options, message):
    with pytest.raises(DataError, match=message):
        make_plan(sources, geometry(3, "train"), **options)


def test_gray_16_bit_alpha_and_other_files_are_said(small_set):
    pixels = np.full((80, 80, 4), 90, np.uint8)
    Image.fromarray(pixels[:, :, 0]).save(small_set / "gray1.png")
    Image.fromarray(pixels[:, :, 0]).save(small_set / "gray2.bmp")
    Image.fromarray(pixels).save(small_set / "alpha.png")
    (small_set / "Thumbs.db").write_bytes(b"x")
    found = gather(small_set)
    assert len(found.images) == 6
    assert found.warnings == [
        "2 files gray (one channel), skipped as the authors do: gray1.png, gray2.bmp",
        "1 file with an alpha channel, which is dropped: alpha.png",
        "1 file not an image by its name, ignored: Thumbs.db",
    ]


def test_16_bit_image_is_said_and_used(small_set):
    import cv2

    cv2.imwrite(str(small_set / "deep.png"), np.full((80, 80, 3), 25700, np.uint16))
    found = gather(small_set)
    assert found.warnings == ["1 file with 16 bits a channel, rounded to 8: deep.png"]
    assert "deep.png" in [info.path.name for info in found.images]


def test_only_gray_images(tmp_path):
    Image.fromarray(np.zeros((80, 80), np.uint8)).save(tmp_path / "gray.png")
    with pytest.raises(DataError, match="no colour image that can be read; 1 file gray"):
        gather(tmp_path)


def test_truncated_image_is_an_error_or_skipped(small_set):
    path = small_set / "picture1.png"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="picture1.png: truncated or damaged.*or leave such images out with --skip-bad"):
        gather(small_set)
    found = gather(small_set, skip_bad=True)
    assert len(found.images) == 4
    assert found.warnings == ["1 file unreadable, left out (--skip-bad): picture1.png"]


def test_set_hash_follows_the_content(small_set, make_picture):
    before = gather(small_set).sha256
    make_picture(small_set / "picture0.png", 97, 120, seed=9)
    assert gather(small_set).sha256 != before


@pytest.mark.parametrize(("scale", "pairs"), [(2, (535, 534)), (3, (462, 462)), (4, (253, 252))])
def test_validation_counts_of_the_release(shared, scale, pairs):
    # release, train/IDN_solver.prototxt: test_iter 267, 231, 126 at batch 2; run of its script: 535, 462, 253
    plan = make_plan(gather(shared / "data/Set5"), geometry(scale, "val"))
    assert (plan.variants, plan.total, plan.pairs) == (5, *pairs)


def test_committed_counts(root, shared):
    """results/data/counts.json is what today's code gives."""
    rows = json.loads((root / "results/data/counts.json").read_text())
    assert sorted((row["scale"], row["stage"]) for row in rows) == sorted(itertools.product(SCALES, STAGES))
    sources = {name: gather(shared / "data" / name) for name in ("291", "Set5")}
    for row in rows:
        plan = make_plan(sources[row["source_set"]], geometry(row["scale"], row["stage"]), row["seed"])
        identity = plan.identity()
        assert {name: row[name] for name in identity} == identity
        assert plan.warnings == []
        # the paper's augmentation: 4 rotations x 5 sizes x 2
        assert row["variants"] == row["images"] * (1 if row["stage"] == "val" else 40)


def test_damage_of_any_kind_is_skipped_and_pages_are_said(small_set):
    """A header that makes Pillow overflow, a TIFF cut within a strip, and one of two pages."""
    picture = Image.open(small_set / "picture0.png").convert("RGB")
    picture.save(small_set / "bad.bmp")
    content = bytearray((small_set / "bad.bmp").read_bytes())
    content[18:26] = b"\xff\xff\xff\x7f\xff\xff\xff\x7f"
    (small_set / "bad.bmp").write_bytes(content)
    picture.save(small_set / "bad.tif", compression="tiff_lzw")
    content = (small_set / "bad.tif").read_bytes()
    (small_set / "bad.tif").write_bytes(content[: len(content) // 2])
    picture.save(small_set / "two.tif", save_all=True, append_images=[picture])
    found = gather(small_set, skip_bad=True)
    assert found.warnings == [
        "2 files unreadable, left out (--skip-bad): bad.bmp, bad.tif",
        "1 file with several pages or frames, the first is used: two.tif (2)",
    ]
    assert "two.tif" in [info.path.name for info in found.images]
