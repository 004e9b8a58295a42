"""How much memory this process may still take: of the machine, of its container, and by its own limits (ulimit)."""

import os
import resource
from pathlib import Path

MIB = 1 << 20
# what threads and their allocators reserve of address space without using it (measured, with OpenBLAS as well)
_RESERVED, _RESERVED_A_THREAD = 128 * MIB, 72 * MIB
_UNLIMITED = 1 << 60  # version 1 of cgroups writes a number of this kind for "no limit"


def free():
    """Memory that can still be taken.

    Returns
    -------
    (int, str)
        Bytes, and what sets this bound, for a message.
    """
    bounds = [(_of_machine(), "of this machine's memory"), (_of_container(), "of this container's memory")]
    bounds += [(_of_limit(*limit), f"within `ulimit {limit[2]}`") for limit in _LIMITS]
    return min((max(0, size), name) for size, name in bounds if size is not None)


def _of_machine():
    found = _table("/proc/meminfo")
    return found["MemAvailable"] + found.get("SwapFree", 0) if "MemAvailable" in found else _UNLIMITED


def _table(path):
    """Lines "Name: N kB" of a file in /proc as {name: bytes}."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    words = [line.split() for line in lines if line.endswith(" kB")]
    return {word[0].rstrip(":"): int(word[1]) * 1024 for word in words}


def _of_container():
    """What its control group lets this process take, None where there is no bound; see cgroups(7)."""
    for folder, limit, usage in (
        ("/sys/fs/cgroup", "memory.max", "memory.current"),
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        try:
            most = int((Path(folder) / limit).read_text())
            used = int((Path(folder) / usage).read_text())
            cached = [int(line.split()[1]) for line in (Path(folder) / "memory.stat").read_text().splitlines()
                      if line.split()[0] in ("inactive_file", "active_file")]  # fmt: skip
        except (OSError, ValueError):
            continue
        if most < _UNLIMITED:
            return most - used + sum(cached)
    return None


_LIMITS = ((resource.RLIMIT_AS, "VmSize", "-v"), (resource.RLIMIT_DATA, "VmData", "-d"))


def _of_limit(kind, held, _):
    soft, _ = resource.getrlimit(kind)
    if soft == resource.RLIM_INFINITY:
        return None
    threads = len(os.sched_getaffinity(0))
    return soft - _table("/proc/self/status").get(held, 0) - _RESERVED - _RESERVED_A_THREAD * (threads - 1)
