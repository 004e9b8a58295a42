"""Ranks on this machine: this process starts the others and talks to them by sockets."""

import os
import pickle
import socket
import subprocess
import tempfile
from multiprocessing.connection import Connection

from tools.common import parent
from tools.common.errors import UserError
from tools.nets import last_words
from tools.ranks.company import Company
from tools.ranks.watch import Watch

_VARIABLE = "IDN_RANK"  # of a started process: its rank, their number, and its two sockets


class First(Company):
    """Rank 0, which starts the others.

    Parameters
    ----------
    size : int
        2 or more.
    command : list of str
        What starts each of them; it makes its `Started`.
    """

    def __init__(self, size, command):
        self.size = self.local_size = size
        self._data, self._processes, self._said = {}, {}, {}
        watched = {}
        for rank in range(1, size):
            (ours, theirs), (watching, watched_by) = socket.socketpair(), socket.socketpair()
            with theirs, watched_by:
                self._start(rank, command, theirs.fileno(), watched_by.fileno())
            self._data[rank], watched[rank] = Connection(ours.detach()), watching
        self.watch = Watch(watched, self.name, last_words=self._last_words)

    def _start(self, rank, command, *descriptors):
        self._said[rank] = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - as long as the process
        described = " ".join(map(str, (rank, self.size, *descriptors)))
        self._processes[rank] = subprocess.Popen(
            command,
            env=parent.environment(**{_VARIABLE: described}), stdin=subprocess.DEVNULL, stderr=self._said[rank],
            pass_fds=descriptors, start_new_session=True,  # Ctrl-C is this process's to handle
        )  # fmt: skip

    def _last_words(self, rank):
        """What a process that Caffe has ended, or a signal, has left on stderr (str)."""
        status = self._processes[rank].wait()
        file = self._said[rank]
        file.seek(0)
        text = file.read()
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        ended = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
        return last_words.fatal(text) or (lines[-1] if lines else ended)

    def broadcast(self, value=None):
        content = pickle.dumps(value)
        for connection in self._data.values():
            self._told(connection.send_bytes, content)
        return value

    def gather(self, value):
        return [value, *(pickle.loads(self._told(one.recv_bytes)) for one in self._data.values())]

    def add_up(self, array):
        other = array.copy()
        for connection in self._data.values():
            self._told(connection.recv_bytes_into, memoryview(other).cast("B"))
            array += other
        self.copy_from_first(array)

    def copy_from_first(self, array):
        for connection in self._data.values():
            self._told(connection.send_bytes, memoryview(array).cast("B"))

    def _told(self, talk, *arguments):
        """What `talk` (callable) gives; when the other end is gone, the watch has the word."""
        try:
            return talk(*arguments)
        except (EOFError, OSError):
            self.watch.wait(10)
            raise UserError("a process of this training has ended; run the same command to continue") from None

    def leave(self):
        for process in self._processes.values():
            process.wait()

    def desert(self, status):
        for process in self._processes.values():
            process.kill()
            process.wait()


class Started(Company):
    """One of the others, which rank 0 has started; made of what it says in the environment."""

    def __init__(self):
        parent.follow()
        self.rank, self.size, data, watched = map(int, os.environ.pop(_VARIABLE).split())
        self.local_rank, self.local_size = self.rank, self.size
        self._data = Connection(data)
        self.watch = Watch({0: socket.socket(fileno=watched)}, self.name, speaks=False)

    def broadcast(self, value=None):
        return pickle.loads(self._data.recv_bytes())

    def gather(self, value):
        self._data.send_bytes(pickle.dumps(value))

    def add_up(self, array):
        self._data.send_bytes(memoryview(array).cast("B"))
        self.copy_from_first(array)

    def copy_from_first(self, array):
        self._data.recv_bytes_into(memoryview(array).cast("B"))


def is_started():
    """Whether rank 0 on this machine has started this process."""
    return _VARIABLE in os.environ
