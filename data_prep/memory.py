"""Memory that this process holds, as Linux tells it."""

import resource
from pathlib import Path

STATUS = Path("/proc/self/status")


def status():
    """What Linux says of this process's memory: {"VmRSS": bytes, ...}, see proc(5); empty on other systems."""
    try:
        lines = STATUS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    words = [line.split() for line in lines if line.endswith(" kB")]
    return {name.rstrip(":"): int(number) * 1024 for name, number, _ in words}


def peak():
    """Largest resident size of this process so far (int, bytes).

    getrusage's figure, taken where Linux tells none, is at least the size of the program that started this one.
    """
    return status().get("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
