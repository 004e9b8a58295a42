"""Processes of our own beside this one, which end with it even when it is killed and can tell nobody."""

import ctypes
import os
import signal
import sys
import threading
import time

from tools.common.paths import ROOT

# exit status of such a process when its memory does not suffice
NO_MEMORY = 75
_PR_SET_PDEATHSIG = 1  # of prctl(2)
_VARIABLE = "IDN_PARENT"  # number of the process that a started one must not outlive


def command(module, *arguments):
    """The command (list of str) that runs a module of this checkout, such as "tools.nets.net_probe", as a process."""
    return [sys.executable, str(ROOT / "tools" / "_environment.py"), module, *map(str, arguments)]


def environment(**more):
    """The variables (dict) for a process that calls `follow` when it begins, and `more`."""
    return {**os.environ, _VARIABLE: str(os.getpid()), **more}


def follow():
    """Let this process be killed as soon as the one is gone that started it with `environment`; else do nothing.

    Notes
    -----
    Linux does it itself, also while Caffe computes and no Python runs; elsewhere a thread looks every second. The
    variable is taken away, so that processes which this one starts do not look for a stranger.
    """
    said = os.environ.pop(_VARIABLE, "")
    if not said.isdecimal():
        return
    parent = int(said)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    else:
        threading.Thread(target=_look, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it went before we asked
        os._exit(1)


def _look(parent):
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
