"""The packages of Debian and Ubuntu that Caffe is compiled with and linked to."""

import os
import shutil
import subprocess

from tools.setup.shell import SetupError, last_line, run

PACKAGES = (
    "cmake",
    "g++",
    "libboost-dev",
    "libboost-filesystem-dev",
    "libboost-python-dev",
    "libboost-thread-dev",
    "libdnnl-dev",
    "libgflags-dev",
    "libgoogle-glog-dev",
    "libhdf5-dev",
    "liblmdb-dev",
    "libopenblas-dev",
    "libprotobuf-dev",
    "make",
    "ninja-build",
    "protobuf-compiler",
    "python3-dev",
    "python3-venv",
)


def missing_packages(listing=None):
    """Which of PACKAGES are not installed (list of str, in their order); None on a system without dpkg.

    Parameters
    ----------
    listing : str, optional
        What dpkg-query prints, "package status-abbreviation" on each line; asked for by default.
    """
    if listing is None:
        if not shutil.which("dpkg-query"):
            return None
        query = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Abbrev}\n", *PACKAGES]
        listing = subprocess.run(query, capture_output=True, text=True).stdout
    pairs = (line.split() for line in listing.splitlines())
    installed = {pair[0] for pair in pairs if len(pair) == 2 and pair[1] == "ii"}
    return [name for name in PACKAGES if name not in installed]


def install_packages():
    """Install the missing packages, as root or by a sudo that asks for no password; gives a line (str) about it.

    Raises
    ------
    SetupError
        They are missing and this user may not install them, or apt-get failed.
    """
    missing = missing_packages()
    if missing is None:
        return "no dpkg here: pycaffe/README.md lists the libraries that Caffe needs"
    if not missing:
        return "all there"
    by_hand = f"apt-get install --no-install-recommends {' '.join(missing)}"
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if prefix and (not shutil.which("sudo") or subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode):
        raise SetupError(f"system packages are missing and you are not root: run `sudo {by_hand}`, then this again")
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    install = [*prefix, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    # the lists may be stale or absent (a fresh container): refresh them only when they do not suffice
    if run(install, environment).returncode:
        run([*prefix, "apt-get", "update", "-qq"], environment)
        done = run(install, environment)
        if done.returncode:
            raise SetupError(f"`{by_hand}` failed: {last_line(done.stderr, 'E: ')}")
    return f"installed {' '.join(missing)}"
