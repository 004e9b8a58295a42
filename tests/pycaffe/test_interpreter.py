"""interpreter.py: each kind of Python that is of no use is refused in one line that says what to do."""

import os
import subprocess
import sys
from pathlib import Path

import interpreter
import pytest


@pytest.fixture
def variables(monkeypatch):
    """Set configuration variables of this Python: `variables(SOABI="...")`."""
    real = interpreter.sysconfig.get_config_var

    def change(**values):
        monkeypatch.setattr(interpreter.sysconfig, "get_config_var", lambda name: values.get(name, real(name)))

    return change


def test_this_python_is_fine():
    assert interpreter.fault(headers=True) is None


def test_an_old_one(monkeypatch):
    monkeypatch.setattr(interpreter.sys, "version_info", (3, 8, 18))
    assert "expected Python 3.9 or later; choose another with PYTHON=" in interpreter.fault()


def test_another_implementation(monkeypatch):
    monkeypatch.setattr(interpreter.platform, "python_implementation", lambda: "PyPy")
    assert interpreter.fault().startswith(f"PyPy ({sys.executable}): expected CPython")


def test_32_bit(monkeypatch):
    monkeypatch.setattr(interpreter.sys, "maxsize", 2**31 - 1)
    assert "a 32-bit Python, expected a 64-bit one" in interpreter.fault()


def test_free_threaded(variables):
    variables(Py_GIL_DISABLED=1)
    assert "a free-threaded Python" in interpreter.fault()


@pytest.mark.parametrize(
    "values", [{"SOABI": "cpython-312-x86_64-linux-musl"}, {"HOST_GNU_TYPE": "x86_64-alpine-linux-musl"}]
)
def test_musl(variables, values):
    variables(**values)
    assert "made for musl, expected glibc" in interpreter.fault()


def test_no_headers(monkeypatch, tmp_path):
    monkeypatch.setattr(interpreter.sysconfig, "get_path", lambda name: str(tmp_path))
    assert interpreter.fault() is None  # a wheel needs none
    assert f"its header {tmp_path}/Python.h is not there" in interpreter.fault(headers=True)
    monkeypatch.setattr(interpreter.sys, "base_prefix", "/usr")
    version = "{}.{}".format(*sys.version_info)
    assert f"apt-get install python{version}-dev" in interpreter.fault(headers=True)


OLD = sorted(Path("~/.pyenv/versions").expanduser().glob("[23].*/bin/python"))
OLD = [path for path in OLD if tuple(map(int, path.parent.parent.name.split(".")[:2])) < (3, 9)]


@pytest.mark.skipif(not OLD, reason="no old Python on this machine")
def test_real_old_ones(root):
    """Those that pyenv has here, Python 2 among them, run the file and are refused."""
    for python in OLD:
        done = subprocess.run([python, root / "pycaffe/interpreter.py"], capture_output=True, text=True)
        assert (done.returncode, done.stderr.count(os.linesep)) == (2, 1), done.stderr
        assert done.stderr.startswith(f"Python {python.parent.parent.name} ")


@pytest.mark.skipif(not OLD, reason="no old Python on this machine")
@pytest.mark.parametrize("program", ["tools/setup_environment.py", "make setup", "make wheels"])
def test_what_users_call_with_an_old_one(root, program):
    """The same line, and not a SyntaxError, from the programs that are to run in a Python that users choose."""
    for python in OLD:
        name, _, target = program.partition(" ")
        command = ["make", "-C", root, target, f"PYTHON={python}"] if target else [python, name]
        if not target and python.parent.parent.name.startswith("3.8"):
            continue  # it may run the set-up, which makes .venv of another
        done = subprocess.run(command, cwd=root, capture_output=True, text=True)
        assert done.stderr.splitlines()[0].startswith(f"Python {python.parent.parent.name} "), done.stderr
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 2 if target else 1)
