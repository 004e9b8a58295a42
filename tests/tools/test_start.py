"""How every tool starts: quickly, and with --version and --help that need nothing but themselves."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools.common import build, cli, version

TOOLS = sorted(
    path.stem
    for path in (Path(__file__).resolve().parents[2] / "tools").glob("*.py")
    if path.name not in ("__init__.py", "_environment.py")
)
# each takes a tenth of a second or much more to import; caffe_build alone says what Caffe was built as
SLOW = {"caffe", "h5py", "matplotlib", "onnx", "onnxruntime", "scipy", "skimage", "tifffile", "torch"}


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


def test_a_build_in_a_few_words(monkeypatch):
    facts = {"commit": "99bd99795dcd", "variant": "cpu", "blas": "OpenBLAS"}
    monkeypatch.setattr(build, "info", lambda: facts)
    monkeypatch.setattr(build, "cpu_engine", lambda: "onednn")
    assert build.described() == "Caffe 99bd997 (cpu, oneDNN)"
    facts.update(variant="cuda", cuda="13.0.88")
    monkeypatch.setattr(build, "cpu_engine", lambda: "blas")
    assert build.described() == "Caffe 99bd997 (CUDA 13.0.88, OpenBLAS)"


def test_a_caffe_of_the_users_own_is_not_taken_for_ours(monkeypatch):
    """Also where our wheel is installed beside it: nothing that our build says holds for the other."""
    monkeypatch.setenv("CAFFE_PYTHONPATH", "/opt/caffe/python")
    assert build.info() is None and build.cpu_engine() == "blas"
    assert build.described() == "Caffe of CAFFE_PYTHONPATH"


def test_a_wrong_engine_is_one_line(monkeypatch, capsys):
    monkeypatch.delenv("CAFFE_PYTHONPATH", raising=False)
    monkeypatch.setenv("CAFFE_CPU_ENGINE", "mkl")
    with pytest.raises(SystemExit) as end:
        cli.run(lambda: cli.Parser("").parse_args(["--version"]))
    said = capsys.readouterr().err
    assert end.value.code == 2 and said.count("\n") == 1 and "CAFFE_CPU_ENGINE=mkl: expected onednn or blas" in said


def test_results_carry_the_version():
    from tools.common import provenance

    assert provenance.versions()["project"] == version.project()
