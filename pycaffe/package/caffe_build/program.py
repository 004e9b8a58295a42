"""The `caffe` program of this wheel (train, test, time, device_query)."""

import signal
import sys

from caffe_build import openmp


def main():
    """Run upstream's program in this process; gives its exit status.

    Python layers run in this interpreter and find what it finds. Signals are the program's, as if there were no Python:
    it has handlers of its own while it trains, and Ctrl-C ends the rest.
    """
    for number in (signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    with openmp.short_waits():  # the library is loaded in here
        from caffe_build import _program
    return _program.run(sys.argv)
