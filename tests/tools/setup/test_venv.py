"""The virtual environment: made, refused, made anew, and the note of what is in it."""

import pytest

from tools import setup_environment as setup
from tools.setup import caffe, project, venv
from tools.setup.shell import SetupError


def test_base_python_is_the_distributions(monkeypatch):
    monkeypatch.delenv("VENV_PYTHON", raising=False)
    assert venv.base_python() == "/usr/bin/python3"
    monkeypatch.setenv("VENV_PYTHON", "/nowhere/python3")
    with pytest.raises(SetupError, match="no Python at /nowhere/python3: apt-get .* set VENV_PYTHON"):
        venv.base_python()


def test_a_venv_of_another_python_is_refused_and_kept(place, program):
    program(place / "bin" / "python", "echo 3.99.1\n")
    with pytest.raises(SetupError, match=r"is made of Python 3\.99\.1, expected .* of /usr/bin/python3.*rm -rf"):
        venv.make_venv()
    assert (place / "bin" / "python").exists()


def test_a_half_made_venv_is_made_anew(place, program):
    program(place / "bin" / "python", "exit 1\n")
    (place / "rubbish").write_text("")
    assert venv.make_venv().startswith("made with Python 3.")
    assert venv.venv_version() == venv.version_of("/usr/bin/python3")
    assert not (place / "rubbish").exists()
    assert venv.make_venv().startswith("Python 3.")  # now it stays


def test_a_python_without_venv(place, monkeypatch, tmp_path, program):
    script = 'test "$1" = -c && echo 3.11.2 && exit 0\necho "No module named venv"; exit 1\n'
    base = program(tmp_path / "python3", script)
    monkeypatch.setenv("VENV_PYTHON", str(base))
    with pytest.raises(SetupError, match="cannot make .*: No module named venv; apt-get install python3-venv"):
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
