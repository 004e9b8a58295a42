"""Who trains: this process alone, several that it starts, or those that MPI has started."""

import contextlib
import io
import os
import sys

from tools.common.errors import UserError
from tools.common.paths import ROOT
from tools.gpu.device import Device
from tools.ranks import local
from tools.ranks.alone import Alone

PROGRAM = ROOT / "tools" / "train.py"
MPI = "--mpi"


def ranks_of(argv, parse):
    """The ranks of a command line of tools/train.py, and a function () that gives its options.

    Parameters
    ----------
    argv : list of str
    parse : callable (list of str) -> argparse.Namespace

    Raises
    ------
    UserError, GpuError
        There is no MPI, or options contradict each other.
    """
    if local.is_started():
        return local.Started(), lambda: parse(argv)
    if MPI in argv:
        from tools.ranks.mpi import MpiRanks  # needs the optional mpi4py

        return MpiRanks(), lambda: _with_mpi(argv, parse)
    options = parse(argv)
    count = _count(options)
    if count == 1:
        return Alone(), lambda: options
    if not Device.parse(options.gpu).on_gpu:  # before Caffe is loaded, here and there
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) // count)))
    return local.First(count, [sys.executable, str(PROGRAM), *argv]), lambda: options


def _count(options):
    """Number of processes (int) on this machine that a training without MPI has."""
    gpus = Device.parse(options.gpu).gpus
    if gpus and options.processes:
        raise UserError("processes: is for the CPU; several GPUs have a process each: --gpu 0,1")
    return len(gpus) or options.processes or 1


def _with_mpi(argv, parse):
    """Options on a rank of MPI's. Errors are raised, not printed: all ranks make the same mistake, and one says so."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            options = parse(argv)
    except SystemExit as end:
        if said.getvalue():
            raise UserError(said.getvalue().partition(": ")[2]) from None
        raise end
    if options.processes:
        raise UserError("processes: MPI says how many there are; omit it with --mpi")
    return options
