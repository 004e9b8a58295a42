#!/usr/bin/env python3
"""Whether Caffe can be built for the Python that runs this file, and if not, what to do; exit status 2 then.

    python3.12 pycaffe/interpreter.py            # may Caffe run in it?
    python3.12 pycaffe/interpreter.py --headers  # ... and be compiled for it here?

Standard library of any Python, the second included: what is to be refused has to run it.
"""

from __future__ import print_function

import os
import platform
import sys
import sysconfig

OLDEST = (3, 9)
CHOOSE = "choose another with PYTHON=, such as PYTHON=python3.12"


def fault(headers=False):
    """What is wrong with this Python, in one line with what to do about it (str); None when nothing is.

    Parameters
    ----------
    headers : bool
        Whether its headers are needed as well.
    """
    this = "Python {} ({})".format(platform.python_version(), sys.executable)
    if platform.python_implementation() != "CPython":
        name = "{} ({})".format(platform.python_implementation(), sys.executable)
        return "{}: expected CPython, whose C interface Boost.Python uses; {}".format(name, CHOOSE)
    if sys.version_info[:2] < OLDEST:
        return "{}: expected Python 3.9 or later; {}".format(this, CHOOSE)
    if sys.maxsize < 2**32:
        return "{}: a 32-bit Python, expected a 64-bit one; {}".format(this, CHOOSE)
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "{}: a free-threaded Python, which Boost.Python cannot serve; {}".format(this, CHOOSE)
    if any("musl" in str(sysconfig.get_config_var(name)) for name in ("SOABI", "HOST_GNU_TYPE")):
        return "{}: made for musl, expected glibc; use a system with glibc, such as Debian or Fedora".format(this)
    header = os.path.join(sysconfig.get_path("include"), "Python.h")
    if headers and not os.path.exists(header):
        return "{}: its header {} is not there; {}".format(this, header, headers_remedy())
    return None


def headers_remedy():
    """Where the headers of this Python come from (str)."""
    if sys.base_prefix == "/usr":
        version = "{}.{}".format(*sys.version_info)
        return "apt-get install python{}-dev (dnf, zypper: python3-devel), or {}".format(version, CHOOSE)
    return "install this Python with its headers, or " + CHOOSE


def main():
    """Print the fault; gives the exit status."""
    found = fault("--headers" in sys.argv[1:])
    if found:
        print(found, file=sys.stderr)
    return 2 if found else 0


if __name__ == "__main__":
    sys.exit(main())
