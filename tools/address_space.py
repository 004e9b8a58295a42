"""Limits of memory for a process that reads what somebody else made."""

import resource
from pathlib import Path


def limit(more):
    """Allow this process `more` bytes (int) beside what it has, or what it was allowed before where that is less."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = _held() + more
    resource.setrlimit(resource.RLIMIT_AS, (wanted if soft == resource.RLIM_INFINITY else min(wanted, soft), hard))


def free():
    """Bytes (int) that this process can still have: of the system's memory, and under its own limit."""
    found = Path("/proc/meminfo").read_text(encoding="ascii").partition("MemAvailable:")[2].split()
    available = int(found[0]) * 1024 if found else 1 << 40
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return available if soft == resource.RLIM_INFINITY else max(min(available, soft - _held()), 0)


def _held():
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
