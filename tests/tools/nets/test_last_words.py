"""What a process says before Caffe ends it; the lines are those of real runs."""

import signal

import pytest

from tools.common import parent
from tools.nets import last_words

HOST = "F1125 10:00:00.1 7 syncedmem.hpp:33] Check failed: *ptr host allocation of size 9 failed\n*** Check failure"
CUDA = "F1122 21:30:01.5 77 syncedmem.hpp:33] Check failed: error == cudaSuccess (2 vs. 0)  out of memory"
SHAPE = "x\nF1125 10:00:00.1 7 blob.cpp:33] Check failed: shape[i] >= 0 (-1 vs. 0) \n"
ILLEGAL = "F1125 10:00:00.1 7 a.cpp:1] Check failed: error == cudaSuccess (700 vs. 0)  an illegal memory access"


@pytest.mark.parametrize(
    ("status", "log", "lacked"),
    [(-6, HOST, True), (-6, CUDA, True), (-6, SHAPE, False), (-6, ILLEGAL, False), (-11, "", False),
     (-signal.SIGKILL, "", True), (parent.NO_MEMORY, "", True), (2, "row_worker.py: no", False)],
)  # fmt: skip
def test_a_lack_of_memory(status, log, lacked):
    assert last_words.lacked_memory(status, log) == lacked


def test_the_fatal_line():
    assert last_words.fatal(HOST) == "Check failed: *ptr host allocation of size 9 failed"
    assert last_words.fatal(SHAPE) == "Check failed: shape[i] >= 0 (-1 vs. 0)"
    assert last_words.fatal("E1125 10:00:00.1 7 a.cpp:1] no\nnothing") is None
