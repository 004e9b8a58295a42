"""What the system lacks is found by headers and programs, and named as its package manager calls it."""

import os
import re

import pytest

from tools.setup import interpreter, system_packages
from tools.setup.shell import SetupError
from tools.setup.system_packages import MANAGERS, NEEDS


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A system with nothing but an include folder and a folder of programs, both empty: (include, programs)."""
    for folder in ("include", "bin"):
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(system_packages, "include_folders", lambda: [tmp_path / "include"])
    monkeypatch.setattr(system_packages, "_of_python", lambda chosen: [])
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("CXX", raising=False)
    return tmp_path / "include", tmp_path / "bin"


def provide(bare, program, *names):
    """Put headers and programs where the set-up looks for them."""
    include, programs = bare
    for name in names:
        if name.endswith((".h", ".hpp")):
            (include / name).parent.mkdir(parents=True, exist_ok=True)
            (include / name).touch()
        else:
            program(programs / name, "exit 0\n")


def test_every_need_has_a_name_for_every_manager():
    for need in NEEDS:
        assert len(need.packages.split()) == len(MANAGERS), need


def test_what_is_there_is_not_asked_for(bare, program):
    """Also what no package manager has brought: a header in an include folder, a compiler under its other name."""
    provide(bare, program, "apt-get", *(need.names.split()[-1] for need in NEEDS))
    assert system_packages.missing_packages() == []
    assert system_packages.install_packages() == "all there"
    (bare[0] / "hdf5.h").unlink()
    (bare[1] / "cmake").unlink()
    assert system_packages.missing_packages() == ["cmake", "libhdf5-dev"]


@pytest.mark.parametrize(
    ("manager", "says"),
    [
        ("dnf", "run `dnf install .*gcc-c\\+\\+ .*onednn-devel` as root"),
        ("pacman", "run `pacman -S --needed cmake gcc .*onednn` as root"),
        ("zypper", "run `zypper install .*openblas-devel .*` as root"),
        ("apk", "run `apk add cmake g\\+\\+ .*onednn-dev` as root"),
    ],
)
def test_other_systems_are_told_their_command(bare, program, manager, says):
    provide(bare, program, manager)
    with pytest.raises(SetupError, match=says):
        system_packages.install_packages()


def test_a_system_that_nobody_knows(bare):
    with pytest.raises(SetupError, match=r"no package manager known here: cmake, .*hdf5\.h.*set CAFFE_WHEEL"):
        system_packages.install_packages()


def test_packages_are_those_that_cmake_names(root):
    """Whoever builds by hand and whoever runs `make setup` are sent to the same packages."""
    text = (root / "pycaffe" / "cmake" / "Dependencies.cmake").read_text()
    named = set(re.findall(r"\blib[a-z0-9-]+-dev\b|\bprotobuf-compiler\b", text))
    assert len(named) >= 6 and named <= {need.packages.split()[0] for need in NEEDS}


def test_headers_of_the_systems_python(monkeypatch):
    monkeypatch.setattr(interpreter, "is_the_systems", lambda python: True)
    monkeypatch.setattr(interpreter, "version", lambda python: "3.13")
    monkeypatch.setattr(interpreter, "headers", lambda python: False)
    monkeypatch.setattr(interpreter, "has", lambda python, module: False)
    assert system_packages._of_python(MANAGERS[0]) == ["python3.13-dev", "python3.13-venv"]
    assert system_packages._of_python(MANAGERS[1]) == ["python3-devel"]
    monkeypatch.setattr(interpreter, "is_the_systems", lambda python: False)
    assert system_packages._of_python(MANAGERS[0]) == []  # no package of the system's is of use to pyenv's


def test_not_root_and_packages_missing(bare, monkeypatch, program):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    provide(bare, program, "apt-get")
    for sudo in (None, "exit 1\n"):  # no sudo at all, and one that wants a password
        if sudo:
            program(bare[1] / "sudo", sudo)
        with pytest.raises(SetupError, match="not root: run `sudo apt-get install .* libhdf5-dev .*set CAFFE_WHEEL"):
            system_packages.install_packages()


def test_a_failing_apt_is_quoted(bare, monkeypatch, program):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    says = "E: Unable to locate package cmake"
    program(bare[1] / "apt-get", f'echo "$1" >> "${{0%/*}}/calls"\necho "{says}" >&2\nexit 100\n')
    with pytest.raises(SetupError, match="apt-get install .* failed: E: Unable to locate package cmake"):
        system_packages.install_packages()
    # the lists are refreshed once, when they do not suffice
    assert (bare[1] / "calls").read_text().split() == ["install", "update", "install"]
