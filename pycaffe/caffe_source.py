#!/usr/bin/env python3
"""Find Caffe's source, prove that it is the pinned one, unpack it.

    pycaffe/caffe_source.py --unpack build/upstream    # print the folder, ready to build
    pycaffe/caffe_source.py --check caffe.tar.gz       # is this folder or tarball the pinned source?
    pycaffe/caffe_source.py --list caffe.tar.gz        # its manifest; how upstream.sha256 was made

Tried in this order: CAFFE_SOURCE (a folder or a tarball), the local cache, the project's GitHub archive, the
distribution's source pool as this machine's apt configuration has it. upstream.sha256 lists the files and their
contents, and the SHA-256 of that list is the pinned digest in pin.json.
"""

import json
import sys
from pathlib import Path

from pinned_source import PinnedSource

HERE = Path(__file__).resolve().parent
PIN = json.loads((HERE / "pin.json").read_text(encoding="utf-8"))

# What the digest covers: all that the build, its CUDA variant and upstream's tests read. Upstream's images,
# notebooks, documentation, MATLAB and CMake files are left out: unused here, and not in every copy of the source.
COVERED = (
    r"(include/caffe|src/caffe|src/gtest)/.*\.(cc|cpp|cu|cuh|h|hpp)",
    r"src/caffe/.*(\.proto|\.h5|_list\.txt)",
    r"python/caffe/.*\.(cpp|py)",
    r"(examples|models)/.*\.prototxt",  # upstream's test_draw reads them all
    r"tools/caffe\.cpp",
    r"LICENSE",
)

CAFFE = PinnedSource(
    name="Caffe",
    program="caffe_source.py",
    variable="CAFFE_SOURCE",
    wanted="a folder or tarball of BVLC/caffe at commit " + PIN["commit"][:7],
    pin=PIN,
    covers=COVERED,
    landmark="src/caffe/proto/caffe.proto",
    listing=HERE / "upstream.sha256",
)

if __name__ == "__main__":
    sys.exit(CAFFE.main(__doc__))
