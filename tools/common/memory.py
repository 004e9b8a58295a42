"""Peak memory of a part of this process's life, on Linux, and what it holds on a GPU."""

import os
from pathlib import Path

from tools.gpu import smi


def peak(call):
    """Bytes by which the resident memory rises at most during call()."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forgets the peak so far
    before = _status("VmRSS")
    result = call()
    after = _status("VmHWM")
    del result
    return after - before


def _status(field):
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field))


# what the figures in a table are
MEANING = {
    "cpu": "largest resident memory of the process while the row was measured",
    "gpu": "memory that the process holds on the GPU at the end of the row, CUDA's own share included",
}
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


class GpuMemory:
    """What this process holds on one GPU, CUDA's own share included.

    Make it before Caffe takes the GPU: where the driver does not list processes by the numbers they have here, as in
    most containers, the memory in use is compared with what was in use then.

    Attributes
    ----------
    held_mb : int or None
        The last reading, MB of 2^20 bytes; None before the first one and where nothing can be told.

    Notes
    -----
    Caffe gives no buffer back before its net goes, so that a reading while the net is there is the peak.
    """

    def __init__(self, number):
        self.number = number
        self.held_mb = None
        self._before = smi.used_mb(number)

    def read(self):
        """Renew `held_mb`."""
        self.held_mb = smi.process_mb(self.number, os.getpid())
        now = smi.used_mb(self.number)
        if self.held_mb is None and None not in (now, self._before):
            self.held_mb = max(now - self._before, 0)
