#!/usr/bin/env python3
"""Find the parts of Boost that Caffe is built with, prove that they are the pinned ones, unpack them.

    pycaffe/boost_source.py --unpack build/boost       # print the folder, ready to build
    pycaffe/boost_source.py --check boost.tar.xz       # is this folder or tarball the pinned source?
    pycaffe/boost_source.py --list boost.tar.xz        # its manifest, whose SHA-256 is the digest in boost.json

Tried in this order: BOOST_SOURCE (a folder or a tarball), the local cache, Boost's release archive, the distribution's
source pool as this machine's apt configuration has it. A distribution's own Boost.Python serves one Python only,
the distribution's; compiled into the wheel it serves the Python at hand. Its headers must be of the same release,
so that the whole of what Caffe uses of Boost comes from here.
"""

import json
import re
import sys
from pathlib import Path

from pinned_source import PinnedSource

PIN = json.loads((Path(__file__).resolve().parent / "boost.json").read_text(encoding="utf-8"))

# The libraries whose headers Caffe's files and Boost's own compiled parts include, directly or through each other, as
# `g++ -M` lists them; whole folders, since another compiler or processor takes other files of the same folder.
HEADERS = """
    algorithm align assert atomic bind chrono concept config container container_hash core date_time describe detail
    exception filesystem function functional graph integer io iterator lexical_cast math move mp11 mpl multi_index
    numeric/conversion optional parameter pending predef preprocessor property_map python random range ratio scope
    smart_ptr system thread tuple type_traits typeof unordered utility winapi
"""
# ... and what is compiled
COMPILED = "atomic chrono filesystem python thread"
COVERED = (
    rf"boost/({'|'.join(HEADERS.split())})/.*\.(h|hpp|ipp)",
    r"boost/[^/]+\.(h|hpp)",  # the headers that lie in no folder
    rf"libs/({'|'.join(COMPILED.split())})/src/.*\.(cpp|hpp|ipp)",
    r"LICENSE_1_0\.txt",
)


def place(path):
    """Where the build wants a file: as in a release, whose headers are all in boost/; Boost's repositories and some
    archives keep each library's apart, in libs/NAME/include/boost/."""
    return re.sub(r"^libs/(numeric/)?[^/]+/include/(?=boost/)", "", path)


BOOST = PinnedSource(
    name="Boost",
    program="boost_source.py",
    variable="BOOST_SOURCE",
    wanted="a folder or tarball of Boost " + PIN["version"],
    pin=PIN,
    covers=COVERED,
    landmark="libs/python/src/module.cpp",
    place=place,
)

if __name__ == "__main__":
    sys.exit(BOOST.main(__doc__))
