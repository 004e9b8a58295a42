"""make_wheels.py: which Pythons it takes, and what it says when there is none."""

import subprocess
import sys

import make_wheels
import pytest


@pytest.fixture
def pyenv(monkeypatch, tmp_path):
    """Nothing in PATH, and a pyenv with these Pythons, all of them this one."""
    for version in ("3.8.18", "3.10.9", "3.10.13", "3.12.1"):
        program = tmp_path / "versions" / version / "bin" / f"python{version.rsplit('.', 1)[0]}"
        program.parent.mkdir(parents=True)
        program.symlink_to(sys.executable)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("PATH", "/nowhere")
    return tmp_path / "versions"


def test_a_version_a_program_and_a_path(pyenv, monkeypatch):
    assert make_wheels.find("3.12") == str(pyenv / "3.12.1/bin/python3.12")
    assert make_wheels.find(sys.executable) == sys.executable
    monkeypatch.setenv("PATH", str(pyenv / "3.10.9/bin"))
    assert make_wheels.find("python3.10") == make_wheels.find("3.10") == str(pyenv / "3.10.9/bin/python3.10")


def test_a_stand_in_of_pyenvs_is_passed_over(pyenv, monkeypatch, tmp_path):
    """pyenv puts one of each version into PATH, and those that are not switched on refuse to start."""
    (tmp_path / "shims").mkdir()
    shim = tmp_path / "shims" / "python3.12"
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.12: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(shim.parent))
    assert make_wheels.find("3.12") == str(pyenv / "3.12.1/bin/python3.12")


@pytest.mark.parametrize("name", ["3.11", "python9", "/nowhere/python3"])
def test_one_that_is_not_there(pyenv, name, capsys):
    assert make_wheels.main([name]) == 2
    said = capsys.readouterr().err
    assert said == f"make_wheels.py: no Python {name} in PATH or in pyenv; give its path instead\n"


def test_all_that_are_found_are_of_use(pyenv):
    assert make_wheels.found_here() == [str(pyenv / "3.10.9/bin/python3.10"), str(pyenv / "3.12.1/bin/python3.12")]


def test_a_program_that_fails_has_said_why_itself(capfd):
    with pytest.raises(make_wheels.MakeError, match="^$"):
        make_wheels.run(sys.executable, "-c", "import sys; sys.exit('one line')")
    assert capfd.readouterr().err == "one line\n"


def test_make_passes_the_pythons_on(root, tmp_path, stub_python):
    (tmp_path / "Makefile").write_text((root / "Makefile").read_text())
    (tmp_path / "pycaffe").mkdir()
    (tmp_path / "pycaffe/make_wheels.py").write_text('for one; do echo "<$one>"; done\n')
    asked = ["PYTHONS=3.10 /my/python $(touch pwned)", "OUT=my wheels"]
    command = ["make", "wheels", *asked, "PYTHON=" + stub_python('exec sh "$@"')]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    expected = ["<3.10>", "</my/python>", "<$(touch>", "<pwned)>", "<--out>", "<my wheels>"]
    assert done.stdout.splitlines() == expected
    assert not (tmp_path / "pwned").exists()
