"""Figures of one net in a process of its own, for tools/bench_sharing.py; prints one line of JSON.

    tools.peers.sharing_worker memory METHOD SCALE SIZE apart|shared
    tools.peers.sharing_worker seconds METHOD SCALE SIZE THREADS ROUNDS

memory: by how many bytes the process grows at most during the first forward pass of a square image, the reshape to it
included: {"bytes": ...}, null where the system cannot tell. seconds: per image, of each round, by all threads within
each layer and by as many nets at once: {"layers": [...], "nets": [...]}. The weights are random.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tools.common import cli, memory
from tools.common.errors import UserError
from tools.methods.registry import METHODS
from tools.nets import deploying, runtime
from tools.peers.speed_tasks import BEFORE

IMAGES = 8  # of a timed run, for each thread: one alone would wait for the slowest thread each time


def growth(method, scale, size, shared):
    """Bytes (int) by which the first pass of a net lets this process grow at most; None where that cannot be told."""
    net = method.load(scale)
    if shared:
        net = deploying.share_memory(net, method.blob)
    (image,) = images(size, 1)
    memory.trim()  # the imports leave 20 MB free, as much as a small image takes
    return memory.peak(lambda: runtime.forward(net, image, method.blob))


def images(size, number):
    """So many different images (list of ndarray, (size, size), float32) of values 0..1."""
    return list(np.random.default_rng(0).random((number, size, size), dtype=np.float32))


def seconds(method, scale, size, threads, rounds):
    """Seconds per image of each round, both ways in turn: {"layers": list of float, "nets": list of float}.

    Raises
    ------
    UserError
        The outputs of both are not equal to the last bit.
    """
    nets = deploying.copies(method.load(scale), method.build(scale), method.blob, threads)
    one, several = nets[0], deploying.Several(nets)
    pictures, found = images(size, IMAGES * threads), {"layers": [], "nets": []}
    with ThreadPoolExecutor(threads) as pool:
        ways = {
            "layers": lambda: [runtime.forward(one, image, method.blob) for image in pictures],
            "nets": lambda: list(pool.map(lambda image: several(image, method.blob), pictures)),
        }
        check_equal(f"{method.name} x{scale}, {size}x{size}", *(run() for run in ways.values()))
        for _ in range(rounds):
            for way, run in ways.items():
                found[way].append(_timed(run) / len(pictures))
    return found


def check_equal(name, expected, outputs):
    """Raise UserError unless each output (list of ndarray) is the expected one to the last bit."""
    differ = sum(a.tobytes() != b.tobytes() for a, b in zip(expected, outputs))
    if differ:
        raise UserError(f"{name}: {differ} of {len(expected)} outputs of several nets at once differ from one net's")


def _timed(run):
    """Seconds (float) of run(), all cores being at work before."""
    begin = time.perf_counter()
    while time.perf_counter() - begin < BEFORE:
        run()
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def main():
    """Measure what the command line asks for; gives the exit status."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what libraries print must not get into the answer
    kind, name, scale, size, *rest = sys.argv[1:]
    runtime.use_device()
    task = METHODS[name], int(scale), int(size)
    answer = {"bytes": growth(*task, rest == ["shared"])} if kind == "memory" else seconds(*task, *map(int, rest))
    print(json.dumps(answer), file=answers, flush=True)
    return 0


if __name__ == "__main__":
    cli.run(main)
