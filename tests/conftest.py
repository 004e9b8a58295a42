"""Fixtures for all tests."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

# the same examples every time: a red test can be run again, and no run is red by luck
settings.register_profile(
    "default", derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("default")

# under `make test`, a make that a test starts would take itself for a part of that one and say so
for variable in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
    os.environ.pop(variable, None)

# a shell's background job ignores Ctrl-C, some launchers' jobs SIGTERM, and so would every program that a test starts
for number, default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, default)


@pytest.fixture(scope="session")
def root():
    """The checkout (Path)."""
    return ROOT


@pytest.fixture(scope="session")
def shared():
    """Folder with the reference images, weights and oracles (Path); the test is skipped where it is absent."""
    folder = Path(os.environ.get("IDN_SHARED", ROOT.parent / "shared"))
    if not (folder / "oracles").is_dir():
        pytest.skip(f"reference data not found in {folder}; set IDN_SHARED to its folder")
    return folder


@pytest.fixture
def stub_python(tmp_path):
    """Function (rest of a shell script) that writes a program, its path (str), which make takes for a Python."""

    def write(rest):
        path = tmp_path / "stub_python" / "python"
        path.parent.mkdir()
        # the two questions that make asks first
        path.write_text(f'#!/bin/sh\ncase "$1" in -c) echo 42; exit ;; *interpreter.py) exit ;; esac\n{rest}\n')
        path.chmod(0o755)
        return str(path)

    return write
