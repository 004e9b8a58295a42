"""Peak memory of a part of this process's life, on Linux."""

from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def reset_peak():
    """Forget the peak so far; gives whether the system can."""
    try:
        CLEAR.write_text("5")  # see proc(5): resets VmHWM to what is resident now
    except OSError:
        return False
    return True


def peak_mb():
    """Largest resident size (int, MB of 2^20 bytes) since the last `reset_peak`, None where it cannot be told."""
    try:
        lines = STATUS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(found[0]) // 1024 if found else None
