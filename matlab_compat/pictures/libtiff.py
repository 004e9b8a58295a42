"""libtiff through Pillow, with its complaints.

Pillow lets libtiff print its errors and takes what it gives after some of them, a damaged fax for instance. So what it
prints to the process' stderr is caught: any complaint is damage, and none is shown.
"""

import os
import re
import sys
import tempfile
import threading
from contextlib import contextmanager, suppress

from PIL import TiffImagePlugin

from . import pillow
from .picture import Damaged

# "module: text." is how libtiff prints; anything else is another thread's and goes on to where it was meant for
_COMPLAINT = re.compile(rb"^[\w][\w .<>-]*: [^\r\n]*\.\n", re.M)
_one_at_a_time = threading.RLock()


@contextmanager
def opened(content):
    """A Pillow image of a TIFF's bytes that libtiff has decoded, for a with statement; raises Damaged."""
    with _one_at_a_time:
        complaints = []
        try:
            with _caught(complaints), _libtiff_only(), pillow.opened(content, "TIFF") as image:
                image.load()
        except Exception:
            _refuse(complaints)
            raise
        _refuse(complaints)
    yield image


def _refuse(complaints):
    if complaints:
        raise Damaged(complaints[0].decode("utf-8", "replace").rstrip("\n."))


@contextmanager
def _libtiff_only():
    """Keep Pillow from reading uncompressed YCbCr itself: it knows no sub-sampling."""
    before, TiffImagePlugin.READ_LIBTIFF = TiffImagePlugin.READ_LIBTIFF, True
    try:
        yield
    finally:
        TiffImagePlugin.READ_LIBTIFF = before


@contextmanager
def _caught(complaints):
    """Append what libtiff prints in the meantime to `complaints` (list of bytes)."""
    with suppress(AttributeError, OSError, ValueError):
        sys.stderr.flush()
    try:
        before = os.dup(2)
    except OSError:  # closed: nothing is shown anyway
        yield
        return
    with tempfile.TemporaryFile() as printed:
        os.dup2(printed.fileno(), 2)
        try:
            yield
        finally:
            with suppress(AttributeError, OSError, ValueError):
                sys.stderr.flush()
            os.dup2(before, 2)
            os.close(before)
            printed.seek(0)
            text = printed.read()
            complaints += _COMPLAINT.findall(text)
            rest = _COMPLAINT.sub(b"", text)
            if rest:
                with suppress(OSError):
                    os.write(2, rest)
