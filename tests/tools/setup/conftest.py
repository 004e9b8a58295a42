"""Fixtures for the tests of the set-up."""

import pytest

from tools.setup import venv


@pytest.fixture
def place(monkeypatch, tmp_path):
    """The set-up pointed at an empty place for its .venv (Path)."""
    monkeypatch.setattr(venv, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(venv, "STAMP", tmp_path / ".venv" / "setup.json")
    for name in ("CAFFE_PYTHONPATH", "CAFFE_WHEEL", "PYTHON"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / ".venv"


@pytest.fixture
def program():
    """A function (path, script) that puts a shell program at a path, and gives the path."""

    def write(path, script):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)
        return path

    return write
