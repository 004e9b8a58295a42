"""What tools/bench_sharing.py times must give equal bits."""

import numpy as np
import pytest

from tools.common.errors import UserError
from tools.peers import sharing_worker


def test_outputs_must_be_equal_to_the_last_bit():
    outputs = sharing_worker.images(8, 3)
    sharing_worker.check_equal("IDN x3", outputs, [one.copy() for one in outputs])
    for value in (np.nextafter(outputs[1][2, 3], np.float32(2)), np.float32(np.nan)):
        other = [one.copy() for one in outputs]
        other[1][2, 3] = value
        with pytest.raises(UserError, match="^IDN x3: 1 of 3 outputs of several nets at once differ from one net's$"):
            sharing_worker.check_equal("IDN x3", outputs, other)


def test_images_differ():
    first, second = sharing_worker.images(8, 2)
    assert first.shape == (8, 8) and first.dtype == np.float32 and (first != second).any()
