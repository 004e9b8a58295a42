"""What the user reads while a stage trains: loss, rate, time left, PSNR."""

import math
import time
from contextlib import contextmanager


class Clock:
    """Time spent in iterations alone, so that validation does not count in iterations/s."""

    def __init__(self):
        self.count, self.seconds = 0, 0.0

    @contextmanager
    def of(self, count):
        """Measure `count` (int) iterations, which it hands on."""
        began = time.perf_counter()
        yield count
        self.seconds += time.perf_counter() - began
        self.count += count

    def rate(self):
        """Iterations per second (float) so far."""
        return self.count / self.seconds


def line(row, iterations):
    """One row (dict) of the log as a line of text, for a stage of so many iterations."""
    rate = row["iterations_per_second"]
    text = (
        f"{row['stage']} {row['iteration']}/{iterations}  loss {row['loss']:.4f}  lr {row['learning_rate']:.0e}  "
        f"{rate:.2f} it/s  ETA {duration((iterations - row['iteration']) / rate)}"
    )
    if "psnr" in row:
        text += f"  test loss {row['test_loss']:.4f}  PSNR {decibels(row['psnr'])}"
    return text


def decibels(psnr):
    """A PSNR (float) as text for the user; an image that comes out without error makes the mean infinite."""
    if math.isnan(psnr):
        return "none (the net gives values that are no numbers)"
    return f"{psnr:.3f} dB" if math.isfinite(psnr) else "infinite (an image comes out without any error)"


def duration(seconds):
    """Seconds as "1 d 02:03:04"."""
    days, rest = divmod(int(seconds), 86400)
    hours, rest = divmod(rest, 3600)
    text = f"{hours:02d}:{rest // 60:02d}:{rest % 60:02d}"
    return f"{days} d {text}" if days else text
