#!/usr/bin/env python3
"""Make the project's environment: system packages, .venv, Caffe. `make setup` runs this file.

    tools/setup_environment.py            # do what is missing; a second call takes seconds
    tools/setup_environment.py --check    # say what is there, change nothing; exit status 2 when incomplete

With GPU=0 (or another number) in the environment Caffe is built for NVIDIA GPUs as well, on machines without one, too;
from then on this build is kept. With --need-gpu such a GPU must be there.

Environment variables:
    GPU                build Caffe with CUDA
    CAFFE_VARIANT      cpu or cuda: this build, whatever GPU says and whatever is installed
    CUDA_HOME          CUDA toolkit 12.x or 13.x to build with, CUDNN_HOME its cuDNN; else NVIDIA's wheels are installed
    CUDAHOSTCXX        C++ compiler that nvcc uses (default: the usual one, or the latest g++ that nvcc takes)
    CUDA_ARCHS         compute capabilities to build for, such as 90 or 80,90 (default: all from 75 on)
    CAFFE_SOURCE       folder or tarball of Caffe's source, instead of a download
    CAFFE_PYTHONPATH   folder of an existing `caffe` package: it is used, nothing is built
    IDN_CACHE          where sources and built wheels are kept (default ~/.cache/idn-caffe)
    PYTHON             Python to make .venv from, 3.9 or later (default: the first python3 in PATH)
    CAFFE_WHEEL        a wheel of Caffe, or a folder of wheels: it is installed, nothing is built
    BOOST_SOURCE       folder or tarball of Boost's source, instead of a download

Standard library only, any Python from 3.8 on: it runs before there is an environment.
"""

import argparse
import contextlib
import fcntl
import os
import sys

if __name__ == "__main__":
    # any Python runs this file, in no environment: the checkout is the one place to import from
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    # too old for what follows: the one file that any Python runs says so. Python 2 gets here as well:
    # this file keeps to what both can parse
    if sys.version_info < (3, 8):
        os.execv(sys.executable, [sys.executable, os.path.join(sys.path[0], "pycaffe", "interpreter.py")])

from tools.common import version  # noqa: E402
from tools.common.paths import ROOT  # noqa: E402
from tools.setup import caffe, check, project, system_packages, venv  # noqa: E402
from tools.setup.shell import SetupError, step  # noqa: E402


def set_up():
    """Do what is missing. When nothing is, one line is printed."""
    caffe.check_source()
    if check.is_complete():
        with_cuda = ", with CUDA" if caffe.variant() == "cuda" else ""
        print("environment: ready, caffe " + caffe.probe_caffe() + with_cuda)
        return
    if not caffe.is_given():
        step("system packages", system_packages.install_packages)
    asked = project.project_digest()  # now: pyproject.toml may change while Caffe is built
    step("python", venv.make_venv)
    stamp = venv.read_stamp()  # gone when the environment was made anew
    step("project", project.install_project, stamp)
    step("caffe", caffe.install_caffe, stamp)
    step("import caffe", caffe.probe_caffe)
    venv.write_stamp(dict(installed(), project=asked))
    if not caffe.own_caffe() and not project.packages_folder().is_dir():
        step("packages", project.keep_packages)


def installed():
    """What a set-up of this checkout with these options installs (dict), for the note in .venv."""
    return {"project": project.project_digest(), "caffe": caffe.caffe_key(), "variant": caffe.variant()}


@contextlib.contextmanager
def only_one():
    """Two set-ups of one checkout run one after the other. The lock is on the folder: no file is left behind."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def fail(text):
    """Print an error as one line; gives the exit status. An empty one was said by the program that failed."""
    if str(text):
        sys.stderr.write("setup_environment.py: " + " ".join(str(text).split()) + "\n")
    return 2


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--version", action="version", version=version.PROJECT + " " + version.project())
    p.add_argument("--check", action="store_true", help="say what is there, change nothing")
    p.add_argument("--need-gpu", action="store_true", help="stop when the GPU that GPU= names is not there")
    return p


def main(argv=None):
    """Make or check the environment; gives the exit status."""
    args = parser().parse_args(argv)
    try:
        if args.check:
            return 0 if check.report() else fail("the environment is incomplete; run `make setup`")
        if args.need_gpu:
            caffe.need_gpu()
        with only_one():
            set_up()
    except (SetupError, OSError) as error:
        return fail(error)
    except KeyboardInterrupt:
        fail("interrupted; run it again, what is done is kept")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
