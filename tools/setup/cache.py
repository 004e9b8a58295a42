"""The cache of sources, wheels and packages, which pycaffe/ keeps.

The files of pycaffe/ are programs that lie beside each other and no package: this is the one place that reaches over.
"""

import sys

from tools.common.paths import ROOT

sys.path.append(str(ROOT / "pycaffe"))

from caffe_cache import cache_folder, check_all, is_whole, make, seal  # noqa: E402, F401
