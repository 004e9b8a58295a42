"""ImresizeStrips: the rows of imresize, whatever the strips, bit for bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matlab_compat import ImresizeStrips, imresize

CLASSES = (np.uint8, np.uint16, np.float32, np.float64)


@given(
    st.tuples(st.integers(1, 23), st.integers(1, 23)),
    st.sampled_from([1 / 4, 1 / 3, 0.75, 1, 2, 3, 4, 2.7]),
    st.sampled_from(CLASSES),
    st.sampled_from([(), (1,), (3,)]),
    st.sampled_from(["replicate", "symmetric"]),
    st.integers(1, 30),
)
def test_strips_are_the_rows_of_the_whole(size, scale, kind, channels, edge, height):
    img = np.random.default_rng(1).random((*size, *channels))
    img = (img * np.iinfo(kind).max).astype(kind) if np.dtype(kind).kind == "u" else img.astype(kind)
    whole = imresize(img, scale, edge=edge)
    strips = ImresizeStrips(size, scale, edge=edge)
    assert strips.shape == whole.shape[:2]
    for start in range(0, len(whole), height):
        stop = min(start + height, len(whole))
        low, high = strips.needs(start, stop)
        part = strips.rows(img[low:high], start, stop)
        assert part.dtype == kind and np.array_equal(part, whole[start:stop])


def test_a_strip_needs_few_rows():
    strips = ImresizeStrips((1000, 8), 3)
    assert strips.needs(1500, 1530) == (498, 512)  # ten rows, and the two taps of the cubic above and below


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((0, 5), 2), "got size"),
        (((5, 5), 0), "a scale above 0"),
        (((5, 5), float("nan")), "a scale above 0"),
    ],
)
def test_sizes_that_make_no_image_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ImresizeStrips(*arguments)


def test_unknown_options_and_other_rows_are_refused():
    with pytest.raises(ValueError, match="got method 'cubist' and edge 'replicate'; expected one of nearest"):
        ImresizeStrips((5, 5), 2, method="cubist")
    with pytest.raises(ValueError, match="edge 'wrap'"):
        ImresizeStrips((5, 5), 2, edge="wrap")
    strips = ImresizeStrips((9, 5), 2)
    with pytest.raises(ValueError, match="part has 2 rows of 5 pixels; expected 3 of 5, the input's rows 0 to 2"):
        strips.rows(np.zeros((2, 5)), 0, 2)
