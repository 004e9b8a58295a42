"""Number options with a range, for argparse's `type`: what is outside is one line that names the range."""

import argparse
import math

import numpy as np


def whole(least, most=2**31 - 1):
    """An argparse type: a whole number from `least` to `most` (int; default: the largest of Caffe's)."""

    def read(text):
        try:
            value = int(text)
        except ValueError:  # also for more digits than Python converts
            value = None
        if value is None or not least <= value <= most:
            raise argparse.ArgumentTypeError(f"got {_short(text)}, expected a whole number from {least} to {most}")
        return value

    return read


def real(least, most, *, below=False):
    """An argparse type: a number from `least` to `most`, or less than `most` with `below`, also in Caffe's float32."""

    def read(text):
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most or (below and np.float32(value) >= most):
            words = f"from {least:g} to less than {most:g}" if below else f"from {least:g} to {most:g}"
            raise argparse.ArgumentTypeError(f"got {_short(text)}, expected a number {words}")
        return value

    return read


def share(text):
    """An argparse type: which of several shares, such as 2/8: (2, 8)."""
    number, slash, count = text.partition("/")
    if slash and number.isdecimal() and count.isdecimal() and 1 <= int(number[:7]) <= int(count[:7]) < 10**6:
        return int(number), int(count)
    raise argparse.ArgumentTypeError(f"got {_short(text)}, expected I/N, such as 2/8, with I from 1 to N")


def _short(text):
    return text if len(text) <= 30 else f"{text[:27]}..."
