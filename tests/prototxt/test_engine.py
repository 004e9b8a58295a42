"""prototxt/engine.py: Caffe is loaded late, from where the user says, and its absence is an ordinary error."""

import os
import subprocess
import sys

import pytest


def python(root, code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], cwd=root, env={**os.environ, **environment}, capture_output=True, text=True
    )


def test_generators_do_not_load_caffe(root):
    done = python(root, "import sys, prototxt.registry, prototxt.generate\nprint('caffe' in sys.modules)")
    assert done.stdout == "False\n", done.stderr


def test_what_is_written_reaches_caffe(root):
    code = "from prototxt.engine import caffe\ncaffe.mark = 3\nimport caffe as real\nprint(real.mark, caffe.TEST)"
    assert python(root, code).stdout == "3 1\n"


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ({"CAFFE_PYTHONPATH": "/nowhere"}, "CAFFE_PYTHONPATH=/nowhere holds no caffe package"),
        ({"CAFFE_CPU_ENGINE": "fast"}, "CAFFE_CPU_ENGINE=fast"),
    ],
)
@pytest.mark.parametrize("command", [["-m", "prototxt.idn", "--scale", "3"], ["-m", "prototxt.generate", "--check"]])
def test_no_caffe_is_one_line(root, command, environment, text):
    done = subprocess.run(
        [sys.executable, *command], cwd=root, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert text in done.stderr


def test_caffe_that_does_not_import_is_one_line(root, tmp_path):
    (tmp_path / "caffe").mkdir()
    (tmp_path / "caffe/__init__.py").write_text("import a_library_that_is_not_there")
    done = python(root, "from prototxt import vdsr, command\ncommand.run(vdsr.main)", CAFFE_PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "a_library_that_is_not_there" in done.stderr and "make setup" in done.stderr
