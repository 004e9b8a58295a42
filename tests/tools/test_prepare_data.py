"""tools/prepare_data.py as a user runs it."""

import json
import os
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest

from data_prep import build
from data_prep.hdf5 import check_database
from tools import prepare_data
from tools.common import cli


@pytest.fixture
def data(tmp_path):
    """A data folder with two pictures as the sets 291 and Set5."""
    rows, columns = np.mgrid[:100, :130]
    for name in ("291", "Set5"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for seed in range(2):
            plane = 120 + 60 * np.sin(rows / 9 + seed) + 50 * np.cos(columns / 7)
            picture = np.dstack([plane, plane[::-1], plane[:, ::-1]]).astype(np.uint8)
            cv2.imwrite(str(tmp_path / "data" / name / f"{seed}.png"), picture)
    return tmp_path / "data"


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the tool's main() as its script does; give exit status, output and error output."""

    def run_tool(*arguments, **variables):
        for name in ("DATA", "SHARD_MB"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, str(value))
        monkeypatch.setattr(sys, "argv", ["prepare_data.py"])
        with pytest.raises(SystemExit) as end:
            cli.run(lambda: prepare_data.main([str(one) for one in arguments]))
        captured = capsys.readouterr()
        return end.value.code, captured.out, captured.err

    return run_tool


def test_starts_as_a_script(root):
    done = subprocess.run([root / "tools/prepare_data.py", "--help"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "tools/prepare_data.py" in done.stdout


def test_train_then_nothing_to_do(run, data, tmp_path):
    arguments = ("--scale", 3, "--stage", "train", "--data-dir", data, "--out", tmp_path / "out", "--workers", 2)
    status, out, err = run(*arguments, SHARD_MB=1.1)
    assert (status, err) == (0, "")
    # 100x130 at x3 is 33x43 LR pixels: 2x2 patches of 15 from each of 16 unscaled variants, and more
    assert "x3 train: LR 15x15, HR 43x43, LR stride 15, seed 0" in out
    assert "images 2  variants 80  pairs 208, 192 in whole batches of 64  shards 3" in out
    assert "peak memory" in out
    assert check_database(tmp_path / "out/x3/train.txt", 3, "train").pairs == 192
    status, out, _ = run(*arguments, SHARD_MB=1.1)
    assert status == 0
    assert "made from these images in this way already; --force builds it again" in out


def test_default_folders_and_pretrain(run, data):
    status, _, err = run("--scale", 4, "--stage", "pretrain", DATA=data)
    assert (status, err) == (0, "")
    assert check_database(data / "hdf5/x4/train.txt", 4, "pretrain").sides["data"] == 11


def test_dry_run_writes_nothing(run, data, tmp_path):
    status, out, _ = run("--scale", 2, "--stage", "val", "--data-dir", data, "--dry-run", "--out", tmp_path / "o")
    assert status == 0
    # 100x130 at x2 is 50x65 LR pixels: 3x4 patches of 16, two images
    assert "images 2  variants 2  pairs 24, 24 in whole batches of 2" in out
    assert not (tmp_path / "o").exists()


def test_stride(run, data, tmp_path):
    arguments = ["--scale", 2, "--stage", "finetune", "--data-dir", data, "--out", tmp_path, "--stride", 5]
    assert run(*arguments)[0] == 0
    assert check_database(tmp_path / "x2/finetune.txt", 2, "finetune").attributes["lr_stride"] == 5


def test_a_sample_of_the_pairs(run, data, tmp_path):
    report = tmp_path / "counts.json"
    arguments = ["--scale", 3, "--stage", "train", "--data-dir", data, "--out", tmp_path / "out"]
    status, out, err = run(*arguments, "--max-pairs", 100, "--report", report)
    assert (status, err) == (0, "")
    assert "images 2  variants 80  pairs 208, 64 drawn, in whole batches of 64  shards 1" in out
    assert check_database(tmp_path / "out/x3/train.txt", 3, "train").pairs == 64
    (row,) = json.loads(report.read_text())
    assert (row["pairs_before_truncation"], row["pairs"]) == (208, 64) and "--max-pairs 64" in row["command"]
    # as many as there are: the whole database
    assert "pairs 208, 192 in whole batches" in run(*arguments, "--max-pairs", 208)[1]
    status, _, err = run(*arguments, "--max-pairs", 63)
    assert (status, err) == (2, "prepare_data.py: max-pairs 63: expected at least one batch of 64\n")
    assert run(*arguments, "--max-pairs", 0)[0] == 2


def test_two_machines_cut_one_database(run, data, tmp_path):
    arguments = ["--scale", 3, "--stage", "train", "--data-dir", data, "--workers", 1, "--out"]
    for number in (2, 1):
        status, out, err = run(*arguments, tmp_path / "parts", "--shard", f"{number}/2")
        assert (status, err) == (0, "") and "images 1  pairs 9" in out or "images 1  pairs 10" in out
        assert f"part {tmp_path}/parts/x3/train.parts/{number}_of_2.h5" in out
    assert "cut from these images in this way already" in run(*arguments, tmp_path / "parts", "--shard", "1/2")[1]
    for name in ("parts", "one"):
        assert run(*arguments, tmp_path / name)[0] == 0
    one, parts = (tmp_path / name / "x3/train/00000.h5" for name in ("one", "parts"))
    assert one.read_bytes() == parts.read_bytes() and not (tmp_path / "parts/x3/train.parts").exists()


@pytest.mark.parametrize("share", ["0/2", "3/2", "1", "1/0", "a/b", "-1/2", "1/10000000"])
def test_a_shard_out_of_range_is_one_line(run, data, share):
    status, _, err = run("--scale", 3, "--stage", "train", "--data-dir", data, f"--shard={share}")
    assert status == 2 and err.count("\n") == 1
    assert f"argument --shard: got {share}, expected I/N, such as 2/8, with I from 1 to N" in err


def test_warnings_do_not_stop_it(run, data, tmp_path):
    cv2.imwrite(str(data / "291/gray.png"), np.zeros((100, 100), np.uint8))
    status, out, err = run("--scale", 3, "--stage", "train", "--data-dir", data, "--out", tmp_path / "out")
    assert (status, "images 2 " in out) == (0, True)
    assert err == "warning: 1 file gray (one channel), skipped as the authors do: gray.png\n"


def test_report(run, data, tmp_path):
    report = tmp_path / "counts.json"
    for stage in ("val", "train", "val"):
        arguments = ["--scale", 3, "--stage", stage, "--data-dir", data, "--out", tmp_path / "out", "--force"]
        assert run(*arguments, "--report", report)[0] == 0
    rows = json.loads(report.read_text())
    assert [(row["stage"], row["pairs"]) for row in rows] == [("train", 192), ("val", 18)]
    assert str(tmp_path) not in report.read_text()
    assert "| 3 | train | 2 | 80 | 15/43 | 15 | 208 | 192 | 1 |" in report.with_suffix(".md").read_text()


def truncate_one(data):
    path = data / "291/1.png"
    path.write_bytes(path.read_bytes()[:-50])


def empty(data):
    for path in (data / "291").iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (None, ["--scale", 5], "argument --scale: invalid choice: 5"),
        (None, ["--stage", "test"], "argument --stage: invalid choice: 'test'"),
        (None, ["--data-dir", "/nowhere"], "/nowhere/291: no such folder of images; run `make fetch`"),
        (None, ["--set", "Set6"], "Set6: no such folder of images"),
        (None, ["--shard-mb", 0], "shard size 0 MB: expected more than 0, at most 18225"),
        (None, ["--shard-mb", "inf"], "shard size inf MB: expected more than 0, at most 18225"),
        (None, ["--shard-mb", "nan"], "shard size nan MB: expected more than 0"),
        (None, ["--shard-mb", 18226], "18226 MB: expected more than 0, at most 18225 (2^31-1 values a blob)"),
        (None, ["--stride", 2**31], "stride 2147483648: expected 1 or more LR pixels, at most 2147483647"),
        (None, ["--seed", 2**64], "seed 18446744073709551616: expected 0 to 4294967295"),
        (None, ["--workers", 10**9], "workers 1000000000: expected 1 or more, at most 1024"),
        (None, ["--out", "two\nlines"], "has a line break; choose another --out"),
        (None, ["--stride", 0], "stride 0: expected 1 or more LR pixels"),
        (None, ["--seed", -1], "seed -1: expected 0 to 4294967295"),
        (None, ["--workers", 0], "workers 0: expected 1 or more"),
        (None, ["--out", "/dev/null/out"], "cannot be made (Not a directory); choose another --out"),
        (empty, [], "291: no images, expected .bmp, .jpg, .png or alike, found nothing; run `make fetch`"),
        (truncate_one, [], "291/1.png: truncated or damaged image"),
    ],
)
def test_mistakes_are_one_line(run, data, tmp_path, change, arguments, message):
    if change:
        change(data)
    fixed = ["--scale", 3, "--stage", "train", "--data-dir", data, "--out", tmp_path / "out"]
    status, _, err = run(*fixed, *arguments)
    assert status == 2
    assert err.startswith("prepare_data.py: ")
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists() or not any(path.is_file() for path in (tmp_path / "out").rglob("*"))


def test_shard_mb_that_is_no_number(run, data):
    status, _, err = run("--scale", 3, "--stage", "train", "--data-dir", data, SHARD_MB="half")
    assert (status, err.strip()) == (2, "prepare_data.py: SHARD_MB=half: expected a number of megabytes, such as 500")


def test_skip_bad(run, data, tmp_path):
    truncate_one(data)
    arguments = ["--scale", 3, "--stage", "train", "--data-dir", data, "--out", tmp_path / "out", "--skip-bad"]
    status, out, err = run(*arguments)
    assert (status, "images 1 " in out) == (0, True)
    assert err == "warning: 1 file unreadable, left out (--skip-bad): 1.png\n"


def test_reference_validation_set(run, shared, tmp_path):
    # 535, 462, 253 before truncation: run of the release's script; test_iter 267, 231, 126 at batch 2
    for scale, pairs in ((2, 534), (3, 462), (4, 252)):
        arguments = ["--scale", scale, "--stage", "val", "--data-dir", shared / "data", "--out", tmp_path]
        assert run(*arguments)[0] == 0
        assert check_database(tmp_path / f"x{scale}/val.txt", scale, "val").pairs == pairs


def test_names_that_are_not_utf8_and_blanks(run, data, tmp_path):
    odd = tmp_path / os.fsdecode(b"caf\xe9 out")
    shutil.copytree(data, odd / "data")
    status, out, err = run("--scale", 3, "--stage", "val", "--data-dir", odd / "data", "--out", odd)
    assert (status, err.count("\n")) == (0, 1)
    assert "Caffe itself splits the list at blanks, so that only tools/train.py of this project reads it" in err
    assert check_database(odd / "x3" / "val.txt", 3, "val").pairs == 18


def test_a_symlink_to_a_folder_with_a_blank(run, data, tmp_path):
    (tmp_path / "a blank").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a blank")
    arguments = ("--scale", 3, "--stage", "val", "--data-dir", data, "--out", tmp_path / "link")
    status, _, err = run(*arguments)
    assert (status, err) == (0, "")
    assert (tmp_path / "link" / "x3" / "val.txt").read_text() == f"{tmp_path}/link/x3/val/00000.h5\n"


def test_what_killed_runs_left_is_cleaned_at_the_next_start(run, data, tmp_path):
    """Of other stages and scales as well; what a run at work holds stays."""
    for name in ("x3/.train.partial", "x2/.finetune.partial", "x4/.train.partial"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "00000.h5").write_bytes(b"half")
    (tmp_path / "x3" / ".val.999999999.part.txt").write_text("half")
    with build._claim(tmp_path / "x4" / "train"):
        (tmp_path / "x4/.train.partial/00000.h5").write_bytes(b"at work")
        assert run("--scale", 3, "--stage", "val", "--data-dir", data, "--out", tmp_path)[0] == 0
        assert (tmp_path / "x4/.train.partial/00000.h5").exists()
    assert [path for path in tmp_path.rglob(".*") if path.name != ".pytest"] == []


@pytest.mark.parametrize(
    ("arguments", "said", "folder"),
    [
        (["fsrcnn", "--scale", 3], "FSRCNN x3 train: data 11x11, label 19x19, stride 4, seed 0", "fsrcnn_x3"),
        (["VDSR"], "VDSR x2+x3+x4 train: data 41x41, label 41x41, stride 41, seed 0", "vdsr"),
        (["LapSRN", "--scale", 4, "--crops", 32], "level1_HR 128x128, 32 random places an image", "lapsrn_x4"),
    ],
)
def test_other_methods(run, data, tmp_path, arguments, said, folder):
    report = tmp_path / "methods.json"
    fixed = ["--stage", "train", "--data-dir", data, "--out", tmp_path / "out", "--set", "291", "--report", report]
    fixed.append("--method")
    status, out, err = run("--dry-run", *fixed, *arguments)
    assert (status, err, said in out, (tmp_path / "out").exists()) == (0, "", True, False)
    (counted,) = json.loads(report.read_text())
    assert counted["seconds"] is None and counted["command"].endswith("--dry-run")
    assert run(*fixed, *arguments)[0] == 0
    (made,) = json.loads(report.read_text())
    assert made["pairs"] == counted["pairs"] > 0 and made["seconds"] is not None
    assert (tmp_path / "out" / folder / "train" / "00000.h5").is_file()
    assert "## Other methods" in report.with_suffix(".md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "SRGAN", "--scale", 3], "method 'SRGAN': has no training data, expected IDN, SRCNN-9-1-5"),
        (["--method", "ESPCN"], "ESPCN: scale None: expected 2, 3 or 4"),
        (["--method", "LapSRN", "--scale", 3], "LapSRN: has no recipe for x3"),
        (["--method", "VDSR", "--stage", "finetune"], "VDSR: stage 'finetune': has train, val"),
        ([], "scale: IDN has a database for each factor; give --scale 2, 3 or 4"),
        (["--scale", 3, "--crops", 5], "crops: IDN's patches lie at regular places"),
    ],
)
def test_mistakes_about_methods(run, data, arguments, message):
    status, _, err = run("--stage", "train", "--data-dir", data, "--dry-run", *arguments)
    assert (status, message in err, err.count("\n")) == (2, True, 1)
