"""What every tool shares: one-line errors with exit status 2, and the argument parser that keeps to it."""

import argparse
import codecs
import io
import os
import signal
import sys
from pathlib import Path

import numpy as np

from data_prep.errors import DataError
from data_prep.files import shown
from data_prep.geometry import SCALES  # noqa: F401 - for --scale of every tool
from prototxt.errors import NetError
from tools.common import build, version
from tools.common.errors import UserError
from tools.common.paths import FOLDERS, ROOT, folder
from tools.gpu.driver import GpuError


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line, which shows the docstring as written and knows --version."""

    def __init__(self, description):
        super().__init__(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
        self.add_argument("--version", action=_Version, nargs=0, help="print the versions of this project and Caffe")

    def parse_known_args(self, args=None, namespace=None):
        """As argparse's, which takes `--option=--` for a list of no values where it wants one."""
        found, rest = super().parse_known_args(args, namespace)
        for action in self._actions:
            if action.nargs is None and isinstance(getattr(found, action.dest, None), list):
                self.error(f"argument {'/'.join(action.option_strings) or action.dest}: expected one value, got '--'")
        return found, rest

    def error(self, message):
        self.exit(2, f"{self.prog}: {' '.join(message.split())}; see {self.prog} --help\n")


class _Version(argparse.Action):
    """Print what `make setup` has installed, asked only now: no other start of a tool needs it."""

    def __call__(self, parser, namespace, values, option_string=None):
        print(f"{version.PROJECT} {version.project()}, {build.described()}")
        parser.exit(0)


def run(main):
    """Run a tool's `main()` and end the process with its exit status; never returns.

    UserError, DataError, NetError, GpuError, OSError (a missing file, no space left) and a lack of memory become one
    line on stderr and status 2, Ctrl-C becomes status 130. SIGTERM ends the tool like Ctrl-C, so that nothing
    half-written stays, with status 143. Anything else is a bug of ours and keeps its traceback.
    """
    name = Path(sys.argv[0]).name
    _print_any_name()
    before = signal.getsignal(signal.SIGTERM)
    try:
        signal.signal(signal.SIGTERM, _terminated)  # inside: it may come at any moment from here on
        status = main()
        sys.stdout.flush()
    except (UserError, DataError, NetError, GpuError) as error:
        status = _fail(name, error)
    except Terminated:
        status = _fail(name, "terminated", 128 + signal.SIGTERM)
    except MemoryError as error:
        status = _fail(name, _no_memory(error))
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
    return (
        f"not enough memory{said}; give smaller images, batches, --tile or --memory, fewer --workers, or free some "
        "(nvidia-smi says what takes a GPU's)"
    )


def printable(text):
    """A path or text as `shown` gives it, with \\xNN for control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown(text))


def _fail(name, message, status=2):
    print(f"{name}: {printable(' '.join(str(message).split()))}", file=sys.stderr)
    return status


def add_folder(p, variable, about=""):
    """Give a parser the option --data-dir, --weights-dir or --hdf5-dir.

    Parameters
    ----------
    p : argparse.ArgumentParser
    variable : {"DATA", "WEIGHTS", "HDF5"}
        The variable of the environment that names another default.
    about : str, optional
        What the tool takes from there, for --help.
    """
    text = f"{about} (default: {FOLDERS[variable]})" if about else f"default: {FOLDERS[variable]}"
    p.add_argument(f"--{variable.lower()}-dir", type=Path, metavar=variable, default=folder(variable), help=text)


def add_folders(p):
    """Options that the tools for Figures 4 to 8 share: folders of data, weights and results."""
    add_folder(p, "DATA")
    add_folder(p, "WEIGHTS")
    p.add_argument(
        "--out", type=Path, metavar="DIR", default=ROOT / "results" / "figures", help="default: results/figures"
    )


def name_of(path):
    """The name (str) of an image in titles and file names: "butterfly" for butterfly_GT.bmp."""
    return path.stem[: -len("_GT")] if path.stem.endswith("_GT") else path.stem


def check_finite(numbers, weights):
    """Raise UserError when weights (Path) gave values (ndarray) that are not finite."""
    if not np.isfinite(numbers).all():
        raise UserError(f"{weights}: gives values that are not finite; these weights have diverged")
