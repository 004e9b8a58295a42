"""Limits of memory for a process that reads what somebody else made."""

import resource

from tools.common.memory import status


def limit(more):
    """Allow this process `more` bytes (int) beside what it has, or what it was allowed before where that is less."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = status()["VmSize"] + more
    resource.setrlimit(resource.RLIMIT_AS, (wanted if soft == resource.RLIM_INFINITY else min(wanted, soft), hard))
