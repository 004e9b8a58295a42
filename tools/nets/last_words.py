"""Why a process that ran Caffe ended: what glog and the libraries write before they end it.

An exception has a type; a process that Caffe has ended (glog's CHECK) leaves its exit status and words. This is the
one place that reads them.
"""

import re
import signal

from tools.common import parent

# host memory in Caffe, C++ and oneDNN; the number of cudaErrorMemoryAllocation
_MEMORY = re.compile(
    r"host allocation of size|bad_alloc|out_of_memory|could not create a memory object|cudaSuccess \(2 vs\. 0\)"
)


def fatal(log):
    """The message (str) of glog's first fatal line in `log` (str), None where there is none."""
    found = re.search(r"^F\d{4,8} (?:.*?\] )?(.*)", log, re.MULTILINE)
    return found and found[1].strip()


def lacked_memory(status, log):
    """Whether memory ran out.

    Parameters
    ----------
    status : int
        Of subprocess: an exit status, or a signal's number below zero.
    log : str
        All that the process wrote to stderr.
    """
    return status in (parent.NO_MEMORY, -signal.SIGKILL) or bool(_MEMORY.search(log))
