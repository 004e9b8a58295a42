"""Packages for the next checkout: complete or absent, and for one pyproject.toml and Python."""

import sys
from pathlib import Path

import pytest

from tools.setup import wheelhouse


@pytest.fixture
def pip(tmp_path, program):
    """A Python whose pip says what is installed and downloads by touching files; it fails when `fail` exists."""
    script = """folder=${0%/*}
case "$*" in
*freeze*) printf 'numpy==2.0\\ncaffe @ file:///caffe.whl\\ncaffe==1.0\\nsix==1.17\\n';;
*download*)
  while [ "$1" != --dest ]; do shift; done; dest=$2; shift 2
  echo "$@" > "$folder/asked"
  for name; do touch "$dest/$name.whl"; done
  test ! -e "$folder/fail";;
esac
"""
    return program(tmp_path / "bin" / "python", script)


def test_wheelhouse_is_complete_or_absent(pip, tmp_path):
    folder = tmp_path / "cache" / "packages" / "0123"
    (pip.parent / "fail").touch()
    assert wheelhouse.options(folder) == []
    assert not wheelhouse.fill(folder, pip, ["setuptools"], {"caffe"})
    assert list(folder.parent.iterdir()) == []
    (pip.parent / "fail").unlink()
    assert wheelhouse.fill(folder, pip, ["setuptools"], {"caffe"})
    assert (pip.parent / "asked").read_text().split() == ["numpy==2.0", "six==1.17", "setuptools"]
    assert wheelhouse.options(folder) == ["--no-index", "--find-links", str(folder)]
    (pip.parent / "fail").touch()
    assert wheelhouse.fill(folder, pip, ["setuptools"], {"caffe"})  # there already, nothing asked


def test_wheelhouse_depends_on_pyproject_and_python(tmp_path, program):
    project = tmp_path / "pyproject.toml"
    project.write_text("a")
    first = wheelhouse.folder_for(tmp_path, project, Path(sys.executable))
    assert first == wheelhouse.folder_for(tmp_path, project, Path(sys.executable))
    other = program(tmp_path / "python", "echo linux-x86_64 cpython-399\n")
    assert wheelhouse.folder_for(tmp_path, project, other) != first
    project.write_text("b")
    assert wheelhouse.folder_for(tmp_path, project, Path(sys.executable)) != first
