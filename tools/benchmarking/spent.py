"""Where the time of a benchmark row goes: seconds by stage, of all threads together."""

import threading
import time
from contextlib import contextmanager

# reading a file and decoding it; making the small image and its bicubic enlargement; the net; what the protocol makes
# of the net's output; the scores; pictures that are written
STAGES = ("decode", "prepare", "forward", "finish", "psnr", "ssim", "ifc", "picture")


class Spent:
    """A stopwatch for each stage; any thread may use it.

    Parameters
    ----------
    clock : callable
        Seconds, as time.perf_counter.
    """

    def __init__(self, clock=time.perf_counter):
        self._clock, self._began = clock, clock()
        self._seconds, self._lock = dict.fromkeys(STAGES, 0.0), threading.Lock()

    @contextmanager
    def on(self, stage):
        """Count the time of a with statement for one of STAGES (str)."""
        began = self._clock()
        try:
            yield
        finally:
            with self._lock:
                self._seconds[stage] += self._clock() - began

    def seconds(self):
        """Seconds by stage (dict), and as "wall" those since this was made; stages that took none are left out."""
        with self._lock:
            found = {stage: round(seconds, 3) for stage, seconds in self._seconds.items() if seconds}
        return {"wall": round(self._clock() - self._began, 3), **found}
