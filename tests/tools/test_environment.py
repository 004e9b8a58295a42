"""Whatever the user's shell has set: a tool runs, or ends in one line that names the variable."""

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

NET = "prototxt/generated/espcn_x2_deploy.prototxt"


def run(root, command, **environment):
    kept = {name: value for name, value in os.environ.items() if name not in environment}
    kept.update({name: value for name, value in environment.items() if value is not None})
    done = subprocess.run(command, cwd=root, env=kept, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def count(root, **environment):
    """tools/complexity.py on a small net: it loads Caffe, and with it OpenMP and OpenBLAS."""
    return run(root, ["tools/complexity.py", NET], **environment)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("OMP_NUM_THREADS", "0", "expected the number of threads"),
        ("OMP_NUM_THREADS", "abc", "expected the number of threads"),
        ("OMP_NUM_THREADS", "-1", "expected the number of threads"),
        ("OMP_NUM_THREADS", "100000", "so many threads would wait for each other"),
        ("OPENBLAS_NUM_THREADS", "two", "expected the number of threads"),
        ("OPENBLAS_NUM_THREADS", "²", "expected the number of threads"),
        ("OMP_STACKSIZE", "1", "expected the size of a thread's stack"),
        ("OMP_WAIT_POLICY", "lazy", "expected active or passive"),
        ("GOMP_SPINCOUNT", "often", "expected how often a waiting thread looks"),
        ("GLOG_minloglevel", "loud", "expected 0 (everything), 1, 2 (errors) or 3"),
        ("CAFFE_CPU_ENGINE", "fast", "expected onednn or blas"),
        ("OPENCV_IO_MAX_IMAGE_PIXELS", "abc", "OpenCV cannot read this value"),
        ("OPENCV_IO_MAX_IMAGE_WIDTH", "wide", "OpenCV cannot read this value"),
    ],
)
def test_nonsense_is_one_line(root, name, value, text):
    status, out, err = count(root, **{name: value})
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"complexity.py: {name}={value}: ") and text in err


