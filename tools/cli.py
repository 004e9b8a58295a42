"""What every tool shares: one-line errors with exit status 2, and the argument parser that keeps to it."""

import argparse
import codecs
import io
import os
import signal
import sys
from pathlib import Path

from data_prep.errors import DataError
from data_prep.files import shown
from prototxt.errors import NetError

SCALES = (2, 3, 4)


class UserError(Exception):
    """A mistake the user can mend: one line that names the thing, what was expected and what to do."""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line, and which shows defaults and the docstring as written."""

    def __init__(self, description):
        super().__init__(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)

    def parse_known_args(self, args=None, namespace=None):
        """As argparse's, which takes `--option=--` for a list of no values where it wants one."""
        found, rest = super().parse_known_args(args, namespace)
        for action in self._actions:
            if action.nargs is None and isinstance(getattr(found, action.dest, None), list):
                self.error(f"argument {'/'.join(action.option_strings) or action.dest}: expected one value, got '--'")
        return found, rest

    def error(self, message):
        self.exit(2, f"{self.prog}: {' '.join(message.split())}; see {self.prog} --help\n")


def run(main):
    """Run a tool's `main()` and end the process with its exit status; never returns.

    UserError, DataError, NetError, OSError (a missing file, no space left) and a lack of memory become one line on
    stderr and status 2, Ctrl-C becomes status 130. SIGTERM ends the tool like Ctrl-C, so that nothing half-written
    stays, with status 143. Anything else is a bug of ours and keeps its traceback.
    """
    name = Path(sys.argv[0]).name
    _print_any_name()
    before = signal.getsignal(signal.SIGTERM)
    try:
        signal.signal(signal.SIGTERM, _terminated)  # inside: it may come at any moment from here on
        status = main()
        sys.stdout.flush()
    except (UserError, DataError, NetError) as error:
        status = _fail(name, error)
    except Terminated:
        status = _fail(name, "terminated", 128 + signal.SIGTERM)
    except MemoryError as error:
        status = _fail(name, _no_memory(error))
    except RuntimeError as error:  # of the CUDA build, pycaffe/cuda/memory.hpp
        if not str(error).startswith("out of memory on GPU"):
            raise
        what = "give smaller images, --tile or --memory, or see with nvidia-smi what else uses the GPU"
        status = _fail(name, f"{error}; {what}")
    except BrokenPipeError:
        # the reader (head, less) went away: not an error of ours; keep Python from complaining at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except OSError as error:
        where = f"{shown(os.fsdecode(error.filename))}: " if error.filename else ""
        status = _fail(name, f"{where}{error.strerror or error}")
    except KeyboardInterrupt:
        status = _fail(name, "interrupted", 130)
    finally:
        signal.signal(signal.SIGTERM, before)
    sys.exit(status)


class Terminated(SystemExit):
    """SIGTERM came; like SystemExit no handler of errors catches it, and a worker process ends without a word."""


def _terminated(number, frame):
    # a second one while the first is being cleaned up must not break that off
    signal.signal(number, signal.SIG_IGN)
    raise Terminated


def _print_any_name():
    """Let stdout and stderr take file names that are not UTF-8, in any locale: such bytes are printed as \\xNN."""
    codecs.register_error("idn_shown", _shown_characters)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="idn_shown")


def _shown_characters(error):
    text = shown(error.object[error.start : error.end])
    return text.encode(error.encoding, "backslashreplace").decode(error.encoding), error.end


def _no_memory(error):
    said = f" ({error})" if str(error) else ""
    return f"not enough memory{said}; give smaller images or batches, fewer --workers, or free some"


def printable(text):
    """A path or text as `shown` gives it, with \\xNN for control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown(text))


def _fail(name, message, status=2):
    print(f"{name}: {printable(' '.join(str(message).split()))}", file=sys.stderr)
    return status
