"""Ranks that MPI has started, on one machine or on many: mpirun, srun or whatever the cluster has."""

import atexit
import os
import pickle
import secrets
import socket
import struct
import sys
import time
import warnings
from contextlib import suppress

import numpy as np

from tools.common.errors import UserError
from tools.ranks.company import Company
from tools.ranks.watch import FORWARDING_SECONDS, SPEAKING_SECONDS, STATUS, Watch

PACKAGE = ".venv/bin/pip install 'mpi4py>=4.1,<5'"
# where launchers write rank and number: Open MPI's, those of the MPICH family, SLURM's
_RANKS = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "SLURM_PROCID")
_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS")
_CONNECT_SECONDS = 20
_TOKEN = 32  # bytes
# a rank that waits for an order asks again and again without a break for the first, and no longer than the second
_EAGER, _LONGEST_NAP = 0.002, 0.002


class MpiRanks(Company):
    """This process among those of MPI's world.

    Raises
    ------
    UserError
        mpi4py or an MPI is missing, or the launcher is another MPI's.
    """

    launched = False

    def __init__(self):
        self._mpi = _load()
        self._world = self._mpi.COMM_WORLD
        self.rank, self.size = self._world.rank, self._world.size
        _check_launcher(self._mpi, self.size)
        here = self._world.Split_type(self._mpi.COMM_TYPE_SHARED)
        self.local_rank, self.local_size = here.rank, here.size
        _share_cores(here)
        self._hosts = self._world.allgather(self._mpi.Get_processor_name())
        self._room = {}
        self.watch = Watch(self._connections(), self.name, speaks=self.rank <= 1)

    def name(self, rank):
        return f"rank {rank} ({self._hosts[rank]})"

    # --- what they tell each other ---------------------------------------------------------------------------------

    def broadcast(self, value=None):
        content = pickle.dumps(value) if self.rank == 0 else None
        length = np.array([len(content or ())], np.int64)
        self._wait(self._world.Ibcast(length))
        buffer = np.frombuffer(content, np.uint8).copy() if content else np.empty(length[0], np.uint8)
        self._world.Bcast(buffer)
        return pickle.loads(buffer.tobytes())

    @staticmethod
    def _wait(request):
        """Wait for an order, which takes long while rank 0 validates: MPI's own waiting would take a whole core."""
        began, nap = time.monotonic(), 0.0001
        while not request.Test():
            if time.monotonic() - began > _EAGER:
                time.sleep(nap)
                nap = min(_LONGEST_NAP, 2 * nap)

    def gather(self, value):
        return self._world.gather(value)

    def add_up(self, array):
        if self.size == 1:
            return
        # each rank adds up one part of all, in the order of the ranks: as little traffic as MPI's best Allreduce, but
        # that one's order is its own, and another for another number of bytes
        parts, whole = self._buffers(array)
        whole.ravel()[: array.size] = array
        self._world.Alltoall(whole, parts)
        total = parts[0]
        for part in parts[1:]:
            total += part
        self._world.Allgather(total, whole)
        array[...] = whole.ravel()[: array.size]

    def _buffers(self, array):
        """Two arrays of (size, share of `array`), the second with zeros behind."""
        key = array.size, array.dtype
        if key not in self._room:
            shape = self.size, -(-array.size // self.size)
            self._room[key] = np.empty(shape, array.dtype), np.zeros(shape, array.dtype)
        return self._room[key]

    def copy_from_first(self, array):
        self._world.Bcast(array)

    # --- how they part ---------------------------------------------------------------------------------------------

    def __exit__(self, kind, error, trace):
        if isinstance(error, self._mpi.Exception):
            self.watch.wait(10)  # a rank has gone, and the watch knows which
        return super().__exit__(kind, error, trace)

    def desert(self, status):
        # before MPI's own farewell, which waits for all: atexit runs the last one first
        atexit.register(self._abort, status)

    def _abort(self, status):
        time.sleep(FORWARDING_SECONDS)
        self._world.Abort(status)

    def _connections(self):
        """Connections (dict) for the watch: rank 0's to all others, theirs to rank 0."""
        if self.size == 1:
            return {}
        if self.rank:
            return self._connect(*self.broadcast())
        with socket.create_server(("", 0), backlog=self.size) as server:
            token = secrets.token_bytes(_TOKEN)
            self.broadcast((socket.gethostname(), server.getsockname()[1], token))
            found = _accepted(server, token, self.size - 1)
        missing = [rank for rank in range(1, self.size) if rank not in found]
        if missing:
            print(f"train.py: {self.name(missing[0])} cannot reach rank 0 by TCP; if it dies, MPI alone will notice",
                  file=sys.stderr, flush=True)  # fmt: skip
        return found

    def _connect(self, host, port, token):
        here = self._hosts[self.rank] == self._hosts[0]
        with suppress(OSError):
            connection = socket.create_connection(("127.0.0.1" if here else host, port), _CONNECT_SECONDS / 2)
            connection.sendall(token + struct.pack("!I", self.rank))
            connection.settimeout(None)
            _keep_alive(connection)
            return {0: connection}
        return {}


def _accepted(server, token, count):
    """Connections (dict) of `count` ranks that know the token (bytes), or of as many as come in time."""
    found, until = {}, time.monotonic() + _CONNECT_SECONDS
    while len(found) < count and time.monotonic() < until:
        server.settimeout(max(0.1, until - time.monotonic()))
        with suppress(OSError):
            connection, _ = server.accept()
            connection.settimeout(2)
            said = _read(connection, _TOKEN + 4)
            if not secrets.compare_digest(said[:_TOKEN], token):
                connection.close()  # a stranger
                continue
            connection.settimeout(None)
            _keep_alive(connection)
            found[struct.unpack("!I", said[_TOKEN:])[0]] = connection
    return found


def _read(connection, count):
    content = b""
    while len(content) < count:
        block = connection.recv(count - len(content))
        if not block:
            raise ConnectionError
        content += block
    return content


def _keep_alive(connection):
    """Let the system notice within a minute when the other machine loses its power or network."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _load():
    """The module mpi4py.MPI, with MPI started. Raises UserError on one rank, as far as the launcher tells."""
    try:
        import mpi4py  # optional, and only for --mpi
    except ImportError:
        raise _once(UserError(f"mpi: the package mpi4py is not installed; run `{PACKAGE}`")) from None
    # started only when it is known to be the launcher's: another one ends the process, or knows of nobody else
    mpi4py.rc.initialize, mpi4py.rc.finalize = False, True
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise _once(UserError(
            f"mpi: mpi4py finds no MPI ({reason}); load the cluster's module (such as `module load openmpi`), or "
            "install one: `.venv/bin/pip install mpich`, or apt-get install libopenmpi-dev openmpi-bin"
        )) from None  # fmt: skip
    if "OMPI_COMM_WORLD_SIZE" in os.environ and MPI.get_vendor()[0] != "Open MPI":
        raise _once(_of_another_mpi(MPI, os.environ["OMPI_COMM_WORLD_SIZE"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of another MPI's launcher: see _check_launcher
        MPI.Init_thread(MPI.THREAD_MULTIPLE)
    return MPI


def _once(error):
    """`error` on the first rank, a quiet end on the others: without MPI only the launcher knows which this is."""
    said = [os.environ[name] for name in _RANKS if name in os.environ]
    if not said or said[0] == "0":
        return error
    time.sleep(SPEAKING_SECONDS)
    return SystemExit(STATUS)


def _check_launcher(mpi, size):
    """Raise UserError when a launcher has started several processes and MPI knows of one: they would train alone."""
    said = next((os.environ[name] for name in _SIZES if os.environ.get(name, "").isdecimal()), "1")
    if size == 1 and int(said) > 1:
        raise _once(_of_another_mpi(mpi, said))


def _of_another_mpi(mpi, count):
    """The error when `count` (str) processes were started by another MPI than mpi4py has loaded."""
    vendor, version = mpi.get_vendor()
    return UserError(
        f"mpi: {count} processes were started, but by another MPI than mpi4py uses ({vendor} "
        f"{'.'.join(map(str, version))}): each would train alone; use that one's mpirun, or set MPI4PY_LIBMPI to the "
        "launcher's libmpi.so"
    )


def _share_cores(here):
    """Give this process its share of the machine's cores, before Caffe is loaded, unless the user or MPI has.

    `here` is the communicator of the ranks on this machine.
    """
    cores = tuple(sorted(os.sched_getaffinity(0)))
    together = here.allgather(cores).count(cores)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, len(cores) // together)))