@pytest.mark.parametrize(
    "environment",
    [
        {"OMP_NUM_THREADS": ""},
        {"OMP_NUM_THREADS": "2,1"},
        {"OMP_WAIT_POLICY": "PASSIVE"},
        {"MPLBACKEND": "foo"},
        {"TMPDIR": "/proc/no/such/folder"},
        {"HOME": "/proc/no/such/folder", "LANG": "C", "LC_ALL": None},
        {"COLUMNS": "0", "TERM": None},
        {"GLOG_minloglevel": ""},
        {"PYTHONPATH": "/there/is/no/such/folder"},
        {"OPENCV_IO_MAX_IMAGE_PIXELS": "1000000"},
        {"OPENCV_IO_MAX_IMAGE_PIXELS": "100"},
        {"SOURCE_DATE_EPOCH": "abc"},
        {"PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "cpp"},
        {"PYTHONOPTIMIZE": "2"},
    ],
    ids=lambda environment: ",".join(environment),
)
def test_odd_but_usable_surroundings(root, environment):
    status, out, err = count(root, **environment)
    assert (status, err) == (0, "")
    assert "21,284 parameters" in out


def test_an_older_caffe_on_pythonpath_is_not_taken(root, tmp_path):
    (tmp_path / "caffe").mkdir()
    (tmp_path / "caffe/__init__.py").write_text("raise ImportError('of 2015')")
    status, out, err = count(root, PYTHONPATH=str(tmp_path))
    assert (status, err) == (0, "") and "21,284 parameters" in out


def test_figures_are_files_whatever_the_backend(root, tmp_path):
    log = "results/training/x3_h100/log.csv"
    command = ["tools/learning_log.py", log, "--out", tmp_path / "curve.png"]
    status, _, err = run(root, command, MPLBACKEND="there_is_no_such_one")
    assert (status, err) == (0, "")
    assert cv2.imread(str(tmp_path / "curve.png")) is not None


def test_closed_standard_streams(root, tmp_path):
    """With stdout closed the first file that is opened would get what is printed."""
    cv2.imwrite(str(tmp_path / "a.png"), np.full((9, 9), 7, np.uint8))
    command = f"tools/upscale.py {tmp_path}/a.png -o {tmp_path}/b.png --scale 2 --method Bicubic >&- 2>&-"
    assert subprocess.run(["sh", "-c", command], cwd=root).returncode == 0
    assert np.array_equal(cv2.imread(str(tmp_path / "b.png"), 0), np.full((18, 18), 7, np.uint8))


def test_matlab_compat_says_so_too(root):
    command = [sys.executable, "-m", "matlab_compat", "psnr", "a.png", "b.png"]
    status, _, err = run(root, command, OPENCV_IO_MAX_IMAGE_PIXELS="abc")
    assert status == 2 and err.count("\n") == 1
    assert err.startswith("matlab_compat: OPENCV_IO_MAX_IMAGE_PIXELS=abc: OpenCV cannot read this value")


def test_waiting_threads_look_for_a_short_time_only(root):
    """What libgomp itself says that it uses; a choice of the user's stays."""
    code = "from prototxt.engine import caffe; caffe.set_mode_cpu(); import os; print(os.environ.get('GOMP_SPINCOUNT'))"
    command = [sys.executable, "-c", code]
    unset = {"GOMP_SPINCOUNT": None, "OMP_WAIT_POLICY": None, "OMP_NUM_THREADS": None}
    _, out, err = run(root, command, OMP_DISPLAY_ENV="VERBOSE", **unset)
    assert "GOMP_SPINCOUNT = '1000'" in err and out == "None\n"  # what the process starts is not told
    _, _, err = run(root, command, OMP_DISPLAY_ENV="VERBOSE", **{**unset, "GOMP_SPINCOUNT": "77"})
    assert "GOMP_SPINCOUNT = '77'" in err
    _, _, err = run(root, command, OMP_DISPLAY_ENV="VERBOSE", **{**unset, "OMP_WAIT_POLICY": "active"})
    assert "GOMP_SPINCOUNT = '1000'" not in err


@pytest.mark.parametrize(
    "value",
    ["/a b", "it's", 'say "x"', "a;touch pwned", "$(touch pwned)", "$(shell touch pwned)", "a#b", "`touch pwned`"],
)
def test_make_passes_values_as_they_are(root, tmp_path, value):
    """Programs in the tools' places print what they get."""
    (tmp_path / "Makefile").write_text((root / "Makefile").read_text())
    (tmp_path / "tools").mkdir()
    for name in ("setup_environment", "fetch", "prepare_data", "train", "benchmark"):
        tool = tmp_path / f"tools/{name}.py"
        tool.write_text('#!/usr/bin/env python3\nimport sys\nprint(*sys.argv[1:], sep="\\n")\n')
        tool.chmod(0o755)
    for target, name, option in (
        ("train", "DATA", "--data-dir"), ("train", "HDF5", "--hdf5-dir"), ("train", "OUT", "--out"),
        ("benchmark", "WEIGHTS", "--weights-dir"),
    ):  # fmt: skip
        done = subprocess.run(["make", target, f"{name}={value}"], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert f"{option}\n{value}\n" in done.stdout + "\n"
    assert not (tmp_path / "pwned").exists()


def test_make_passes_each_set_by_itself(root, tmp_path, stub_python):
    (tmp_path / "Makefile").write_text((root / "Makefile").read_text())
    (tmp_path / "tools").mkdir()
    for name in ("setup_environment", "fetch"):
        (tmp_path / f"tools/{name}.py").write_text('#!/bin/sh\nfor one; do echo "<$one>"; done\n')
        (tmp_path / f"tools/{name}.py").chmod(0o755)
    command = ["make", "fetch", "SETS=BSD100 Urban100 * $(touch pwned);touch pwned", "PYTHON=" + stub_python("exit 0")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        *("<--data-dir>", "<data>", "<--weights-dir>", "<weights>"),
        *("<BSD100>", "<Urban100>", "<*>", "<$(touch>", "<pwned);touch>", "<pwned>"),
    ]
    assert not (tmp_path / "pwned").exists()


ALL = ["<Set5>", "<Set14>", "<BSD100>", "<Urban100>"]


@pytest.mark.parametrize(
    ("settings", "fetched", "asked"),
    [
        ([], ALL, []),
        (["SETS=Set14 BSD100"], ["<Set14>", "<BSD100>"], ["<--datasets>", "<Set14>", "<BSD100>"]),
        (["SETS=holiday Set5 *"], ["<Set5>"], ["<--datasets>", "<holiday>", "<Set5>", "<*>"]),
        (["SETS=holiday"], None, ["<--datasets>", "<holiday>"]),
        (["SETS=$(shell touch pwned) $(touch pwned)"], None, ["<$(shell>", "<touch>", "<pwned)>", "<$(touch>"]),
        (["SETS= "], ALL, []),
        (["DATA=mine"], None, []),
    ],
)
def test_make_benchmark_fetches_and_measures_the_sets(root, tmp_path, stub_python, settings, fetched, asked):
    """All four by default; folders of one's own are measured and not fetched."""
    (tmp_path / "Makefile").write_text((root / "Makefile").read_text())
    (tmp_path / "tools").mkdir()
    for name in ("setup_environment", "fetch", "benchmark"):
        text = f'#!/bin/sh\nprintf "{name}"; for one; do printf " <%s>" "$one"; done; echo\n'
        (tmp_path / f"tools/{name}.py").write_text(text)
        (tmp_path / f"tools/{name}.py").chmod(0o755)
    command = ["make", "benchmark", *settings, "PYTHON=" + stub_python('exec sh "$@"')]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split(" <") for line in done.stdout.splitlines()]
    images = [[f"<{word}" for word in line[3:]] for line in lines if line[:2] == ["fetch", "--data-dir>"]]
    assert images == ([] if fetched is None else [fetched])
    (measured,) = [[f"<{word}" for word in line[1:]] for line in lines if line[0] == "benchmark"]
    assert " ".join(asked) in " ".join(measured) and ("<--datasets>" in measured) == bool(asked)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("STAGE=foo", "expected pretrain, train or finetune"),
        ("ITERS=abc", "expected a number of iterations"),
        ("ITERS=0", "expected a number of iterations"),
        ("SCALE=5;touch pwned", "expected 2, 3 or 4"),
    ],
)
def test_make_refuses_nonsense_before_the_first_step(root, tmp_path, setting, text):
    """`make train` would otherwise build hours of data first; here any program that is started would be missed."""
    (tmp_path / "Makefile").write_text((root / "Makefile").read_text())
    done = subprocess.run(["make", "train", setting], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"make: {setting}: {text}")
    assert not (tmp_path / "pwned").exists()
