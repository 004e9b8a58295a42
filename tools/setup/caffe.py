"""Which Caffe is wanted, its wheel built or taken from the cache, and whether it starts."""

import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

from tools.common.paths import ROOT
from tools.gpu import driver
from tools.gpu.device import Device
from tools.setup import venv, wheelhouse
from tools.setup.project import packages_folder
from tools.setup.shell import SetupError, last_line, run, step

# run by the environment's own Python: does the chosen caffe start, and what is it?
PROBE = """
import os, sys
sys.path[:0] = [p for p in [os.environ.get("CAFFE_PYTHONPATH")] if p]
import caffe
print(caffe.__version__, os.path.dirname(caffe.__file__))
"""


# what is wanted ---------------------------------------------------------------------------------------------


def variant(stamp=None):
    """Which build of Caffe is wanted, "cpu" or "cuda": what the user says, else what is installed.

    Parameters
    ----------
    stamp : dict, optional
        What the last set-up installed; read by default.

    Raises
    ------
    SetupError
        CAFFE_VARIANT is neither.
    """
    chosen = os.environ.get("CAFFE_VARIANT")
    if chosen:
        if chosen not in ("cpu", "cuda"):
            raise SetupError(f"CAFFE_VARIANT={chosen}: expected cpu or cuda")
        return chosen
    if os.environ.get("GPU"):
        return "cuda"
    return (venv.read_stamp() if stamp is None else stamp).get("variant", "cpu")


def need_gpu():
    """See whether the GPUs that GPU names are there, before half an hour goes into a build for them.

    Raises
    ------
    SetupError
        They are not.
    """
    asked = os.environ.get("GPU")
    if not asked:
        return
    try:
        there = len(driver.driver().gpus)
        missing = [str(number) for number in Device.parse(asked).gpus if number >= there]
    except driver.GpuError as error:
        raise SetupError(f"GPU={asked}: {error}") from None
    if missing:
        raise SetupError(f"GPU={asked}: no GPU {', '.join(missing)}; there are {there}, counted from 0")


def own_caffe():
    """The folder (str) in CAFFE_PYTHONPATH, or None.

    Raises
    ------
    SetupError
        No caffe package lies there: Python would import another one without a word.
    """
    folder = os.environ.get("CAFFE_PYTHONPATH") or None
    if folder and not (Path(folder) / "caffe" / "__init__.py").is_file():
        raise SetupError(
            f"CAFFE_PYTHONPATH={folder} holds no caffe package; expected the folder above caffe/__init__.py, as in "
            "<your caffe>/python"
        )
    return folder


def given_wheels():
    """The wheels (list of Path) that CAFFE_WHEEL names, a file or those of a folder; empty without it.

    Raises
    ------
    SetupError
        There is none.
    """
    given = os.environ.get("CAFFE_WHEEL")
    if not given:
        return []
    path = Path(given).expanduser().resolve()
    wheels = sorted(path.glob("caffe-*.whl")) if path.is_dir() else [path]
    if not wheels or not all(wheel.is_file() and wheel.suffix == ".whl" for wheel in wheels):
        raise SetupError(f"CAFFE_WHEEL={given}: expected a file caffe-*.whl, or a folder with such files")
    return wheels


def is_given():
    """Whether the user brings a Caffe along, so that nothing is built and no package of the system is needed."""
    return bool(own_caffe() or given_wheels())


def caffe_key():
    """What identifies the Caffe that .venv should have (str): the user's own, or the wheel's cache key."""
    if own_caffe():
        return own_caffe()
    wheels = given_wheels()
    if wheels:
        return "wheels " + hashlib.sha256(b"".join(wheel.read_bytes() for wheel in wheels)).hexdigest()[:16]
    return wanted_wheel()["key"]


# its source and its wheel -----------------------------------------------------------------------------------


