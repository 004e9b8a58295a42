"""Caffe: the wheel of this project's environment, or the one CAFFE_PYTHONPATH points to; loaded when first used.

`from prototxt.engine import caffe` is the only way the project imports Caffe, so that the choice and the
amount that glog prints are made in one place, before the library starts. Nothing is loaded until an attribute is
asked for: importing a generator costs nothing, `--help` is quick, and a Caffe that is missing is an error like any
other, raised where it is needed.
"""

import os
import sys
from functools import cache
from pathlib import Path

from prototxt import openmp
from prototxt.errors import NetError


@cache
def load():
    """The package `caffe`.

    Raises
    ------
    NetError
        It cannot be imported, or a variable of the environment names what is not there or cannot be meant.
    """
    _quiet()
    openmp.check()
    chosen = os.environ.get("CAFFE_PYTHONPATH")
    if chosen:
        if not (Path(chosen) / "caffe" / "__init__.py").is_file():
            raise NetError(
                f"CAFFE_PYTHONPATH={chosen} holds no caffe package; expected the folder above caffe/__init__.py, "
                "as in <your caffe>/python"
            )
        sys.path.insert(0, str(Path(chosen).resolve()))
    try:
        import caffe  # the one place; see the module's docstring
    except ImportError as error:
        raise NetError(
            f"caffe cannot be imported ({error}); run `make setup`, or set CAFFE_PYTHONPATH to a working pycaffe"
        ) from error
    except ValueError as error:  # CAFFE_CPU_ENGINE
        raise NetError(str(error)) from error
    return caffe


def _quiet():
    """Choose what glog prints, which it reads when libcaffe starts: 0 every layer of every net, 2 errors only."""
    name = "GLOG_minloglevel"  # as glog spells it
    level = os.environ.get(name) or "2"
    if level not in ("0", "1", "2", "3"):
        raise NetError(f"{name}={level}: expected 0 (everything), 1, 2 (errors) or 3; or unset it")
    os.environ[name] = level


class _Late:
    """Stands for an object that `find` gives; attributes are read from and written to that object."""

    __slots__ = ("_find",)  # no __dict__ of its own: that, too, is the object's

    def __init__(self, find):
        object.__setattr__(self, "_find", find)

    def __getattr__(self, name):
        return getattr(self._find(), name)

    def __setattr__(self, name, value):
        setattr(self._find(), name, value)

    def __delattr__(self, name):
        delattr(self._find(), name)


caffe = _Late(load)
layers = _Late(lambda: load().layers)
params = _Late(lambda: load().params)
