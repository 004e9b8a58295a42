"""How fast NumPy's BLAS multiplies large matrices in single precision: a yardstick for the work of a net."""

import subprocess
import sys
import time

import numpy as np

from tools.common import parent
from tools.common.errors import UserError

SIDE = 2048
ROUNDS = 7


def gflops(threads):
    """Measure in a process of its own, whose BLAS has so many threads (int); gives 10^9 operations per second (float).

    Raises
    ------
    UserError
        The process ended without a figure.
    """
    environment = parent.environment(OPENBLAS_NUM_THREADS=str(threads), OMP_NUM_THREADS=str(threads))
    run = subprocess.run(
        parent.command("tools.peers.sgemm"), env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if run.returncode:
        raise UserError(f"sgemm: its process ended with status {run.returncode} ({run.stderr.strip()[-200:]})")
    return float(run.stdout)


def best(side=SIDE, rounds=ROUNDS):
    """Operations per second / 10^9 (float) of the quickest of some products of two side x side matrices."""
    a, b = np.random.default_rng(0).random((2, side, side), dtype=np.float32)
    out = a @ b
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        np.matmul(a, b, out=out)
        seconds.append(time.perf_counter() - start)
    return 2 * side**3 / min(seconds) / 1e9


def main():
    """Print the figure."""
    print(f"{best():.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
