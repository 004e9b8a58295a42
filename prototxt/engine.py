"""Import Caffe: the wheel of this project's environment, or the one CAFFE_PYTHONPATH points to.

`from prototxt.engine import caffe` is the only way the project imports Caffe, so that the choice and the
amount that glog prints are made in one place, before the library starts.
"""

import os
import sys
from pathlib import Path

from prototxt.errors import NetError

# glog reads it when libcaffe starts: 0 prints every layer of every net, 2 errors only
os.environ.setdefault("GLOG_minloglevel", "2")


def _import():
    chosen = os.environ.get("CAFFE_PYTHONPATH")
    if chosen:
        if not (Path(chosen) / "caffe" / "__init__.py").is_file():
            _fail(
                f"CAFFE_PYTHONPATH={chosen} holds no caffe package; expected the folder above caffe/__init__.py, "
                "as in <your caffe>/python"
            )
        sys.path.insert(0, str(Path(chosen).resolve()))
    try:
        import caffe
    except ImportError as error:
        _fail(f"caffe cannot be imported ({error}); run `make setup`, or set CAFFE_PYTHONPATH to a working pycaffe")
    except ValueError as error:  # CAFFE_CPU_ENGINE
        _fail(str(error))
    return caffe


def _fail(text):
    """Raise NetError(text); where nothing catches it, the program ends with that one line and status 2.

    It happens while modules are imported, before any tool can set up its own way to end.
    """
    usual = sys.excepthook

    def end(kind, error, trace):
        if kind is not NetError:
            usual(kind, error, trace)
            return
        print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr, flush=True)
        os._exit(2)  # a hook cannot set the status otherwise

    sys.excepthook = end
    raise NetError(text)


caffe = _import()
