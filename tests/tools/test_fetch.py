"""tools/fetch.py as a user runs it."""

import subprocess
import sys

import pytest

from tools import cli, fetch


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the tool's main() as its script does; give exit status, output and error output."""

    def run_tool(*arguments, **variables):
        for name in ("DATA", "WEIGHTS", "FETCH_MIRROR"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, str(value))
        monkeypatch.setattr(sys, "argv", ["fetch.py"])
        with pytest.raises(SystemExit) as end:
            cli.run(lambda: fetch.main([str(one) for one in arguments]))
        captured = capsys.readouterr()
        return end.value.code, captured.out, captured.err

    return run_tool


def test_starts_as_a_script(root):
    done = subprocess.run([root / "tools/fetch.py", "--help"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "tools/fetch.py" in done.stdout


def places(tmp_path):
    return {"DATA": tmp_path / "data", "WEIGHTS": tmp_path / "weights"}


def test_reference_files_by_variable(run, shared, tmp_path):
    status, out, err = run("Set5", "weights", FETCH_MIRROR=shared, **places(tmp_path))
    assert (status, err) == (0, "")
    assert "Set5: 5 files: 5 fetched, 0 present" in out
    assert (tmp_path / "weights/idn/IDN_x3.caffemodel").stat().st_size == 2217744
    status, out, _ = run("Set5", "--mirror", tmp_path / "empty", **places(tmp_path))
    assert status == 2  # a mirror that is named must exist, even when nothing is missing
    status, out, _ = run("Set5", "--mirror", shared, **places(tmp_path))
    assert (status, "0 fetched, 5 present" in out) == (0, True)


def test_differing_file_is_an_error_and_kept(run, shared, tmp_path):
    target = tmp_path / "data/Set5/bird_GT.bmp"
    target.parent.mkdir(parents=True)
    target.write_bytes(b"mine")
    status, out, err = run("Set5", "--mirror", shared, **places(tmp_path))
    assert (status, target.read_bytes()) == (2, b"mine")
    assert "4 fetched, 0 present, 1 differs" in out
    assert err.startswith("fetch.py: 1 of 5 files differ from the manifest and were kept")
    assert err.count("\n") == 1
    assert run("Set5", "--mirror", shared, "--force", **places(tmp_path))[0] == 0
    assert target.stat().st_size == 248886


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Set6"], "fetch.py: Set6: no such set; expected 291, Set5, Set14, weights, BSD100, Urban100"),
        (["--mirror", "/nowhere/at/all"], "fetch.py: mirror /nowhere/at/all: no such folder"),
        (["Set5", "--mirror", "http://127.0.0.1:9", "--retries", "0"], "check the connection and run again"),
    ],
)
def test_mistakes_are_one_line(run, tmp_path, arguments, message):
    status, out, err = run(*arguments, **places(tmp_path))
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_set_that_the_mirror_has_not(run, shared, tmp_path):
    status, _, err = run("BSD100", "--mirror", shared, **places(tmp_path))
    assert status == 2
    assert "BSD100: 0 files like test/test_data/B100/*.jpg" in err
