"""Which packages of the system are missing, and how they are installed."""

import os
import re

import pytest

from tools.setup import system_packages
from tools.setup.shell import SetupError


def test_missing_packages():
    there = [name for name in system_packages.PACKAGES if name not in ("cmake", "libhdf5-dev", "g++")]
    listing = "".join(f"{name} ii \n" for name in there) + "cmake rc \ng++ un \n"
    assert system_packages.missing_packages(listing) == ["cmake", "g++", "libhdf5-dev"]
    assert system_packages.missing_packages("".join(f"{name} ii \n" for name in system_packages.PACKAGES)) == []


def test_packages_are_those_that_cmake_names(root):
    """Whoever builds by hand and whoever runs `make setup` are sent to the same packages."""
    text = (root / "pycaffe" / "cmake" / "Dependencies.cmake").read_text()
    named = set(re.findall(r"\blib[a-z0-9-]+-dev\b|\bprotobuf-compiler\b", text))
    assert len(named) >= 8 and named <= set(system_packages.PACKAGES)


def test_not_root_and_packages_missing(monkeypatch, tmp_path, program):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    program(tmp_path / "dpkg-query", "printf 'cmake ii \\n'\n")
    for sudo in (None, "exit 1\n"):  # no sudo at all, and one that wants a password
        if sudo:
            program(tmp_path / "sudo", sudo)
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(SetupError, match="not root: run `sudo apt-get install .* libboost-python-dev"):
            system_packages.install_packages()


def test_a_failing_apt_is_quoted(monkeypatch, tmp_path, program):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    program(tmp_path / "dpkg-query", "exit 1\n")
    says = "E: Unable to locate package cmake"
    program(tmp_path / "apt-get", f'echo "$1" >> "${{0%/*}}/calls"\necho "{says}" >&2\nexit 100\n')
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(SetupError, match="apt-get install .* failed: E: Unable to locate package cmake"):
        system_packages.install_packages()
    # the lists are refreshed once, when they do not suffice
    assert (tmp_path / "calls").read_text().split() == ["install", "update", "install"]


def test_without_dpkg_the_readme_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert system_packages.missing_packages() is None
    assert "pycaffe/README.md" in system_packages.install_packages()
