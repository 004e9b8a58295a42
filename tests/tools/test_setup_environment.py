"""tools/setup_environment.py: what it refuses, and that a second call has nothing to do."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.setup import check, venv


def test_a_wrong_source_is_an_error_even_when_all_is_there(root, tmp_path):
    (tmp_path / "caffe.tar.gz").write_text("no tarball")
    environment = dict(os.environ, CAFFE_SOURCE=str(tmp_path / "caffe.tar.gz"))
    run = [sys.executable, root / "tools" / "setup_environment.py"]
    done = subprocess.run(run, env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert "caffe.tar.gz: not a tarball that can be read" in done.stderr and done.stderr.count("\n") == 1


def test_it_needs_the_standard_library_alone(root):
    """It runs before there is an environment: no package is found here, neither ours nor the system's."""
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from tools import setup_environment as s; s.main()"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code, root, "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"idn-caffe \d+\.\d+\.\d+\n", done.stdout)


OLD = sorted(Path("~/.pyenv/versions").expanduser().glob("3.[67].*/bin/python"))


@pytest.mark.skipif(not OLD, reason="no old Python on this machine")
def test_a_python_too_old_for_the_set_up_is_refused_in_one_line(root):
    """By those that pyenv has here, which cannot even import the set-up."""
    for python in OLD:
        done = subprocess.run([python, root / "tools/setup_environment.py"], capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert "expected Python 3.9 or later; choose another with PYTHON=" in done.stderr


def test_second_set_up_has_nothing_to_do(root):
    """Run for real: one line, nothing installed, by a Python outside the environment."""
    if not check.is_complete():
        pytest.skip("the environment is not the one that make setup makes now; run make setup")
    before = venv.STAMP.read_bytes()
    run = [shutil.which("python3", path="/usr/bin:/bin"), root / "tools" / "setup_environment.py"]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("environment: ready, caffe 1.0.0 ") and done.stdout.count("\n") == 1
    assert venv.STAMP.read_bytes() == before
