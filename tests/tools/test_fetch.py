"""tools/fetch.py as a user runs it."""

import os
import subprocess
import sys

import pytest


def run(root, *arguments, **variables):
    """Run the tool; return its exit status, output and error output."""
    environment = {name: value for name, value in os.environ.items() if name not in ("DATA", "WEIGHTS")}
    environment.pop("FETCH_MIRROR", None)
    done = subprocess.run(
        [sys.executable, root / "tools/fetch.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**environment, **{name: str(value) for name, value in variables.items()}},
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


def places(tmp_path):
    return {"DATA": tmp_path / "data", "WEIGHTS": tmp_path / "weights"}


def test_reference_files_by_variable(root, shared, tmp_path):
    status, out, err = run(root, "Set5", "weights", FETCH_MIRROR=shared, **places(tmp_path))
    assert (status, err) == (0, "")
    assert "Set5: 5 files: 5 fetched, 0 present" in out
    assert (tmp_path / "weights/idn/IDN_x3.caffemodel").stat().st_size == 2217744
    status, out, _ = run(root, "Set5", "--mirror", tmp_path / "empty", **places(tmp_path))
    assert status == 2  # a mirror that is named must exist, even when nothing is missing
    status, out, _ = run(root, "Set5", "--mirror", shared, **places(tmp_path))
    assert (status, "0 fetched, 5 present" in out) == (0, True)


def test_differing_file_is_an_error_and_kept(root, shared, tmp_path):
    target = tmp_path / "data/Set5/bird_GT.bmp"
    target.parent.mkdir(parents=True)
    target.write_bytes(b"mine")
    status, out, err = run(root, "Set5", "--mirror", shared, **places(tmp_path))
    assert (status, target.read_bytes()) == (2, b"mine")
    assert "4 fetched, 0 present, 1 differs" in out
    assert err.startswith("fetch.py: 1 of 5 files differ from the manifest and were kept")
    assert err.count("\n") == 1
    assert run(root, "Set5", "--mirror", shared, "--force", **places(tmp_path))[0] == 0
    assert target.stat().st_size == 248886


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Set6"], "fetch.py: Set6: no such set; expected 291, Set5, Set14, weights, BSD100, Urban100"),
        (["--mirror", "/nowhere/at/all"], "fetch.py: mirror /nowhere/at/all: no such folder"),
        (["Set5", "--mirror", "http://127.0.0.1:9", "--retries", "0"], "check the connection and run again"),
    ],
)
def test_mistakes_are_one_line(root, tmp_path, arguments, message):
    status, out, err = run(root, *arguments, **places(tmp_path))
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_set_that_the_mirror_has_not(root, shared, tmp_path):
    status, _, err = run(root, "BSD100", "--mirror", shared, **places(tmp_path))
    assert status == 2
    assert "BSD100: 0 files like test/test_data/B100/*.jpg" in err
