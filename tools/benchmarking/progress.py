"""Where a benchmark is, on standard error: a bar on a terminal; elsewhere a line now and then, for logs."""

import sys
import threading
import time

EVERY = 50  # seconds without a line after which there is one; with TICK, at least one per minute
TICK = 5  # seconds between two looks at the clock


class Silent:
    """No word of what is being done."""

    def image(self):
        """An image has gone through the net."""

    def score(self):
        """An image has been scored."""


class Progress(Silent):
    """The place in a benchmark: row, image n of m.

    Parameters
    ----------
    rows : int
        How many there will be.
    every : float
        Seconds without a line.
    clock : callable
        Seconds, as time.monotonic.
    """

    def __init__(self, rows, every=EVERY, clock=time.monotonic):
        self._rows, self._every, self._clock = rows, every, clock
        self._number = self._forwards = self._scores = self._images = 0
        self._name, self._bar = "", None
        self._began = self._last = clock()
        self._lock, self._end = threading.Lock(), threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)

    def __enter__(self):
        if not sys.stderr.isatty():
            self._watch.start()
        return self

    def __exit__(self, *error):
        self._end.set()
        if self._watch.is_alive():
            self._watch.join()
        self._close()

    def begin(self, name, images):
        """A row is begun: its name (str) and the number of its images."""
        from tqdm import tqdm  # here: --help must not wait for it

        with self._lock:
            self._number += 1
            self._name, self._images = name, images
            self._forwards = self._scores = 0
            self._began = self._clock()
            self._bar = tqdm(total=2 * images, desc=name, unit="step", leave=False, disable=None)

    def image(self):
        """An image has gone through the net."""
        self._forwards += 1
        self._bar.update()

    def score(self):
        """An image has been scored."""
        self._scores += 1
        self._bar.update()

    def end(self, said):
        """The row is done: one line with what came out (str)."""
        self._close()
        with self._lock:
            self._print(f"{self._name}: {said}")
            self._name = ""

    def due(self):
        """Print where the benchmark is if nothing was printed for long enough."""
        with self._lock:
            if self._name and self._clock() - self._last >= self._every:
                self._print(f"{self._name}: {self._place()}, {self._clock() - self._began:.0f} s so far")

    def _place(self):
        if self._forwards < self._images:
            return f"image {self._forwards + 1} of {self._images}"
        return f"scores, image {min(self._scores + 1, self._images)} of {self._images}"

    def _print(self, text):
        print(f"[{self._number}/{self._rows}] {text}", file=sys.stderr, flush=True)
        self._last = self._clock()

    def _close(self):
        if self._bar is not None:
            self._bar.close()

    def _look(self):
        # Caffe holds Python's lock during a forward, so that a look may come late by one forward of a tile
        while not self._end.wait(TICK):
            self.due()
