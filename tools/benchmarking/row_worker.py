"""One row of a benchmark, in a process of its own, because Caffe ends the process when memory runs out.

    tools.benchmarking.row_worker OUT ROW < JOB > ROW.json

tools/benchmarking/row_by_row.py starts it, not the user. Standard input has the job, how to measure it and the device,
pickled; the arguments only tell what the process is. Standard output gets the row. Exit status parent.NO_MEMORY: memory
did not suffice, and standard error says more.
"""

import json
import os
import pickle
import sys
from dataclasses import replace

from tools.benchmarking import material, run
from tools.common import cli, memory, parent
from tools.nets import runtime


def measured(job, options, device):
    """The row (dict) of a job (Job), measured as `options` (Options) say on `device` (Device)."""
    if device.on_gpu:
        options = replace(options, gpu=memory.GpuMemory(device.number))  # before Caffe takes the GPU
    runtime.use_device(device)
    return run.run_job(job, options, material.Material(pictures=0))


def main():
    """Measure the row that standard input asks for; gives the exit status."""
    result = os.dup(1)
    os.dup2(2, 1)  # what libraries print must not get into the answer
    try:
        row = measured(*pickle.load(sys.stdin.buffer))
    except MemoryError as error:
        print(str(error) or "not enough memory", file=sys.stderr)
        return parent.NO_MEMORY
    with os.fdopen(result, "w", encoding="utf-8") as out:
        json.dump(row, out)
    return 0


if __name__ == "__main__":
    cli.run(main)
