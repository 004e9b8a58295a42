"""Keep the packages of a finished environment, so that the next checkout on this machine is set up in seconds.

The first set-up asks the package index; when it is complete, the very wheels it installed are put into a folder of
the cache. A later set-up with the same pyproject.toml and Python takes them from there: no index, no network, and
the same versions. Deleting the cache folder gets today's versions again.

Standard library only: part of the set-up.
"""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from tools.setup import cache


def folder_for(place, pyproject, python):
    """Folder (Path) of the packages for one pyproject.toml (Path) and one environment's Python (Path).

    It lies below the cache folder `place` (Path) and exists when, and only when, it is complete.
    """
    code = "import sysconfig; print(sysconfig.get_platform(), sysconfig.get_config_var('SOABI'))"
    platform = subprocess.run([str(python), "-c", code], capture_output=True, text=True).stdout
    key = hashlib.sha256(pyproject.read_bytes() + platform.encode()).hexdigest()[:16]
    return place / "packages" / key


def options(folder):
    """pip's options (list of str) to install from `folder` (Path) alone; empty when there is none.

    A damaged one is removed.

    Raises
    ------
    CacheError
        Others may write to it.
    """
    if not folder.is_dir():
        return []
    cache.check_all(folder, folder.parent.parent)
    if not cache.is_whole(folder):
        shutil.rmtree(folder)
        return []
    return ["--no-index", "--find-links", str(folder)]


def fill(folder, python, build_requirements, leave_out):
    """Download the wheels of what is installed for `python` into `folder`, complete or not at all.

    Parameters
    ----------
    folder : Path
    python : Path
    build_requirements : list of str
        What pip needs besides to build the project itself.
    leave_out : set of str
        Names of distributions that come from elsewhere.

    Returns
    -------
    bool
        Whether the folder is there now. Without it the next set-up is slower, nothing else.
    """
    if folder.is_dir():
        return True
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    freeze = subprocess.run([*pip, "freeze", "--exclude-editable"], capture_output=True, text=True)
    pinned = [line for line in freeze.stdout.split("\n") if "==" in line and line.split("==")[0] not in leave_out]
    try:
        cache.make(folder.parent, folder.parent.parent)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".part-"))
    except OSError:
        return False  # a cache that may only be read, or that others may write to
    try:
        download = [*pip, "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(temporary)]
        done = subprocess.run([*download, *pinned, *build_requirements], capture_output=True)
        if done.returncode == 0 and pinned:
            cache.seal(temporary)
            temporary.rename(folder)
    except OSError:
        pass  # no space, or another set-up was first
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder.is_dir()
