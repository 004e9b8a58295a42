"""Train on several GPUs: Caffe's own data parallelism (NCCL), one process a GPU.

The process that the user started has rank 0: it logs, validates and snapshots. It starts one worker process
(tools/training/worker.py) for each further GPU. Every rank takes each n-th pair of the database and batch / n pairs in
an iteration; the gradients are averaged before the update, so that an iteration is that of one GPU with the whole
batch.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

from prototxt.engine import caffe
from tools.common import parent
from tools.common.errors import UserError
from tools.nets import caffe_files
from tools.training import snapshots

WORKER = "tools.training.worker"


def check(device, batch):
    """Raise UserError unless the GPUs of `device` (tools.gpu.device.Device) can share `batch` (int) pairs.

    Also when this Caffe was built without NCCL.
    """
    if not caffe.has_nccl():
        raise UserError(
            f"{device}: this Caffe was built without NCCL, which several GPUs need; give one "
            "GPU, or build with NCCL (pycaffe/README.md)"
        )
    gpus = len(device.gpus)
    if batch % gpus:
        raise UserError(f"batch: got {batch} for {gpus} GPUs, expected a multiple of {gpus}")


def join(rank, size):
    """Tell Caffe that this process is `rank` (int) of `size` (int); before the solver and NCCL's id are made."""
    os.environ.setdefault("NCCL_SOCKET_IFNAME", "lo")  # all ranks are here; some machines have no other interface
    caffe.set_solver_count(size)
    caffe.set_solver_rank(rank)
    caffe.set_multiprocess(size > 1)


def connect(solver, uid):
    """Make `solver` (caffe solver) share its gradients with the other ranks; waits until all are there.

    Parameters
    ----------
    uid : bytes
        Of caffe.NCCL.new_uid, the same for all ranks.

    Returns
    -------
    caffe.NCCL
        To be kept as long as the solver.
    """
    nccl = caffe.NCCL(solver, uid)
    nccl.bcast()
    solver.add_callback(nccl)
    return nccl


@contextmanager
def workers(gpus, solver_path, uid, iteration, iterations, state=None, descriptors=()):
    """Run the workers of a stage beside this process.

    Parameters
    ----------
    gpus : list of int
        All of them; the first is this process's own.
    solver_path : Path
        The solver's prototxt.
    uid : bytes
    iteration, iterations : int
        Where the stage stands, and its length.
    state : Path, optional
        The .solverstate to go on from.
    descriptors : sequence of int
        Open files whose names in /proc/self/fd the solver's prototxt uses.
    """
    command = parent.command(WORKER, "--solver", solver_path, "--iterations", iterations - iteration)
    command += ["--state", str(state)] if state else []
    command += ["--seen", str(iteration), "--size", str(len(gpus))]
    started = [
        subprocess.Popen(
            [*command, "--gpu", str(number), "--rank", str(rank)],
            env=parent.environment(IDN_NCCL_UID=uid.hex()), stderr=subprocess.PIPE, text=True,
            pass_fds=tuple(descriptors), start_new_session=True,  # Ctrl-C is this process's to handle
        )
        for rank, number in enumerate(gpus) if rank
    ]  # fmt: skip
    done = threading.Event()
    threading.Thread(target=_watch, args=(started, done), daemon=True).start()
    try:
        yield
    finally:
        done.set()
        for process in started:
            process.terminate()
            process.wait()


def _watch(started, done):
    """End this process when a worker dies: NCCL would wait for it for ever."""
    while not done.wait(0.5):
        for process in started:
            if process.poll() not in (None, 0):
                lines = [line for line in process.stderr.read().splitlines() if line.strip()]
                print(f"train.py: a worker ended ({lines[-1] if lines else process.returncode}); run the same command "
                      "to go on from the last snapshot", file=sys.stderr, flush=True)  # fmt: skip
                for other in started:
                    if other.poll() is None:
                        other.send_signal(signal.SIGKILL)
                os._exit(2)


def work(args):
    """A worker's whole life; `args` as tools/training/worker.py has them. Ends with the stage or with rank 0."""
    parent = os.getppid()

    def follow():
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
    join(args.rank, args.size)
    solver = caffe.get_solver(caffe_files.caffe_name(args.solver))
    if args.state:
        snapshots.restore(solver, args.state)
    for _ in range(args.seen):
        solver.net.forward(end="data")
    nccl = connect(solver, bytes.fromhex(os.environ["IDN_NCCL_UID"]))
    solver.step(args.iterations)
    del nccl
