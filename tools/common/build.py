"""What is known of the installed Caffe without loading it."""

import os
from functools import lru_cache
from importlib.util import find_spec

from tools.common.errors import UserError

try:
    import caffe_build
except ImportError:  # a Caffe of the user's own
    caffe_build = None
else:
    from caffe_build import cpu_engine as _cpu_engine


def info():
    """What this project's build says of itself (dict); None for a Caffe of the user's own."""
    if os.environ.get("CAFFE_PYTHONPATH") or caffe_build is None:
        return None
    return caffe_build.info()


def deploys():
    """Whether the installed Caffe has caffe_build.memory and caffe_build.unlocked. An older wheel has not."""
    return info() is not None and _has_deploy()


@lru_cache(maxsize=1)
def _has_deploy():
    return find_spec("caffe_build._deploy") is not None


def cpu_engine():
    """What computes Caffe's layers on the CPU (str): "onednn", or "blas" for upstream's own code.

    Raises
    ------
    UserError
        CAFFE_CPU_ENGINE is neither, or asks for oneDNN and this build has none.
    """
    if info() is None:
        return "blas"
    try:
        return _cpu_engine.chosen()
    except ValueError as error:
        raise UserError(str(error)) from None


def described():
    """Caffe in a few words (str): "Caffe 99bd997 (cpu, oneDNN)"."""
    build = info()
    if build is None:
        return "Caffe of CAFFE_PYTHONPATH" if os.environ.get("CAFFE_PYTHONPATH") else "no Caffe; run `make setup`"
    device = f"CUDA {build['cuda']}" if build["variant"] == "cuda" else "cpu"
    engine = {"onednn": "oneDNN", "blas": build["blas"]}[cpu_engine()]
    return f"Caffe {build['commit'][:7]} ({device}, {engine})"
