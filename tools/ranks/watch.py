"""Notice when another rank is gone, however it went, and end the run with one line.

MPI and NCCL would wait for it for ever, and a launcher that ends the others has no word for the user. Every rank keeps
a connection to rank 0, which the system closes when either end dies, even by kill -9.
"""

import os
import selectors
import socket
import sys
import threading
import time
from contextlib import suppress

STATUS = 2
# the one rank that says why has so much time before the launcher ends it, because another rank has ended
SPEAKING_SECONDS = 3
# a launcher that ends all drops what it has not yet passed on
FORWARDING_SECONDS = 0.5
_BYE, _QUIET, _ERROR = b"B", b"Q", b"E"
_MOST = 4096  # bytes of a message


class Watch:
    """A thread that watches the connections to other ranks: on rank 0 to all, elsewhere to rank 0.

    Parameters
    ----------
    connections : dict of int to socket.socket
        By rank.
    name : callable (int) -> str
        What a user calls a rank.
    speaks : bool
        This rank says it when rank 0 is gone; one of the others does.
    last_words : callable (int) -> str, optional
        Why a rank ended that could not say it itself, as far as this process knows.
    """

    def __init__(self, connections, name, speaks=True, last_words=lambda rank: ""):
        self._connections, self._name, self._speaks, self._last_words = connections, name, speaks, last_words
        self._parted = threading.Event()
        if connections:
            threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self):
        with selectors.DefaultSelector() as selector:
            for rank, connection in self._connections.items():
                selector.register(connection, selectors.EVENT_READ, rank)
            while selector.get_map():
                for key, _ in selector.select():
                    kind, text = _received(key.fileobj)
                    if kind == _BYE or self._parted.is_set():
                        selector.unregister(key.fileobj)
                    else:
                        self._end(key.data, kind, text)

    def _end(self, rank, kind, text):
        """End this process because `rank` is gone."""
        self._parted.set()
        if kind == _QUIET:
            time.sleep(SPEAKING_SECONDS)
        elif self._speaks:
            why = text or self._last_words(rank) or "it was killed or crashed"
            print(
                f"train.py: {self._name(rank)} has ended: {why}; run the same command to continue from the last "
                "snapshot", file=sys.stderr, flush=True,
            )  # fmt: skip
        if kind != _QUIET:
            self._send(_QUIET)
            time.sleep(FORWARDING_SECONDS)
        os._exit(STATUS)

    def _send(self, message):
        for connection in self._connections.values():
            with suppress(OSError):  # that rank is gone as well
                connection.sendall(message)

    def wait(self, seconds):
        """Give the thread time to notice what this one has run into already, and to end the process."""
        if self._connections:
            time.sleep(seconds)

    def part(self):
        """Leave in peace."""
        self._parted.set()
        self._send(_BYE)

    def end_others(self):
        """Let the other ranks end without a word, for this one says why."""
        self._parted.set()
        self._send(_QUIET)

    def tell(self, text):
        """Let rank 0 say why this rank ends (str), and give it time; gives whether rank 0 can be told."""
        self._parted.set()
        self._send(_ERROR + text.encode("utf-8", "backslashreplace")[: _MOST - 1])
        for connection in self._connections.values():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
                time.sleep(SPEAKING_SECONDS)
        return bool(self._connections)


def _received(connection):
    """Kind (bytes, empty when the other end is gone) and text (str) of what has come."""
    with suppress(OSError):
        kind = connection.recv(1)
        text = b""
        while kind == _ERROR and len(text) < _MOST:
            block = connection.recv(_MOST)
            if not block:
                break
            text += block
        return kind, text.decode("utf-8", "replace")
    return b"", ""
