"""Limits of memory for a process that reads what somebody else made."""

import resource
from pathlib import Path


def limit(more):
    """Allow this process `more` bytes (int) beside what it has, or what it was allowed before where that is less."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = _held() + more
    resource.setrlimit(resource.RLIMIT_AS, (wanted if soft == resource.RLIM_INFINITY else min(wanted, soft), hard))


def _held():
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
