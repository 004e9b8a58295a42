"""Which Caffe the set-up wants, and whether it starts."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools import setup_environment as setup
from tools.gpu import driver
from tools.setup import caffe, venv
from tools.setup.shell import SetupError


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
    assert caffe.caffe_key() == str(tmp_path / "python")
    (package / "__init__.py").write_text("import _no_such_module\n")
    with pytest.raises(SetupError, match="cannot be imported in .*_no_such_module.*built for this Python"):
        caffe.probe_caffe()


def test_an_own_caffe_that_is_none(real_venv, monkeypatch, tmp_path):
    monkeypatch.setenv("CAFFE_PYTHONPATH", str(tmp_path))
    with pytest.raises(SetupError, match=r"CAFFE_PYTHONPATH=.* holds no caffe package; expected"):
        caffe.probe_caffe()


def test_a_failed_wheel_has_said_why_itself(place, monkeypatch, capfd, program):
    """The wheel tool's one line stands alone; the exit status is 2."""
    program(place / "bin" / "python", "echo 'caffe_wheel.py: no C++ compiler' >&2\nexit 2\n")
    with pytest.raises(SetupError) as error:
        caffe.wheel_program()
    assert setup.fail(error.value) == 2
    assert capfd.readouterr().err == "caffe_wheel.py: no C++ compiler\n"


def test_the_build_for_gpus_is_chosen_and_kept(place, monkeypatch):
    for name in ("GPU", "CAFFE_VARIANT"):
        monkeypatch.delenv(name, raising=False)
    assert caffe.variant({}) == "cpu" and caffe.variant({"variant": "cuda"}) == "cuda"
    monkeypatch.setenv("GPU", "0")
    assert caffe.variant({}) == "cuda"
    monkeypatch.setenv("CAFFE_VARIANT", "cpu")
    assert caffe.variant({"variant": "cuda"}) == "cpu"
    monkeypatch.setenv("CAFFE_VARIANT", "gpu")
    with pytest.raises(SetupError, match="CAFFE_VARIANT=gpu: expected cpu or cuda"):
        caffe.variant({})


def test_a_gpu_that_is_needed_and_not_there(monkeypatch):
    gpus = [driver.Gpu("one", 1, (9, 0))]
    monkeypatch.setattr(driver, "driver", lambda: driver.Driver((13, 0), gpus))
    for asked in ("", "0"):
        monkeypatch.setenv("GPU", asked)
        caffe.need_gpu()
    for asked, text in (("1", "GPU=1: no GPU 1; there are 1"), ("x", "GPU=x: .*expected the number of a GPU")):
        monkeypatch.setenv("GPU", asked)
        with pytest.raises(SetupError, match=text):
            caffe.need_gpu()


# a wheel that was built elsewhere ---------------------------------------------------------------------------


def wheel(path, python="py3"):
    """A wheel of a package caffe that says that it is version 1.0.0, at a path; returns it."""
    files = {
        "caffe/__init__.py": "__version__ = '1.0.0'\n",
        "caffe-1.0.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: caffe\nVersion: 1.0.0\n",
        "caffe-1.0.0.dist-info/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {python}-none-any\n",
        "caffe-1.0.0.dist-info/RECORD": "",
    }
    path.mkdir(parents=True, exist_ok=True)
    made = path / f"caffe-1.0.0-{python}-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return made


@pytest.mark.parametrize("as_folder", [False, True])
def test_a_given_wheel_is_installed_without_a_build(place, monkeypatch, tmp_path, as_folder):
    monkeypatch.setattr(caffe, "wheel_program", lambda *_: pytest.fail("built"))
    monkeypatch.setattr(caffe, "packages_folder", lambda: tmp_path / "none")
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    made = wheel(tmp_path / "dist")
    wheel(tmp_path / "dist", "cp27")  # the folder has one for another Python as well
    monkeypatch.setenv("CAFFE_WHEEL", str(made.parent if as_folder else made))
    assert caffe.is_given()
    assert caffe.install_caffe({}).startswith("installed, CAFFE_WHEEL=")
    assert caffe.probe_caffe().startswith("1.0.0 ")
    assert caffe.install_caffe({"caffe": caffe.caffe_key()}) == "unchanged"
    before = caffe.caffe_key()
    made.write_bytes(made.read_bytes() + b"\0")
    assert caffe.caffe_key() != before


def test_a_given_wheel_that_is_none(monkeypatch, tmp_path):
    monkeypatch.delenv("CAFFE_PYTHONPATH", raising=False)
    for value in (tmp_path, tmp_path / "caffe-1.whl", tmp_path.parent):
        monkeypatch.setenv("CAFFE_WHEEL", str(value))
        with pytest.raises(SetupError, match=r"CAFFE_WHEEL=.*: expected a file caffe-\*\.whl, or a folder"):
            caffe.is_given()


@pytest.mark.parametrize("as_folder", [False, True])
def test_a_given_wheel_for_another_python(place, monkeypatch, tmp_path, as_folder):
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    made = wheel(tmp_path / "dist", "cp27")
    monkeypatch.setenv("CAFFE_WHEEL", str(made.parent if as_folder else made))
    tag = "cp{}{}".format(*sys.version_info)
    with pytest.raises(SetupError, match=rf"CAFFE_WHEEL=.*: no wheel for this Python and system \({tag}, .*PYTHON="):
        caffe.install_caffe({})
