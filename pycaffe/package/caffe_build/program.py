"""Starts the compiled `caffe` program of this wheel (train, test, time, device_query)."""

import os
import sys
import sysconfig
from pathlib import Path

from caffe_build import openmp


def main():
    """Replace this process by the compiled program, with this environment's packages on its Python path.

    The program embeds a Python of its own for Python layers; it does not know of virtual environments, so it is
    told where the packages are.
    """
    program = Path(__file__).parent / "bin" / "caffe"
    paths = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), os.environ.get("PYTHONPATH", "")]
    environment = dict(os.environ, **openmp.chosen(), PYTHONPATH=os.pathsep.join(dict.fromkeys(p for p in paths if p)))
    os.execve(program, [sys.argv[0], *sys.argv[1:]], environment)
