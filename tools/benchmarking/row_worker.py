"""One row of a benchmark, in a process of its own, because Caffe ends the process when memory runs out.

    tools.benchmarking.row_worker OUT ROW < JOB > ROW.json

tools/benchmarking/row_by_row.py starts it, not the user. Standard input has the job, how to measure it and the device,
pickled; the arguments only tell what the process is. Standard output gets a line for each image that is through the
net or scored (IMAGE, SCORE), then the row. Exit status parent.NO_MEMORY: memory
did not suffice, and standard error says more.
"""

import json
import os
import pickle
import sys
from dataclasses import replace

from tools.benchmarking import material, progress, run
from tools.common import cli, memory, parent
from tools.nets import runtime

IMAGE, SCORE = "image\n", "score\n"


class Told(progress.Silent):
    """Tells another process (text stream) of each image."""

    def __init__(self, stream):
        self._stream = stream

    def image(self):
        """An image has gone through the net."""
        self._tell(IMAGE)

    def score(self):
        """An image has been scored."""
        self._tell(SCORE)

    def _tell(self, what):
        self._stream.write(what)
        self._stream.flush()


def measured(job, options, device, told=None):
    """The row (dict) of a job (Job), measured as `options` (Options) say on `device` (Device)."""
    if device.on_gpu:
        options = replace(options, gpu=memory.GpuMemory(device.number))  # before Caffe takes the GPU
    runtime.use_device(device)
    return run.run_job(job, options, material.Material(pictures=0), told)


def main():
    """Measure the row that standard input asks for; gives the exit status."""
    result = os.dup(1)
    os.dup2(2, 1)  # what libraries print must not get into the answer
    with os.fdopen(result, "w", encoding="utf-8") as out:
        try:
            row = measured(*pickle.load(sys.stdin.buffer), Told(out))
        except MemoryError as error:
            print(str(error) or "not enough memory", file=sys.stderr)
            return parent.NO_MEMORY
        json.dump(row, out)
    return 0


if __name__ == "__main__":
    cli.run(main)
