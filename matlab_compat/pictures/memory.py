"""How much memory this process can still take, on Linux."""

import resource
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def available():
    """Bytes (int) that can be taken before the system, its container or `ulimit -v` refuses; None: cannot be told."""
    known = [bytes_ for bytes_ in (machine(), container(), _own_limit()) if bytes_ is not None]
    return max(0, min(known)) if known else None


def machine():
    """Bytes (int) that the system can still give, None where it does not say."""
    return _kilobytes("/proc/meminfo", "MemAvailable:")


def _own_limit():
    limit, used = resource.getrlimit(resource.RLIMIT_AS)[0], _kilobytes("/proc/self/status", "VmSize:")
    return None if limit == resource.RLIM_INFINITY or used is None else limit - used


def container():
    """What is left (int) of the limit of a control group, version 2 or 1, or None; cached files do not count as used.

    See cgroups(7); version 1 writes an absurdly large number for "no limit".
    """
    for folder, limit, used, cached in (
        (_CGROUP, "memory.max", "memory.current", "inactive_file"),
        (_CGROUP / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            return int((folder / limit).read_text()) - int((folder / used).read_text()) + int(stat.get(cached, 0))
        except (OSError, ValueError):  # no such group, or "max"
            continue
    return None


def _kilobytes(path, key):
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith(key))
    except (OSError, ValueError, StopIteration):
        return None
