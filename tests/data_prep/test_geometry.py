"""The table of sizes and the arithmetic of counts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.errors import DataError
from data_prep.geometry import geometry, variant_shapes
from matlab_compat import imresize


@pytest.mark.parametrize(
    ("scale", "stage", "sizes"),
    [
        # paper, Table 1
        (2, "train", (29, 57)),
        (3, "train", (15, 43)),
        (4, "train", (11, 41)),
        (2, "finetune", (39, 77)),
        (3, "finetune", (26, 76)),
        (4, "finetune", (19, 73)),
        # release, train/generate_test_IDN.m
        (2, "val", (16, 31)),
        (3, "val", (11, 31)),
        (4, "val", (11, 41)),
    ],
)
def test_sizes(scale, stage, sizes):
    shape = geometry(scale, stage)
    assert (shape.lr_size, shape.hr_size) == sizes
    assert shape.stride == shape.lr_size
    assert shape.batch == (2 if stage == "val" else 64)


def test_pretrain_uses_the_patches_of_train():
    assert geometry(3, "pretrain") == geometry(3, "train")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((5, "train"), "scale 5: expected 2, 3 or 4"),
        ((3, "test"), "stage 'test': expected pretrain, train, finetune or val"),
        ((3, "train", 0), "stride 0: expected 1 or more"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(DataError, match=message):
        geometry(*arguments)


@given(st.integers(1, 60), st.integers(1, 60))
def test_variant_shapes_are_those_of_imresize(height, width):
    image = np.zeros((height, width), np.uint8)
    shapes = variant_shapes(height, width)
    assert len(shapes) == 40
    expected = [
        imresize(np.rot90(image, turns), factor).shape
        for turns in range(4)
        for factor in (1.0, 0.9, 0.8, 0.7, 0.6)
    ]
    assert shapes[::2] == shapes[1::2] == expected


@given(st.sampled_from([2, 3, 4]), st.integers(1, 200), st.integers(1, 40))
def test_grid_counts_every_place_that_fits(scale, side, stride):
    shape = geometry(scale, "val", stride)
    starts = [at for at in range(0, side // scale, stride) if at + shape.lr_size <= side // scale]
    # the HR patch, after its crop, ends inside the image wherever the LR patch does
    assert all(scale * at + (scale - 1) + shape.hr_size <= side for at in starts)
    assert shape.grid(side, 10**4)[0] == len(starts)
