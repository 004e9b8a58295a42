"""Memory that this process holds, now and at most, on Linux, and what it holds on a GPU."""

import contextlib
import ctypes
import os
from pathlib import Path

from data_prep.memory import status
from tools.gpu import smi

MIB = 1 << 20
# what the figures in a table are
MEANING = {
    "cpu": "largest resident memory of the process while the row was measured",
    "gpu": "memory that the process holds on the GPU at the end of the row, CUDA's own share included",
}
CLEAR = Path("/proc/self/clear_refs")


def reset_peak():
    """Forget the peak so far; gives whether the system can."""
    try:
        CLEAR.write_text("5", encoding="ascii")  # see proc(5): resets VmHWM to what is resident now
    except OSError:
        return False
    return True


def resident_mb():
    """Resident size of this process (int, MB of 2^20 bytes), None where it cannot be told."""
    return _mb("VmRSS")


def peak_mb():
    """Largest resident size (int, MB of 2^20 bytes) since the last `reset_peak`, None where it cannot be told."""
    return _mb("VmHWM")


def _mb(field):
    held = status().get(field)
    return None if held is None else held // MIB


def trim():
    """Let the C library give back what it keeps of freed memory, which a later `peak` would not see being used."""
    with contextlib.suppress(AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)


def peak(call):
    """Bytes (int) by which the resident memory rises at most during call(); None where the system cannot tell."""
    if not reset_peak():
        return None
    before = status()["VmRSS"]
    result = call()
    after = status()["VmHWM"]
    del result  # not before: it is part of the peak
    return after - before


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
