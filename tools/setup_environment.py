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
    VENV_PYTHON        Python to make .venv from (default /usr/bin/python3, which Boost.Python is built for)

Standard library only, any Python from 3.8 on: it runs before there is an environment.
"""

import argparse
import contextlib
import fcntl
import json
import os
import sys
from pathlib import Path

if __name__ == "__main__":
    # any Python runs this file, in no environment: the checkout is the one place to import from
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from tools.setup import venv  # noqa: E402
from tools.setup.caffe import caffe_key, check_source, install_caffe, need_gpu, own_caffe, probe_caffe, variant  # noqa: E402
from tools.setup.project import install_project, keep_packages, packages_folder, project_digest  # noqa: E402
from tools.setup.shell import ROOT, SetupError, step  # noqa: E402
from tools.setup.system_packages import install_packages, missing_packages  # noqa: E402
from tools.setup.venv import make_venv, read_stamp, venv_version  # noqa: E402


def write_stamp():
    """Say what is installed now; written last, under a temporary name first."""
    temporary = venv.STAMP.with_suffix(".part")
    content = {"project": project_digest(), "caffe": caffe_key(), "variant": variant()}
    temporary.write_text(json.dumps(content), encoding="utf-8")
    temporary.replace(venv.STAMP)


@contextlib.contextmanager
def only_one():
    """Two set-ups of one checkout run one after the other. The lock is on the folder: no file is left behind."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def set_up():
    """Do what is missing. When nothing is, one line is printed."""
    check_source()
    if is_complete():
        print(f"environment: ready, caffe {probe_caffe()}{', with CUDA' if variant() == 'cuda' else ''}")
        return
    if not own_caffe():
        step("system packages", install_packages)
    step("python", make_venv)
    stamp = read_stamp()  # gone when the environment was made anew
    step("project", install_project, stamp)
    step("caffe", install_caffe, stamp)
    step("import caffe", probe_caffe)
    write_stamp()
    if not own_caffe() and not packages_folder().is_dir():
        step("packages", keep_packages)


def is_complete():
    """Whether the last set-up made just what this checkout and these options ask for."""
    stamp = read_stamp()
    if not venv_version() or (stamp.get("project"), stamp.get("caffe")) != (project_digest(), caffe_key()):
        return False
    return bool(own_caffe()) or not missing_packages()


def check():
    """Print what is there and what is not; returns the exit status."""
    complete = True
    for name, find in (("system packages", _check_packages), ("python", _check_venv), ("caffe", _check_caffe)):
        try:
            print(f"{name}: {find()}")
        except SetupError as error:
            complete = False
            print(f"{name}: {error}")
    return 0 if complete else _fail("the environment is incomplete; run `make setup`")


def _check_packages():
    missing = missing_packages()
    if missing:
        raise SetupError(f"missing {' '.join(missing)}")
    return "no dpkg here, not checked" if missing is None else "all there"


def _check_venv():
    version = venv_version()
    if not version:
        raise SetupError(f"missing, {venv.VENV}")
    if read_stamp().get("project") != project_digest():
        reason = "pyproject.toml has changed since, or it was never completed"
        raise SetupError(f"Python {version}, {venv.VENV}, but {reason}")
    return f"Python {version}, {venv.VENV}"


def _check_caffe():
    if not venv_version():
        raise SetupError("missing, it goes into .venv")
    found = probe_caffe()
    if read_stamp().get("caffe") != caffe_key():
        raise SetupError(f"{found}, not what this checkout and these options would install")
    return found


def _fail(text):
    if str(text):
        print(f"setup_environment.py: {' '.join(str(text).split())}", file=sys.stderr)
    return 2


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="say what is there, change nothing")
    parser.add_argument("--need-gpu", action="store_true", help="stop when the GPU that GPU= names is not there")
    args = parser.parse_args(argv)
    try:
        if args.check:
            return check()
        if args.need_gpu:
            need_gpu()
        with only_one():
            set_up()
    except (SetupError, OSError) as error:
        return _fail(error)
    except KeyboardInterrupt:
        _fail("interrupted; run it again, what is done is kept")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
