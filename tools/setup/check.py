"""Say what of the environment is there and what is missing, without changing anything."""

from tools.setup import venv
from tools.setup.caffe import caffe_key, is_given, probe_caffe
from tools.setup.project import project_digest
from tools.setup.shell import SetupError
from tools.setup.system_packages import missing_packages


def is_complete():
    """Whether the last set-up made just what this checkout and these options ask for."""
    stamp = venv.read_stamp()
    if not venv.venv_version() or (stamp.get("project"), stamp.get("caffe")) != (project_digest(), caffe_key()):
        return False
    return is_given() or not missing_packages()


def report():
    """Print a line for each part of the environment; gives whether all of them are there."""
    complete = True
    for name, find in (("system packages", _packages), ("python", _python), ("caffe", _caffe)):
        try:
            print(f"{name}: {find()}")
        except SetupError as error:
            complete = False
            print(f"{name}: {error}")
    return complete


def _packages():
    if is_given():
        return "none needed, Caffe is given"
    missing = missing_packages()
    if missing:
        raise SetupError(f"missing {' '.join(missing)}")
    return "all there"


def _python():
    version = venv.venv_version()
    if not version:
        raise SetupError(f"missing, {venv.VENV}")
    if venv.read_stamp().get("project") != project_digest():
        reason = "pyproject.toml has changed since, or it was never completed"
        raise SetupError(f"Python {version}, {venv.VENV}, but {reason}")
    return f"Python {version}, {venv.VENV}"


def _caffe():
    if not venv.venv_version():
        raise SetupError("missing, it goes into .venv")
    found = probe_caffe()
    if venv.read_stamp().get("caffe") != caffe_key():
        raise SetupError(f"{found}, not what this checkout and these options would install")
    return found
