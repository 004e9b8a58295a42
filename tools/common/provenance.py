"""Where a result comes from: versions, device, command. No folder name of the machine gets into it."""

import datetime
import platform
import shlex
import subprocess
from pathlib import Path

from data_prep.files import shown
from prototxt.engine import caffe
from tools.common import version
from tools.common.paths import ROOT
from tools.gpu import smi

PACKAGES = {"numpy": "numpy", "scipy": "scipy", "opencv": "opencv-python-headless"}


def command(program, argv):
    """The command line with every folder reduced to its last name.

    Parameters
    ----------
    program : str
        As a user types it in the checkout, "tools/benchmark.py".
    argv : list of str

    Returns
    -------
    str
        Pasteable after the names are put right: "tools/benchmark.py --data-dir data". What is not UTF-8 is written
        as \\xNN.
    """
    return shown(shlex.join([program, *map(_last_name, argv)]))


def _last_name(argument):
    option, equals, value = argument.partition("=") if argument.startswith("-") else ("", "", argument)
    return f"{option}{equals}{Path(value).name if '/' in value else value}"


def versions():
    """Versions (dict of str) of Python, the numeric packages, this project, and its commit (None outside git)."""
    found = {"python": platform.python_version()}
    found.update({name: _version(package) for name, package in PACKAGES.items()})
    return {**found, "project": version.project(), "commit": _commit()}


def caffe_version():
    """Version (str) of the installed Caffe wheel, or what an own Caffe says of itself."""
    return _version("caffe") or caffe.__version__


def _version(package):
    from importlib import metadata  # here: --help must not wait for it

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit():
    """Short commit of the checkout, None outside git."""
    git = ["git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def now():
    """Date and time (str), UTC, to the second."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def processor():
    """Name (str) of the CPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def device_name(device):
    """Name (str) of the processor, or of the (first) GPU of `device` (tools.gpu.device.Device) as nvidia-smi has it."""
    if not device.on_gpu:
        return processor()
    return smi.name(device.number) or f"GPU {device.number}"
