"""How every tool ends: one line, the right status, nothing left behind."""

import os
import signal
import subprocess
import sys

import pytest

HEAD = """
import os, sys, time
from pathlib import Path
from tools.common import cli
from data_prep import files
sys.argv = ["tool.py"]
"""
ODD = b"caf\xe9.png"  # Latin-1: no UTF-8


def tool(root, body, **options):
    return subprocess.Popen(
        [sys.executable, "-c", HEAD + body], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "POSIX"])
@pytest.mark.parametrize("end", ["print(name)", "raise cli.UserError(f'{name}: no')", "open(name)"])
def test_odd_names_are_printed_in_any_locale(root, locale, end):
    body = f"name = os.fsdecode({ODD!r})\ndef main():\n    {end}\ncli.run(main)"
    environment = {**os.environ, "LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    with tool(root, body, env=environment) as process:
        out, err = process.communicate()
    text = b"caf\\xe9.png"
    if end.startswith("print"):
        assert (process.returncode, out, err) == (0, text + b"\n", b"")
    else:
        assert (process.returncode, out, err.count(b"\n")) == (2, b"", 1)
        assert err.startswith(b"tool.py: " + text + b": ")


def test_no_memory_is_one_line(root):
    with tool(root, "import numpy\ncli.run(lambda: numpy.empty(1 << 50))") as process:
        _, err = process.communicate()
    assert (process.returncode, err.count(b"\n")) == (2, 1)
    assert err.startswith(b"tool.py: not enough memory (Unable to allocate 8.00 PiB")


def test_sigterm_cleans_up(root, tmp_path):
    body = f"""
def main():
    with files.atomic_path({str(tmp_path / "a.png")!r}) as temporary:
        temporary.write_text("half")
        print("ready", flush=True)
        time.sleep(60)
cli.run(main)"""
    with tool(root, body) as process:
        assert process.stdout.readline() == b"ready\n"
        assert len(list(tmp_path.iterdir())) == 1
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (143, b"tool.py: terminated\n")
    assert list(tmp_path.iterdir()) == []
