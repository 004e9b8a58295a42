"""setup_environment.py: what it finds missing, what it refuses, and that a second call has nothing to do."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import setup_environment as setup
from tools.gpu import driver
from tools.setup import caffe, project, shell, system_packages, venv, wheelhouse


@pytest.fixture
def place(monkeypatch, tmp_path):
    """The tool pointed at an empty place for its .venv."""
    monkeypatch.setattr(venv, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(venv, "STAMP", tmp_path / ".venv" / "setup.json")
    monkeypatch.delenv("CAFFE_PYTHONPATH", raising=False)
    return tmp_path / ".venv"


def program(path, script):
    """A shell program at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)
    return path


# system packages --------------------------------------------------------------------------------------------


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


def test_not_root_and_packages_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    program(tmp_path / "dpkg-query", "printf 'cmake ii \\n'\n")
    for sudo in (None, "exit 1\n"):  # no sudo at all, and one that wants a password
        if sudo:
            program(tmp_path / "sudo", sudo)
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(shell.SetupError, match="not root: run `sudo apt-get install .* libboost-python-dev"):
            system_packages.install_packages()


def test_a_failing_apt_is_quoted(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    program(tmp_path / "dpkg-query", "exit 1\n")
    says = "E: Unable to locate package cmake"
    program(tmp_path / "apt-get", f'echo "$1" >> "${{0%/*}}/calls"\necho "{says}" >&2\nexit 100\n')
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(shell.SetupError, match="apt-get install .* failed: E: Unable to locate package cmake"):
        system_packages.install_packages()
    # the lists are refreshed once, when they do not suffice
    assert (tmp_path / "calls").read_text().split() == ["install", "update", "install"]


def test_without_dpkg_the_readme_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert system_packages.missing_packages() is None
    assert "pycaffe/README.md" in system_packages.install_packages()


# .venv ------------------------------------------------------------------------------------------------------


def test_base_python_is_the_distributions(monkeypatch):
    monkeypatch.delenv("VENV_PYTHON", raising=False)
    assert venv.base_python() == "/usr/bin/python3"
    monkeypatch.setenv("VENV_PYTHON", "/nowhere/python3")
    with pytest.raises(shell.SetupError, match="no Python at /nowhere/python3: apt-get .* set VENV_PYTHON"):
        venv.base_python()


def test_a_venv_of_another_python_is_refused_and_kept(place):
    program(place / "bin" / "python", "echo 3.99.1\n")
    with pytest.raises(shell.SetupError, match=r"is made of Python 3\.99\.1, expected .* of /usr/bin/python3.*rm -rf"):
        venv.make_venv()
    assert (place / "bin" / "python").exists()


def test_a_half_made_venv_is_made_anew(place):
    program(place / "bin" / "python", "exit 1\n")
    (place / "rubbish").write_text("")
    assert venv.make_venv().startswith("made with Python 3.")
    assert venv.venv_version() == venv._version("/usr/bin/python3")
    assert not (place / "rubbish").exists()
    assert venv.make_venv().startswith("Python 3.")  # now it stays


def test_a_python_without_venv(place, monkeypatch, tmp_path):
    script = 'test "$1" = -c && echo 3.11.2 && exit 0\necho "No module named venv"; exit 1\n'
    base = program(tmp_path / "python3", script)
    monkeypatch.setenv("VENV_PYTHON", str(base))
    with pytest.raises(shell.SetupError, match="cannot make .*: No module named venv; apt-get install python3-venv"):
        venv.make_venv()


def test_pips_reason_is_quoted(place, monkeypatch):
    place.parent.mkdir(exist_ok=True)
    script = 'echo "WARNING: slow" >&2\necho "ERROR: No matching distribution found" >&2\nexit 1\n'
    program(place / "bin" / "python", script)
    with pytest.raises(shell.SetupError, match="pip install x==9 failed: ERROR: No matching distribution found"):
        venv.pip_install("x==9")


# Caffe ------------------------------------------------------------------------------------------------------


@pytest.fixture
def real_venv(monkeypatch):
    """The tool pointed at the environment that runs the tests."""
    monkeypatch.setattr(venv, "VENV", Path(sys.prefix))


def test_an_own_caffe_is_started(real_venv, monkeypatch, tmp_path):
    package = tmp_path / "python" / "caffe"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("__version__ = '1.0.0-rc5'\n")
    monkeypatch.setenv("CAFFE_PYTHONPATH", str(tmp_path / "python"))
    assert caffe.probe_caffe() == f"1.0.0-rc5 {package}"
    assert setup.caffe_key() == str(tmp_path / "python")
    (package / "__init__.py").write_text("import _no_such_module\n")
    with pytest.raises(shell.SetupError, match="cannot be imported in .*_no_such_module.*built for this Python"):
        caffe.probe_caffe()


def test_an_own_caffe_that_is_none(real_venv, monkeypatch, tmp_path):
    monkeypatch.setenv("CAFFE_PYTHONPATH", str(tmp_path))
    with pytest.raises(shell.SetupError, match=r"CAFFE_PYTHONPATH=.* holds no caffe package; expected"):
        caffe.probe_caffe()


def test_a_wrong_source_is_an_error_even_when_all_is_there(root, tmp_path):
    (tmp_path / "caffe.tar.gz").write_text("no tarball")
    environment = dict(os.environ, CAFFE_SOURCE=str(tmp_path / "caffe.tar.gz"))
    run = [sys.executable, root / "tools" / "setup_environment.py"]
    done = subprocess.run(run, env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert "caffe.tar.gz: not a tarball that can be read" in done.stderr and done.stderr.count("\n") == 1


def test_a_failed_wheel_has_said_why_itself(place, monkeypatch, capfd):
    """The wheel tool's one line stands alone; the exit status is 2."""
    program(place / "bin" / "python", "echo 'caffe_wheel.py: no C++ compiler' >&2\nexit 2\n")
    with pytest.raises(shell.SetupError) as error:
        caffe._wheel_tool()
    assert setup._fail(error.value) == 2
    assert capfd.readouterr().err == "caffe_wheel.py: no C++ compiler\n"


# the whole --------------------------------------------------------------------------------------------------


def test_stamp(place, monkeypatch):
    monkeypatch.setattr(setup, "caffe_key", lambda: "0123456789abcdef")
    assert venv.read_stamp() == {}
    place.mkdir()
    setup.write_stamp()
    expected = {"project": project.project_digest(), "caffe": "0123456789abcdef", "variant": caffe.variant()}
    assert venv.read_stamp() == expected
    assert [p.name for p in place.iterdir()] == ["setup.json"]
    venv.STAMP.write_text('{"project": ')  # cut short
    assert venv.read_stamp() == {}


def test_the_build_for_gpus_is_chosen_and_kept(place, monkeypatch):
    for name in ("GPU", "CAFFE_VARIANT"):
        monkeypatch.delenv(name, raising=False)
    assert caffe.variant({}) == "cpu" and caffe.variant({"variant": "cuda"}) == "cuda"
    monkeypatch.setenv("GPU", "0")
    assert caffe.variant({}) == "cuda"
    monkeypatch.setenv("CAFFE_VARIANT", "cpu")
    assert caffe.variant({"variant": "cuda"}) == "cpu"
    monkeypatch.setenv("CAFFE_VARIANT", "gpu")
    with pytest.raises(shell.SetupError, match="CAFFE_VARIANT=gpu: expected cpu or cuda"):
        caffe.variant({})


def test_a_gpu_that_is_needed_and_not_there(monkeypatch):
    gpus = [driver.Gpu("one", 1, (9, 0))]
    monkeypatch.setattr(driver, "driver", lambda: driver.Driver((13, 0), gpus))
    for asked in ("", "0"):
        monkeypatch.setenv("GPU", asked)
        caffe.need_gpu()
    for asked, text in (("1", "GPU=1: no GPU 1; there are 1"), ("x", "GPU=x: .*expected the number of a GPU")):
        monkeypatch.setenv("GPU", asked)
        with pytest.raises(shell.SetupError, match=text):
            caffe.need_gpu()


def test_nvidias_packages_are_one_release(root):
    names = project._names_in("cuda13-build.txt") | project._names_in("cuda13.txt")
    assert {"nvidia-cuda-nvcc", "nvidia-cudnn-cu13", "nvidia-cublas", "nvidia-nccl-cu13"} <= names
    texts = "".join((root / "pycaffe" / name).read_text() for name in ("cuda13.txt", "cuda13-build.txt"))
    for package in ("cuda-runtime", "cuda-nvrtc", "cuda-nvcc", "nvvm", "cuda-crt", "cuda-cccl"):
        assert f"nvidia-{package}==13.0.*\n" in texts


def test_check_of_nothing(place, capsys, monkeypatch):
    assert setup.main(["--check"]) == 2
    out, err = capsys.readouterr()
    assert f"python: missing, {place}" in out and "caffe: missing" in out
    assert err == "setup_environment.py: the environment is incomplete; run `make setup`\n"
    assert not place.exists()


def test_second_set_up_has_nothing_to_do(root):
    """Run for real: one line, nothing installed, by a Python outside the environment."""
    if not setup.is_complete():
        pytest.skip("the environment is not the one that make setup makes now; run make setup")
    before = venv.STAMP.read_bytes()
    run = [shutil.which("python3", path="/usr/bin:/bin"), root / "tools" / "setup_environment.py"]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("environment: ready, caffe 1.0.0 ") and done.stdout.count("\n") == 1
    assert venv.STAMP.read_bytes() == before


# packages for the next checkout -----------------------------------------------------------------------------


@pytest.fixture
def pip(tmp_path):
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


def test_wheelhouse_depends_on_pyproject_and_python(tmp_path):
    project = tmp_path / "pyproject.toml"
    project.write_text("a")
    first = wheelhouse.folder_for(tmp_path, project, Path(sys.executable))
    assert first == wheelhouse.folder_for(tmp_path, project, Path(sys.executable))
    other = program(tmp_path / "python", "echo linux-x86_64 cpython-399\n")
    assert wheelhouse.folder_for(tmp_path, project, other) != first
    project.write_text("b")
    assert wheelhouse.folder_for(tmp_path, project, Path(sys.executable)) != first


def test_build_requirements_are_those_of_pyproject(root):
    text = (root / "pyproject.toml").read_text()
    requires = json.loads(re.search(r"^requires = (\[.*\])$", text, re.MULTILINE)[1])
    assert set(requires) <= set(project.BUILD_REQUIREMENTS)
