"""Where data and weights are looked for, and the photographs that every environment has."""

import argparse
from importlib import metadata
from pathlib import Path

import pytest

from tools.common import cli, paths, photographs
from tools.common.errors import UserError


def test_a_variable_names_another_folder(monkeypatch, root):
    for variable, there in (("DATA", "data"), ("WEIGHTS", "weights"), ("HDF5", "data/hdf5")):
        monkeypatch.delenv(variable, raising=False)
        assert paths.folder(variable) == root / there
        monkeypatch.setenv(variable, "")  # as make passes a variable that is not set
        assert paths.folder(variable) == root / there
        monkeypatch.setenv(variable, "/mnt/other")
        assert paths.folder(variable) == Path("/mnt/other")


def test_an_option_comes_before_the_variable(monkeypatch):
    monkeypatch.setenv("DATA", "/mnt/other")
    parser = argparse.ArgumentParser()
    cli.add_folder(parser, "DATA", "images")
    assert parser.parse_args([]).data_dir == Path("/mnt/other")
    assert parser.parse_args(["--data-dir", "mine"]).data_dir == Path("mine")
    assert "images (default: data)" in parser.format_help()


def test_photographs_are_those_of_scikit_image():
    assert photographs.path("chelsea.png").read_bytes().startswith(b"\x89PNG")
    version = metadata.version("scikit-image")
    with pytest.raises(UserError, match=f"nobody.png: scikit-image {version} does not carry it; run `make setup`"):
        photographs.path("nobody.png")
