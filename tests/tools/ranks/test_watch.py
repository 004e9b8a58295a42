"""A rank that dies ends the others with one line; processes that do nothing else."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

# rank 0 with two others, which it forks; each then does what its argument says
SCRIPT = """
import os, socket, sys, time
from tools.ranks.watch import Watch
pairs = {rank: socket.socketpair() for rank in (1, 2)}
acts = sys.argv[1:]
rank = 0
for other in pairs:
    if not rank and os.fork() == 0:
        rank = other
if rank:
    for other, (ours, theirs) in pairs.items():
        ours.close()
        if other != rank:
            theirs.close()
    watch = Watch({0: pairs[rank][1]}, lambda rank: f"rank {rank}", speaks=rank == 1)
else:
    for _, theirs in pairs.values():
        theirs.close()
    watch = Watch({other: ours for other, (ours, _) in pairs.items()}, lambda rank: f"rank {rank}")
act = acts[rank]
if act == "die":
    os.kill(os.getpid(), 9)
if act == "tell":
    watch.tell("the disk is full")
    os._exit(2)
if act == "part":
    watch.part()
    os._exit(0)
if act == "end":
    watch.end_others()
    os._exit(2)
time.sleep(20)
print("still here", flush=True)
os._exit(0)
"""


def run(root, *acts):
    """Status of rank 0, and the lines that all ranks have printed to stderr; all must end, for they hold the pipes."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *acts], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    began = time.monotonic()
    try:
        out, err = process.communicate(timeout=19)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert time.monotonic() - began < 15 and "still here" not in out
    return process.returncode, err.splitlines()


END = "has ended: {}; run the same command to continue from the last snapshot"


def test_a_killed_rank(root):
    status, lines = run(root, "wait", "wait", "die")
    assert (status, lines) == (2, ["train.py: rank 2 " + END.format("it was killed or crashed")])


def test_the_first_rank_killed(root):
    status, lines = run(root, "die", "wait", "wait")
    assert status == -signal.SIGKILL
    assert lines == ["train.py: rank 0 " + END.format("it was killed or crashed")]


def test_a_rank_that_says_why(root):
    status, lines = run(root, "wait", "tell", "wait")
    assert (status, lines) == (2, ["train.py: rank 1 " + END.format("the disk is full")])


def test_the_first_rank_says_why_itself(root):
    assert run(root, "end", "wait", "wait") == (2, [])


def test_parting_is_no_death(root):
    assert run(root, "part", "part", "part") == (0, [])
