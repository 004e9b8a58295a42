"""A run through all stages: in order, resumed, interrupted, on full disks, under any name."""

import json
import os
import shutil
import signal
import subprocess
import weakref

import pytest

from data_prep import shard_list
from data_prep.digests import file_sha256
from prototxt.idn import idn
from prototxt.solver import STAGES
from tools import train
from tools.nets import caffemodels, runtime
from tools.training import snapshots
from tools.training.log import read
from tools.training.stage import Stage

ODD = os.fsdecode(b"caf\xe9 \xff \xd0\xb2")  # Latin-1 and a blank: not UTF-8


def test_stages_start_from_each_other_and_the_result_is_the_last(training, finished):
    settings = {s: json.loads((finished / s / "settings.json").read_text()) for s in STAGES}
    assert {s: settings[s]["iterations"] for s in STAGES} == {"pretrain": 5, "train": 37, "finetune": 1}
    assert settings["pretrain"]["start"] == "random"
    assert settings["train"]["start"] == file_sha256(finished / "pretrain" / "final.caffemodel")
    assert settings["finetune"]["start"] == file_sha256(finished / "train" / "final.caffemodel")
    assert settings["finetune"]["base_lr"] == pytest.approx(settings["train"]["base_lr"] / 10)
    training.assert_same_weights(finished / "idn" / "IDN_x3.caffemodel", finished / "finetune" / "final.caffemodel")


def test_a_finished_run_is_not_run_again(training, finished, capsys):
    files = sorted(p for p in finished.rglob("*.caffemodel") if p.parent.name != "idn")
    before = [p.stat().st_mtime_ns for p in files]
    summary = (finished / "summary.json").read_bytes()
    assert training.run(finished, "--iters", "43") == 0
    assert capsys.readouterr().out.count("finished before") == 3
    assert (finished / "summary.json").read_bytes() == summary
    assert [p.stat().st_mtime_ns for p in files] == before


def test_a_stop_in_the_last_iteration_begins_no_other_stage(training, tmp_path, monkeypatch, capsys):
    """The signal arrives while the last snapshot of the first stage is written."""
    save = snapshots.save

    def interrupted_save(solver, folder, *kind):
        if solver.iter == 1 and folder.name == "pretrain":
            os.kill(os.getpid(), signal.SIGINT)
        return save(solver, folder, *kind)

    monkeypatch.setattr(snapshots, "save", interrupted_save)
    argv = training.arguments(tmp_path, "--iters", "8")
    assert train.main(argv) == 130
    assert "pretrain: finished, and stopped as asked; run the same command to continue" in capsys.readouterr().out
    assert (tmp_path / "pretrain" / "final.caffemodel").exists() and not (tmp_path / "train").exists()
    assert train.main(argv) == 0


@pytest.mark.parametrize("lost", [("summary.json",), ("summary.json", "idn/IDN_x3.caffemodel", "learning_curve.png")])
def test_what_a_kill_after_the_last_stage_left_out_is_made_up_for(training, finished, tmp_path, lost):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    for name in lost:
        (run / name).unlink()
    assert training.run(run, "--iters", "43") == 0
    report, whole = training.read_json(run / "summary.json"), training.read_json(finished / "summary.json")
    for name in ("psnr", "hours"):  # rounded in the log
        assert report[name] == pytest.approx(whole[name], rel=1e-4)
    assert report["stages"].keys() == whole["stages"].keys()
    assert all(report[name] == whole[name] for name in ("bicubic", "validation", "weights_sha256"))
    assert report["peak_memory_mb"] is None  # this call did not train
    assert all((run / name).is_file() for name in lost)


def test_names_do_not_matter(training, tmp_path):
    """The same weights as by plain names."""
    for name in ("plain", ODD):
        argv = training.arguments(tmp_path / name, "--stage", "pretrain", "--iters", "3")
        assert train.main(argv) == 0
    training.assert_same_weights(*(tmp_path / name / "idn" / "IDN_x3.caffemodel" for name in ("plain", ODD)))


