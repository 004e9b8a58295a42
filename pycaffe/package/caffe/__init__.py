"""BVLC Caffe 1.0: upstream's own package, its Python files unmodified beside this one.

This file runs upstream's ``__init__.py``, shipped as ``upstream_init.py``, in its own name space (upstream's
modules refer back to ``caffe.Net`` while it runs), then mends what today's Python and libraries broke
(``caffe_build.mend``) and gives the compiled classes their docstrings (``caffe_build.documentation``).
"""

from importlib.util import find_spec as _find_spec
from pathlib import Path as _Path
from sys import modules as _modules

from caffe_build import cpu_engine as _cpu_engine
from caffe_build import documentation as _documentation
from caffe_build import mend as _mend
from caffe_build import openmp as _openmp

_engine = _cpu_engine.chosen()  # a wrong CAFFE_CPU_ENGINE ends here, as an exception, and not in the library
_upstream = _Path(__file__).with_name("upstream_init.py")
with _openmp.short_waits():  # the library is loaded in here
    exec(compile(_upstream.read_bytes(), str(_upstream), "exec"))
_mend.apply()
_documentation.apply(_modules["caffe"], _modules["caffe._caffe"])
if _find_spec("caffe_build._graph"):  # the CUDA build's: from here on a full GPU is a MemoryError
    from caffe_build import _graph  # noqa: F401
if _engine == "onednn":
    _cpu_engine.apply(Net)  # noqa: F821 - upstream's, from the line above