def check_source():
    """Verify the user's CAFFE_SOURCE and BOOST_SOURCE also when nothing is built: a wrong one must not go unnoticed."""
    for variable, program in (("CAFFE_SOURCE", "caffe_source.py"), ("BOOST_SOURCE", "boost_source.py")):
        source = os.environ.get(variable)
        if source and not is_given():
            _program(sys.executable, program, "--check", source)


def wanted_wheel():
    """Cache key of the wanted wheel, and where it is when it is built: {"key": str, "wheel": str or None, ...}."""
    return json.loads(wheel_program("--key", *_variant_option()).stdout)


def wheel_program(*arguments):
    """Run pycaffe/caffe_wheel.py by the environment's Python; gives its CompletedProcess, raises SetupError."""
    return _program(venv.python(), "caffe_wheel.py", *arguments)


def _variant_option():
    return ["--cuda"] if variant() == "cuda" else []


def _program(python, name, *arguments):
    """Run a program of pycaffe/; its progress goes straight to the terminal, and its error, which is one line."""
    command = [str(python), str(ROOT / "pycaffe" / name), *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SetupError("")
    return done


# in the environment -----------------------------------------------------------------------------------------


def install_caffe(stamp):
    """Install the wheel, built or from the cache, unless the very same is there; gives a line (str) about it.

    Parameters
    ----------
    stamp : dict
        What the last set-up installed.
    """
    own = own_caffe()
    if own:
        venv.pip_install("six")  # every pycaffe imports it; the wheel would have brought it along
        return f"CAFFE_PYTHONPATH={own}, nothing to build"
    if given_wheels():
        return install_given(stamp)
    wanted = wanted_wheel()
    if stamp.get("caffe") == wanted["key"]:
        return "unchanged"
    if variant() == "cuda" and not os.environ.get("CUDA_HOME"):
        requirements = "cuda13.txt" if wanted["wheel"] else "cuda13-build.txt"
        step("NVIDIA's libraries", venv.pip_install, "-r", str(ROOT / "pycaffe" / requirements))
    wheel = wheel_program(*_variant_option()).stdout.strip()
    # another build has the same version: pip would keep the old one
    venv.pip_install("--force-reinstall", "--no-deps", wheel)
    venv.pip_install(*wheelhouse.options(packages_folder()), wheel)
    return f"installed {Path(wheel).name}"


def install_given(stamp):
    """Install the wheel in CAFFE_WHEEL, of several the one for this Python; gives a line (str) about it."""
    if stamp.get("caffe") == caffe_key():
        return "unchanged"
    given = Path(os.environ["CAFFE_WHEEL"]).expanduser().resolve()
    source = [str(given)] if given.is_file() else ["--find-links", str(given), "caffe"]
    try:
        venv.pip_install("--force-reinstall", "--no-deps", "--no-index", *source)
    except SetupError as error:
        tag = run([str(venv.python()), "-c", "import sys; print('cp{}{}'.format(*sys.version_info))"]).stdout.strip()
        raise SetupError(
            f"CAFFE_WHEEL={given}: no wheel for this Python and system ({tag}, {platform.machine()}, "
            f"{' '.join(platform.libc_ver()) or 'no glibc'}): {error}; choose the Python of the wheel with PYTHON=, or "
            "unset CAFFE_WHEEL to build one"
        ) from None
    links = [] if given.is_file() else ["--find-links", str(given)]
    venv.pip_install(*wheelhouse.options(packages_folder()), *links, *source[-1:])
    return f"installed, CAFFE_WHEEL={given}"


def probe_caffe():
    """Start Caffe in .venv; gives its version and folder (str).

    Raises
    ------
    SetupError
        With the reason, and what to do about it.
    """
    own = own_caffe()
    done = run([str(venv.python()), "-c", PROBE])
    if done.returncode:
        remedy = "is the caffe in CAFFE_PYTHONPATH built for this Python?" if own else "remove .venv and run this again"
        raise SetupError(f"caffe cannot be imported in {venv.VENV}: {last_line(done.stderr)}; {remedy}")
    return done.stdout.strip()
