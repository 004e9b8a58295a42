"""Temporary folders of killed processes, and processes that must not outlive the one that started them."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from data_prep import files
from tools.common import parent, scratch

HOLD = """
import sys, tempfile, time
from tools.common import scratch
with scratch.private() as folder:
    open(tempfile.mkstemp()[1], "w").close()
    print(folder, flush=True)
    time.sleep(60)
"""
# starts a process that follows it, and says its number
STARTS = """
import subprocess, sys, time
from tools.common import parent
code = "import time; from tools.common import parent; parent.follow(); print('on', flush=True); {}"
child = subprocess.Popen([sys.executable, "-c", code], env=parent.environment(), stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""


def start(code, root, **environment):
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=root, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True
    )
    return process, process.stdout.readline().strip()


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_everything_temporary_is_in_the_folder_and_goes_with_it(place):
    with scratch.private() as folder:
        assert folder.parent == place
        assert Path(tempfile.mkdtemp()).parent == folder and os.environ["TMPDIR"] == str(folder)
    assert list(place.iterdir()) == [] and tempfile.gettempdir() == str(place)


def test_no_file_without_our_mark_is_written_to_find_the_folder(tmp_path, root):
    """tempfile tries a folder with a file of eight letters; a process killed just then would leave it for ever."""
    code = (
        "import tempfile; from tools.common import scratch\n"
        "def tried(*_): raise SystemExit('a file was written to find the folder')\n"
        "tempfile._get_default_tempdir = tried\n"
        "with scratch.private() as folder: tempfile.mkdtemp(); print(folder.parent)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, str(tmp_path), "")


def test_the_folder_of_a_killed_process_goes_at_the_next_start(place, root):
    killed, folder = start(HOLD, root, TMPDIR=str(place))
    living, other = start(HOLD, root, TMPDIR=str(place))
    try:
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
        assert len(list(Path(folder).iterdir())) == 1
        with scratch.private():
            assert not Path(folder).exists() and Path(other).exists()
    finally:
        living.kill()
        living.wait()
        for process in (killed, living):
            process.stdout.close()


def test_what_is_not_ours_stays(place, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    dead = files.process_mark().replace(f"{os.getpid()}-", "999999999-", 1)
    (elsewhere / "kept").write_text("")
    (place / f"idn-{dead}-link").symlink_to(elsewhere)
    (place / f"idn-{dead}-file").write_text("")
    (place / "idn-mine").mkdir()
    (place / f"idn-{dead}-gone").mkdir()
    scratch.sweep()
    left = sorted(path.name for path in place.iterdir())
    assert left == sorted([f"idn-{dead}-link", f"idn-{dead}-file", "idn-mine"]) and (elsewhere / "kept").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread looks every second")
@pytest.mark.parametrize("busy", ["time.sleep(60)", "sum(range(10**12))"])  # the second never lets another thread run
def test_a_process_ends_with_the_one_that_started_it(root, busy):
    process, child = start(STARTS.replace("{}", busy), root)
    process.kill()
    process.wait()
    process.stdout.close()
    end = time.monotonic() + 5
    while runs(child) and time.monotonic() < end:
        time.sleep(0.02)
    assert not runs(child)


def runs(number):
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_one_whose_starter_has_gone_already_ends_at_once(root):
    code = "from tools.common import parent; parent.follow(); print('runs on')"
    env = {**parent.environment(), "IDN_PARENT": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=root, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    del env["IDN_PARENT"]  # a tool that the user started follows nobody
    done = subprocess.run([sys.executable, "-c", code], cwd=root, env=env, capture_output=True, text=True)
    assert done.stdout == "runs on\n"
