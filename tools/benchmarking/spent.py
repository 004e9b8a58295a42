"""Where the time of a benchmark row goes: seconds by stage, of all threads together."""

import threading
import time
from contextlib import contextmanager

from tools.common import markdown, texts
from tools.common.markdown import number

# reading a file and decoding it; making the small image and its bicubic enlargement; the net; what the protocol makes
# of the net's output; the scores; pictures that are written
STAGES = ("decode", "prepare", "forward", "finish", "psnr", "ssim", "ifc", "picture")


SAID = (
    "Where the time of rows without times went: seconds on the clock of the wall, and, of all threads together, of "
    "decoding files, making the small image and its bicubic, the net, what the protocol makes of its output, the "
    "scores, and writing pictures. Other work on the machine makes them longer."
)


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


def table(rows):
    """A table (str of Markdown) of the seconds of benchmark rows (list of dict) that have them, "" where none has."""
    found = [row for row in rows if row.get("spent") and row["seconds"] is None]
    if not found:
        return ""
    stages = [stage for stage in STAGES if any(stage in row["spent"] for row in found)]
    body = []
    for row in found:
        where = [texts.in_cell(row["dataset"]), f"x{row['scale']}", texts.in_cell(row["method"])]
        seconds = [number(row["spent"].get(name), 1) for name in ("wall", *stages)]
        body.append([*where, *seconds, number(row.get("peak_memory_mb"), 0)])
    head = ["Set", "Scale", "Method", "wall", *stages, "peak MB"]
    return f"{SAID}\n\n{markdown.table(head, body, text_columns=3)}"
