"""What every tool shares: one-line errors with exit status 2, and the argument parser that keeps to it."""

import argparse
import os
import sys
from pathlib import Path

from data_prep.errors import DataError
from prototxt.errors import NetError

SCALES = (2, 3, 4)


class UserError(Exception):
    """A mistake the user can mend: one line that names the thing, what was expected and what to do."""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line, and which shows defaults and the docstring as written."""

    def __init__(self, description):
        super().__init__(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message):
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def run(main):
    """Run a tool's `main()` and end the process with its exit status; never returns.

    UserError, DataError, NetError and OSError (a missing file, no space left) become one line on stderr and
    status 2, Ctrl-C becomes status 130. Anything else is a bug of ours and keeps its traceback.
    """
    name = Path(sys.argv[0]).name
    try:
        status = main()
        sys.stdout.flush()
    except (UserError, DataError, NetError) as error:
        status = _fail(name, error)
    except RuntimeError as error:  # of the CUDA build, pycaffe/cuda/compat.h
        if not str(error).startswith("out of memory on GPU"):
            raise
        what = "give smaller images, --tile or --memory, or see with nvidia-smi what else uses the GPU"
        status = _fail(name, f"{error}; {what}")
    except BrokenPipeError:
        # the reader (head, less) went away: not an error of ours; keep Python from complaining at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        status = _fail(name, f"{where}{error.strerror or error}")
    except KeyboardInterrupt:
        status = _fail(name, "interrupted", 130)
    sys.exit(status)


def _fail(name, message, status=2):
    text = " ".join(str(message).split())
    print(f"{name}: {text}", file=sys.stderr)
    return status