@pytest.mark.parametrize("name", ["with a blank", ODD, "\u0432\u0435\u0441\u0430 \u65e5\u672c", "tab\tin"])
def test_any_name_of_folders_and_weights(training, finished, tmp_path, name):
    """The run is killed in the middle, so that the state is restored by such a name as well."""
    shutil.copytree(training.data, tmp_path / name / "data")
    shard_list.write_list(tmp_path / name / "data" / "hdf5" / "x3" / "finetune")
    shard_list.write_list(tmp_path / name / "data" / "hdf5" / "x3" / "val")
    shutil.copy(finished / "idn" / "IDN_x3.caffemodel", tmp_path / f"{name}.caffemodel")
    argv = type(training)(tmp_path / name / "data").arguments(
        tmp_path / name / "run", "--stage", "finetune", "--iters", "4", "--snapshot", "2",
        "--weights", str(tmp_path / f"{name}.caffemodel"),
    )  # fmt: skip
    process = training.process(argv)
    assert (process.communicate()[1], process.returncode) == ("", 0)
    run = tmp_path / name / "run"
    shutil.copy(run / "finetune" / "final.caffemodel", tmp_path / "whole.caffemodel")
    for left in ("final.caffemodel", "idn_iter_4.caffemodel", "idn_iter_4.solverstate"):
        (run / "finetune" / left).unlink()
    assert train.main(argv) == 0
    training.assert_same_weights(run / "finetune" / "final.caffemodel", tmp_path / "whole.caffemodel")
    assert training.read_json(run / "summary.json")["psnr"] > 0


def test_a_gpu_that_is_not_there_is_an_error(training, tmp_path):
    error = training.refusal(tmp_path, "--gpu", "0")
    assert "train.py: gpu 0: " in error and "leave GPU empty to run on the CPU" in error
    assert "gpu 'first'" not in training.refusal(tmp_path, "--gpu", "0")
    assert "got 'first', expected the number" in training.refusal(tmp_path, "--gpu", "first")
    assert not list(tmp_path.iterdir())


def test_too_few_iterations_and_a_mistake_are_one_line(training, tmp_path):
    assert "iters" in training.refusal(tmp_path, "--iters", "2")
    assert "--lr" in training.refusal(tmp_path, "--lr", "nan")


def test_logged_psnr_is_the_benchmark_tools(training, finished, tmp_path):
    from tools import benchmark

    rows = [r for r in read(finished / "log.csv") if r["stage"] == "finetune"]
    argv = ["--tables", "2", "--datasets", "Set5", "--scales", "3", "--methods", "IDN", "--data-dir", training.data,
            "--weights-dir", finished, "--out", tmp_path, "--repeats", "0"]  # fmt: skip
    assert benchmark.main([str(a) for a in argv]) == 0
    (row,) = json.loads((tmp_path / "benchmark.json").read_text())["rows"]
    assert rows[-1]["psnr"] == pytest.approx(row["psnr"], abs=1e-3)


@pytest.mark.parametrize("megabytes", [0.0001, 0.005, 1, 3])
def test_a_disk_that_takes_no_more(training, tmp_path, megabytes):
    """Settings and nets, the log, a snapshot's weights, its state: each ends the run by one line with its name."""
    argv = training.arguments(tmp_path, "--stage", "pretrain", "--iters", "2", "--snapshot", "1")
    size = int(megabytes * 1e6)
    done = training.limited(argv, f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, -1))")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done
    assert str(tmp_path) in done.stderr and done.stderr.endswith(": File too large\n")
    assert not list(tmp_path.rglob("*.caffemodel")) and training.hidden(tmp_path) == []
    assert train.main(argv) == 0
    assert training.hidden(tmp_path) == []


@pytest.mark.parametrize("room", [100, 7000, 7600, 9900, 14200, 15500])
def test_a_full_disk(training, small_disk, room):
    """A real one of 8 MB; earlier snapshots stay, and with room again the run goes on to the same weights."""
    subprocess.run(["mount", "-o", f"remount,size={room}k", small_disk], check=True)
    argv = training.arguments(small_disk / "run", "--stage", "pretrain", "--iters", "3", "--snapshot", "1")
    done = training.limited(argv)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done
    assert str(small_disk) in done.stderr and done.stderr.endswith(": No space left on device\n")
    shapes = caffemodels.param_shapes(runtime.build_net(idn(training.scale)))
    whole = snapshots.newest_whole(small_disk / "run" / "pretrain", shapes)
    assert (whole is None) == (room < 7000) and training.hidden(small_disk) == []
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    assert train.main(argv) == 0
    assert training.hidden(small_disk) == []


def test_a_stage_s_nets_are_gone_before_the_next_begins(training, tmp_path, monkeypatch):
    """They take hundreds of megabytes; what draws the curves must not keep them."""
    alive, train_stage = [], Stage.run

    def followed(self, *args, **named):
        assert not any(stage() for stage in alive)
        alive.append(weakref.ref(self))
        return train_stage(self, *args, **named)

    monkeypatch.setattr(Stage, "run", followed)
    assert training.run(tmp_path, "--iters", "3") == 0
    assert len(alive) == 3
