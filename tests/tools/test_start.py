"""How every tool starts: quickly, and with --version and --help that need nothing but themselves."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools.common import build

TOOLS = sorted(
    path.stem
    for path in (Path(__file__).resolve().parents[2] / "tools").glob("*.py")
    if path.name not in ("__init__.py", "_environment.py")
)
# each takes a tenth of a second or much more to import; caffe_build alone says what Caffe was built as
SLOW = {"caffe", "h5py", "matplotlib", "onnx", "onnxruntime", "PIL", "scipy", "skimage", "tifffile", "torch", "tqdm"}


def start(root, tool, option):
    """What a tool prints, and the packages (set of str) that it imported on the way."""
    command = [sys.executable, "-X", "importtime", root / "tools" / f"{tool}.py", option]
    done = subprocess.run(command, capture_output=True, text=True)
    names = re.findall(r"^import time: .*\| +([\w.]+)$", done.stderr, re.MULTILINE)
    assert done.returncode == 0 and "argparse" in names, done.stderr
    return done.stdout, {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("tool", TOOLS)
def test_help_waits_for_no_slow_package(root, tool):
    """It takes under 0.3 s on a machine that does nothing else; what would make it slower is named here."""
    printed, packages = start(root, tool, "--help")
    assert f"tools/{tool}.py" in printed and "--version" in printed
    assert packages & SLOW == set()


@pytest.mark.parametrize("tool", ["benchmark", "upscale"])
def test_version_of_the_project_and_of_caffe(root, tool):
    printed, packages = start(root, tool, "--version")
    number = re.search(r'^version = "(.*)"$', (root / "pyproject.toml").read_text(), re.MULTILINE)[1]
    assert printed == f"idn-caffe {number}, {build.described()}\n"
    assert packages & SLOW == set()
