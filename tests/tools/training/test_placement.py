"""Which GPU is whose; nothing runs on one."""

import pytest

from tools.common.errors import UserError
from tools.gpu.device import CPU, Device
from tools.ranks.alone import Alone
from tools.training import placement


def rank(local_rank, local_size):
    ranks = Alone()
    ranks.local_rank, ranks.local_size = local_rank, local_size
    return ranks


def test_the_ranks_of_a_machine_take_its_gpus_in_turn():
    assert [placement._own(Device((4, 2)), rank(n, 2)) for n in (0, 1)] == [Device((4,)), Device((2,))]


def test_one_number_is_for_every_rank():
    """A scheduler may show each rank its own GPU as number 0; whether they are one is compared later."""
    assert [placement._own(Device((0,)), rank(n, 2)) for n in (0, 1)] == [Device((0,))] * 2
    assert placement._own(CPU, rank(1, 2)) == CPU


def test_too_few_gpus():
    with pytest.raises(UserError, match="^gpu 0,1: 2 GPUs for 3 processes on this machine, expected one for each"):
        placement._own(Device((0, 1)), rank(2, 3))
