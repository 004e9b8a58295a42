"""The virtual environment: made, refused, made anew, and the note of what is in it."""

import shutil
import sys

import pytest

from tools import setup_environment as setup
from tools.setup import caffe, interpreter, project, venv
from tools.setup.shell import SetupError


def answers(version):
    """A shell program that tells this version, whatever it is asked, and passes every check."""
    return f'case "$*" in *interpreter.py*) exit 0;; esac\necho {version}\n'


def test_the_first_python3_in_path_is_taken(monkeypatch, tmp_path, program):
    monkeypatch.delenv("PYTHON", raising=False)
    first = program(tmp_path / "a" / "python3", answers("3.12.1"))
    program(tmp_path / "b" / "python3", answers("3.11.1"))
    monkeypatch.setenv("PATH", f"{tmp_path}/a:{tmp_path}/b:/usr/bin:/bin")
    assert interpreter.base() == str(first)


def test_an_old_first_one_is_passed_over(monkeypatch, tmp_path, program):
    monkeypatch.delenv("PYTHON", raising=False)
    program(tmp_path / "python3", "echo 'Python 3.8.1 (x): expected Python 3.9 or later' >&2\nexit 2\n")
    monkeypatch.setenv("PATH", f"{tmp_path}")
    monkeypatch.setattr(interpreter, "LATER", ["python3.10"])
    later = program(tmp_path / "python3.10", answers("3.10.1"))
    assert interpreter.base() == str(later)
    later.unlink()
    with pytest.raises(SetupError, match=r"Python 3\.8\.1 \(x\): expected Python 3\.9 or later"):
        monkeypatch.setattr(interpreter.shutil, "which", lambda name: str(tmp_path / "python3"))
        interpreter.base()


def test_python_names_another(monkeypatch, tmp_path, program):
    monkeypatch.setenv("PYTHON", "/nowhere/python3")
    with pytest.raises(SetupError, match="no Python at /nowhere/python3: set PYTHON to one that is there"):
        interpreter.base()
    old = program(tmp_path / "python3", "echo 'PyPy (x): expected CPython' >&2\nexit 2\n")
    monkeypatch.setenv("PYTHON", str(old))
    with pytest.raises(SetupError, match=r"PyPy \(x\): expected CPython"):
        interpreter.base()


def test_a_venv_of_another_python_is_refused_and_kept(place, program, monkeypatch):
    program(place / "bin" / "python", answers("3.99.1"))
    monkeypatch.setenv("PYTHON", sys.executable)
    with pytest.raises(SetupError, match=r"is made of Python 3\.99\.1, expected .* of PYTHON=.*rm -rf"):
        venv.make_venv()
    assert (place / "bin" / "python").exists()
    monkeypatch.delenv("PYTHON")  # without a wish of the user's it is as good as another
    assert venv.make_venv() == f"Python 3.99.1, {place}"


def test_a_venv_whose_python_was_upgraded_is_made_anew(place, program, monkeypatch):
    """The link leads to a later Python, which looks for its packages in a folder that is not there."""
    monkeypatch.delenv("PYTHON", raising=False)
    program(place / "bin" / "python", "echo 'No module named pip' >&2\nexit 1\n")
    (place / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.8.1\n")
    assert venv.make_venv().endswith(", in place of one of Python 3.8.1 that no longer starts")


def test_a_half_made_venv_is_made_anew(place, program, monkeypatch):
    monkeypatch.delenv("PYTHON", raising=False)
    program(place / "bin" / "python", "exit 1\n")
    (place / "rubbish").write_text("")
    assert venv.make_venv().startswith("made with Python 3.")
    assert venv.venv_version() == venv.version_of(interpreter.base())
    assert not (place / "rubbish").exists()
    assert venv.make_venv().startswith("Python 3.")  # now it stays


def test_a_python_without_venv(place, monkeypatch, tmp_path, program):
    script = 'test "$1" = -m || exec echo 3.11.2\necho "No module named venv"; exit 1\n'
    base = program(tmp_path / "python3", script)
    monkeypatch.setenv("PYTHON", str(base))
    with pytest.raises(SetupError, match="cannot make .*: No module named venv; install its modules venv and pip"):
        venv.make_venv()


def test_pips_reason_is_quoted(place, monkeypatch, program):
    place.parent.mkdir(exist_ok=True)
    script = 'echo "WARNING: slow" >&2\necho "ERROR: No matching distribution found" >&2\nexit 1\n'
    program(place / "bin" / "python", script)
    with pytest.raises(SetupError, match="pip install x==9 failed: ERROR: No matching distribution found"):
        venv.pip_install("x==9")


def test_stamp(place, monkeypatch):
    monkeypatch.setattr(caffe, "caffe_key", lambda: "0123456789abcdef")
    assert venv.read_stamp() == {}
    place.mkdir()
    venv.write_stamp(setup.installed())
    expected = {"project": project.project_digest(), "caffe": "0123456789abcdef", "variant": caffe.variant()}
    assert venv.read_stamp() == expected
    assert [p.name for p in place.iterdir()] == ["setup.json"]
    venv.STAMP.write_text('{"project": ')  # cut short
    assert venv.read_stamp() == {}


def test_an_old_pip_is_renewed(place, monkeypatch):
    asked = []
    monkeypatch.setattr(venv, "pip_install", lambda *arguments: asked.append(arguments))
    venv.make_venv()
    assert asked == []
    monkeypatch.setattr(venv, "NEW_PIP", "import sys; sys.exit(1)")
    shutil.rmtree(place)
    venv.make_venv()
    assert asked == [("--upgrade", "pip>=21.3")]
