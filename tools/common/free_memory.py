"""How much memory this process may still take: of the machine, of its container, and by its own limits (ulimit)."""

import os
import resource
from pathlib import Path

from matlab_compat.pictures import memory

MIB = 1 << 20
# what threads and their allocators reserve of address space without using it (measured, with OpenBLAS as well)
_RESERVED, _RESERVED_A_THREAD = 128 * MIB, 72 * MIB


def free():
    """Memory that can still be taken.

    Returns
    -------
    (int, str)
        Bytes, and what sets this bound, for a message.
    """
    bounds = [(1 << 60, "of memory")]
    bounds += [(memory.machine(), "of this machine's memory"), (memory.container(), "of this container's memory")]
    bounds += [(_of_limit(*limit), f"within `ulimit {limit[2]}`") for limit in _LIMITS]
    return min((max(0, size), name) for size, name in bounds if size is not None)


def _table(path):
    """Lines "Name: N kB" of a file in /proc as {name: bytes}."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    words = [line.split() for line in lines if line.endswith(" kB")]
    return {word[0].rstrip(":"): int(word[1]) * 1024 for word in words}


_LIMITS = ((resource.RLIMIT_AS, "VmSize", "-v"), (resource.RLIMIT_DATA, "VmData", "-d"))


def _of_limit(kind, held, _):
    soft, _ = resource.getrlimit(kind)
    if soft == resource.RLIM_INFINITY:
        return None
    threads = len(os.sched_getaffinity(0))
    return soft - _table("/proc/self/status").get(held, 0) - _RESERVED - _RESERVED_A_THREAD * (threads - 1)
