"""How much memory this process may still take: of the machine, of its container, and by its own limits (ulimit)."""

import os
import resource

from matlab_compat.pictures import memory
from tools.common.memory import MIB, status

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


_LIMITS = ((resource.RLIMIT_AS, "VmSize", "-v"), (resource.RLIMIT_DATA, "VmData", "-d"))


def _of_limit(kind, held, _):
    soft, _ = resource.getrlimit(kind)
    if soft == resource.RLIM_INFINITY:
        return None
    threads = len(os.sched_getaffinity(0))
    return soft - status().get(held, 0) - _RESERVED - _RESERVED_A_THREAD * (threads - 1)
