"""What the parts of the GPU check are made of, where there is no GPU."""

import pytest

from data_prep.geometry import SCALES
from tools.gpu_checks import parts
from tools.nets import runtime


@pytest.mark.parametrize(("scale", "lr", "hr"), [(2, 29, 57), (3, 15, 43), (4, 11, 41)])
def test_training_is_checked_at_the_papers_sizes(scale, lr, hr):
    """Table 1 of the paper: sub-images of the stage train."""
    runtime.use_device()
    assert scale in SCALES
    with parts.training_solver(scale, batch=2) as solver:
        losses = []
        for _ in range(2):
            solver.step(1)
            losses.append(float(solver.net.blobs["loss"].data))
        assert tuple(solver.net.blobs["data"].shape) == (2, 1, lr, lr)
        assert tuple(solver.net.blobs["label"].shape) == (2, 1, hr, hr)
    assert min(losses) > 0 and losses[0] != losses[1]


def test_times_are_a_table_with_means():
    rows = {2: {"a.bmp": {"lr": [30, 40], "caffe": 2.0, "cudagraph": 1.0},
                "bc.bmp": {"lr": [128, 96], "caffe": 4.0, "cudagraph": 1.5}}}  # fmt: skip
    assert parts.forward_times(rows).splitlines() == [
        "| scale | image  | LR     | launches one by one | CUDA graph |",
        "| ----- | ------ | ------ | ------------------: | ---------: |",
        "| x2    | a.bmp  | 40x30  |                2.00 |       1.00 |",
        "| x2    | bc.bmp | 96x128 |                4.00 |       1.50 |",
        "| x2    | mean   |        |                3.00 |       1.25 |",
    ]
