"""The peak is this process's own."""

import subprocess
import sys

import numpy as np

from data_prep import memory


def test_the_peak_of_the_program_that_started_this_one_is_not_its_own():
    """getrusage's is: a short script would need what the notebook needed that started it."""
    held = np.ones(400 << 20, np.uint8)
    assert memory.peak() > held.nbytes
    done = subprocess.run(
        [sys.executable, "-c", "from data_prep import memory; print(memory.peak())"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert 5 << 20 < int(done.stdout) < 200 << 20
