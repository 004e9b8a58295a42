"""Ranks begin only when all can, and with the same before them; ranks in threads, no training."""

import threading

import pytest

from tools.common.errors import UserError
from tools.ranks import agreement
from tools.ranks.agreement import Facts
from tools.ranks.alone import Alone

SAME = {"the version of numpy": "2.1.0", "the database train": "abc (64 pairs of 3 of 291)"}


def name(rank):
    return f"rank {rank} (node{rank})"


def test_equal_facts_agree():
    assert agreement.difference_of([Facts(SAME, {"GPU": f"GPU-{n}"}) for n in range(4)], name) is None
    assert agreement.difference_of([Facts(SAME, {})], name) is None


@pytest.mark.parametrize("key", SAME)
def test_the_rank_and_the_difference_are_named(key):
    facts = [Facts(SAME, {}), Facts(SAME, {}), Facts({**SAME, key: "another"}, {})]
    expected = f"rank 2 (node2): {key} is another, but {SAME[key]} on rank 0 (node0); give all ranks the same"
    assert agreement.difference_of(facts, name) == expected


def test_what_one_rank_alone_has_is_a_difference():
    facts = [Facts(SAME, {}), Facts({**SAME, "the database finetune": "x"}, {})]
    assert "rank 1 (node1): the database finetune is x, but None on rank 0" in agreement.difference_of(facts, name)


def test_one_gpu_for_two_ranks():
    facts = [Facts(SAME, {"GPU": "GPU-7"}), Facts(SAME, {"GPU": "GPU-8"}), Facts(SAME, {"GPU": "GPU-7"})]
    said = agreement.difference_of(facts, name)
    assert said == "rank 2 (node2): has the GPU of rank 0 (node0) (GPU-7); give every rank its own"


class Threaded(Alone):
    """One of several ranks in one process: collectives by a barrier."""

    def __init__(self, rank, size, values, barrier):
        self.rank, self.size, self._values, self._barrier, self.left = rank, size, values, barrier, False

    def gather(self, value):
        self._values[self.rank] = value
        self._barrier.wait(10)
        found = list(self._values)
        self._barrier.wait(10)
        return None if self.rank else found

    def broadcast(self, value=None):
        return self.gather_all(value)[0]

    def gather_all(self, value):
        self._values[self.rank] = value
        self._barrier.wait(10)
        found = list(self._values)
        self._barrier.wait(10)
        return found

    def agreed(self):
        self.left = True


def outcomes(prepares):
    """What agreement.prepared gives or raises on each rank: list."""
    size = len(prepares)
    values, barrier, found = [None] * size, threading.Barrier(size), [None] * size
    ranks = [Threaded(rank, size, values, barrier) for rank in range(size)]

    def run(rank):
        try:
            found[rank] = agreement.prepared(ranks[rank], prepares[rank], lambda made: Facts({"it": made}, {}))
        except BaseException as error:  # noqa: BLE001 - it is looked at
            found[rank] = error

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found, ranks


def refuse(text):
    def prepare():
        raise UserError(text)

    return prepare


def test_all_can_begin():
    found, ranks = outcomes([lambda: "a"] * 3)
    assert found == ["a"] * 3 and not any(rank.left for rank in ranks)


def test_the_error_of_another_rank_is_said_by_the_first():
    found, ranks = outcomes([lambda: "a", lambda: "a", refuse("x.h5: no such file")])
    assert str(found[0]) == "rank 2: x.h5: no such file" and isinstance(found[0], UserError)
    assert [error.code for error in found[1:]] == [2, 2] and all(rank.left for rank in ranks)


def test_an_error_of_all_is_said_once_and_as_it_is():
    found, _ = outcomes([refuse("batch: odd")] * 2)
    assert str(found[0]) == "batch: odd" and isinstance(found[1], SystemExit)


def test_different_facts_are_said_by_the_first():
    found, _ = outcomes([lambda: "a", lambda: "b"])
    assert str(found[0]) == "rank 1: it is b, but a on rank 0; give all ranks the same"
    assert isinstance(found[1], SystemExit)
