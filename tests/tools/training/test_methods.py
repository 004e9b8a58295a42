"""Other networks than IDN: each by its own recipe, with all that IDN's training has."""

import json
import shutil
from dataclasses import replace

import h5py
import pytest

from data_prep import weights as data_prep_weights
from prototxt import espcn
from prototxt.recipe import Plateau
from tools import benchmark, train
from tools.methods import trained
from tools.methods.registry import METHODS
from tools.nets import caffemodels
from tools.training import plan, subject
from tools.training.log import read


def test_a_killed_run_goes_on_to_the_bit(methods, training, tmp_path):
    more = ("--iters", "40", "--snapshot", "5", "--test-interval", "40")
    assert train.main(methods.options("ESPCN", "--out", str(tmp_path / "whole"), *more)) == 0
    argv = methods.options("ESPCN", "--out", str(tmp_path / "parts"), *more)
    process = training.process(argv)
    training.wait_for(tmp_path / "parts" / "train" / "espcn_iter_10.solverstate", process)
    process.kill()
    process.communicate()
    assert train.main(argv) == 0
    training.assert_same_weights(*(tmp_path / part / "espcn/ESPCN_x3.caffemodel" for part in ("whole", "parts")))


def test_benchmark_and_upscale_find_the_result(methods, training, tmp_path, capsys):
    out = tmp_path / "run"
    assert train.main(methods.options("FSRCNN", "--out", str(out), "--iters", "6")) == 0
    assert data_prep_weights.find(out, "FSRCNN", 3) == out / "fsrcnn" / "FSRCNN_x3.caffemodel"
    argv = ["--tables", "2", "--datasets", "Set5", "--scales", "3", "--methods", "FSRCNN", "--data-dir", training.data,
            "--weights-dir", out, "--out", tmp_path / "b", "--repeats", "0"]  # fmt: skip
    assert benchmark.main([str(a) for a in argv]) == 0
    (row,) = json.loads((tmp_path / "b" / "benchmark.json").read_text())["rows"]
    assert read(out / "log.csv")[-1]["psnr"] == pytest.approx(row["psnr"], abs=1e-3)
    assert row["trained_here"] is True and "FSRCNN (trained here)" in capsys.readouterr().out
    # both know from the record where the output lies
    record = training.read_json(out / "fsrcnn" / "FSRCNN_x3.json")
    assert (record["late"], METHODS["FSRCNN"].first_late(3)) == (1, 1)


def test_every_method_can_be_trained_and_each_recipe_is_followed():
    """The solvers that the trainer makes, against the recipes; no training."""
    for method in subject.OF_METHOD:
        scale = 4 if method == "LapSRN" else 3
        options = train.parse(["--method", method, "--scale", str(scale)])
        made = plan.Plan(options)
        recipe, settings = made.subject.recipe, made.settings["train"]
        found = settings.iterations, settings.base_lr, settings.batch
        assert found == (recipe.max_iter, recipe.base_lr, recipe.batch)
        assert (settings.clip, settings.type, settings.beta1) == (recipe.clip, recipe.type, recipe.momentum)
        assert bool(settings.plateau) == bool(recipe.plateau) and bool(settings.alpha) == bool(recipe.alpha)
        if recipe.stepsize:
            assert (settings.stepsize, settings.factor) == (recipe.stepsize, recipe.gamma)


def test_iters_scales_a_recipe():
    made = plan.Plan(train.parse(["--method", "VDSR", "--scale", "3", "--iters", "8000"]))
    assert made.settings["train"].stepsize == 2000 and made.settings["train"].all_falls == (2000, 4000, 6000)
    # the rates of a recipe that follows the validation get equal parts: 1e-2, 1e-3, 1e-4
    made = plan.Plan(train.parse(["--method", "ESPCN", "--scale", "3", "--iters", "900"]))
    assert made.settings["train"].falls == pytest.approx((300, 600), abs=2) and made.settings["train"].plateau is None
    made = plan.Plan(train.parse(["--method", "ESPCN", "--scale", "3", "--iters", "900", "--lr", "1e-3"]))
    assert made.settings["train"].base_lr == pytest.approx(1e-3)
    # solvers that are stopped by hand: a shorter training has their rates down to a ten thousandth
    for method, parts, factor in (("MemNet", 5, 0.1), ("DRRN", 14, 0.5)):
        made = plan.Plan(train.parse(["--method", method, "--scale", "3", "--iters", "7000"])).settings["train"]
        assert (len(made.all_falls), made.factor) == (parts - 1, factor)
        made = plan.Plan(train.parse(["--method", method, "--scale", "3", "--hours", "1"])).settings["train"]
        assert len(made.shares) == parts
    # half the rate down to 1e-6, not below
    made = plan.Plan(train.parse(["--method", "LapSRN", "--scale", "4"]))
    pace = made.pace("train")
    assert pace.falls == (5_000, 10_000, 15_000, 20_000)


class Solver:
    """The rate of a solver, as pycaffe gives it."""

    def __init__(self):
        self.iter, self.param = 0, self

    @property
    def lr(self):
        return self.base_lr


def test_a_rate_that_has_a_least_value():
    pace = plan.Plan(train.parse(["--method", "LapSRN", "--scale", "4"])).pace("train")
    solver, rates = Solver(), []
    for solver.iter in (0, 5_000, 10_000, 15_000, 20_000, 25_000):
        pace.begin(solver)
        rates.append(solver.lr)
    assert rates == pytest.approx([1e-5, 5e-6, 2.5e-6, 1.25e-6, 1e-6, 1e-6])


def test_a_rate_that_follows_the_validation(methods, training, tmp_path, monkeypatch):
    """It falls after `patience` validations without a new best, and the stage ends when it would fall too far."""
    recipe = replace(espcn.RECIPE, epoch=2, plateau=Plateau(patience=2, least=1e-4), base_lr=1e-3, max_iter=60)
    espcn_network = replace(espcn.NETWORK, recipe=recipe)
    monkeypatch.setitem(subject.NETWORKS, "espcn", espcn_network)
    scores = iter([20, 21, 20, 21, 22, 21, 22, 23])  # best at 2, 4, 10; no better at 6, 8 and at 12, 14
    monkeypatch.setattr("tools.methods.evaluation.validation_psnr", lambda *_: float(next(scores)))
    argv = methods.options("ESPCN", "--out", str(tmp_path), "--snapshot", "4")
    assert train.main(argv) == 0
    rows = read(tmp_path / "log.csv")
    assert [row["iteration"] for row in rows if "psnr" in row] == [2, 4, 6, 8, 10, 12, 14]
    rates = {row["iteration"]: row["learning_rate"] for row in rows}
    assert (rates[8], rates[10], rates[14]) == pytest.approx((1e-3, 1e-4, 1e-4))
    assert (tmp_path / "schedule.txt").read_text() == "train: 8 at 0.001, 6 at 0.0001\n"
    assert (tmp_path / "train" / "espcn_iter_14.solverstate").is_file()
    assert training.read_json(tmp_path / "summary.json")["stages"]["train"]["iterations"] == 14


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "SRGAN"], "method 'SRGAN': cannot be trained, expected one of IDN, SRCNN-9-1-5"),
        (["--method", "LapSRN"], "LapSRN: has no recipe for x3, which its authors make of the x4 net's result"),
        (["--method", "VDSR", "--stage", "pretrain"], "stage: got pretrain, but VDSR has train"),
        (["--method", "VDSR", "--D3", "48"], "D3: of IDN's net only, not of VDSR's; omit it"),
        (["--method", "VDSR", "--theta", "0"], "argument --theta: got 0, expected a number from 1e-30"),
        (["--method", "ESPCN", "--theta", "1"], "theta: ESPCN's gradients are not clipped; omit it"),
        (["--theta", "1"], "theta: is for other methods; IDN is trained with Adam and without clipping"),
        (["--method", "ESPCN", "--schedule", "finetune: 5"], "schedule: finetune: ESPCN has train"),
        (["--method", "RED30", "--scale", "4"], "red30_x4/train.txt: no such list of HDF5 files; make it with "
                                                 "tools/prepare_data.py"),
        (["--method", "FSRCNN", "--stage", "finetune"], "fsrcnn_x3/finetune.txt: no such list of HDF5 files"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(training, tmp_path, arguments, message):
    assert message in training.refusal(tmp_path, *arguments)
    assert not list(tmp_path.iterdir())


def test_a_database_of_another_method(methods, training, tmp_path):
    methods.options("ESPCN")
    methods.options("FSRCNN")
    (tmp_path / "espcn_x3").mkdir()
    for name in ("train", "val"):
        list_file = training.data / "hdf5" / "fsrcnn_x3" / f"{name}.txt"
        (tmp_path / "espcn_x3" / f"{name}.txt").write_bytes(list_file.read_bytes())
    error = training.refusal(tmp_path / "run", "--method", "ESPCN", "--hdf5-dir", str(tmp_path))
    assert "a database for fsrcnn, expected one for ESPCN x3 train" in error


def test_a_database_whose_labels_lie_elsewhere(methods, training, tmp_path):
    """As those of earlier versions, which did not say where their labels begin."""
    methods.options("FSRCNN")
    shutil.copytree(training.data / "hdf5" / "fsrcnn_x3", tmp_path / "fsrcnn_x3")
    for stage in ("train", "val"):
        shard = tmp_path / "fsrcnn_x3" / stage / "00000.h5"
        with h5py.File(shard, "r+") as file:
            del file.attrs["late"]
        (tmp_path / "fsrcnn_x3" / f"{stage}.txt").write_text(f"{shard}\n")
    error = training.refusal(tmp_path / "run", "--method", "FSRCNN", "--hdf5-dir", str(tmp_path))
    assert "00000.h5: no attribute 'late'; make it again with tools/prepare_data.py --force" in error


def test_a_diverging_loss_names_the_iteration_and_keeps_the_snapshot(methods, training, tmp_path):
    argv = methods.options("FSRCNN", "--out", str(tmp_path / "run"), "--iters", "40", "--snapshot", "1", "--lr", "1e6")
    error = training.process(argv).communicate()[1]
    assert error.count("\n") == 1 and " at iteration " in error and "the training has diverged" in error


def test_generated_shuffle_is_off_in_training():
    """A shuffled HDF5Data layer would go on in another order after a resume."""
    made = subject._subject("VDSR", 3, None, None).train_net("train", "a.txt", "b.txt", 2)
    assert not any(layer.hdf5_data_param.shuffle for layer in made.layer)


def test_unclipped_vdsr_diverges_and_clipped_does_not(methods, training, tmp_path):
    """What the paper's clipping is for: at its rate of 0.1."""
    more = ("--iters", "12", "--test-interval", "4")
    argv = methods.options("VDSR", "--out", str(tmp_path / "bad"), "--theta", "1e9", *more)
    assert "the training has diverged" in training.process(argv).communicate()[1]
    assert train.main(methods.options("VDSR", "--out", str(tmp_path / "good"), *more)) == 0
    rows = read(tmp_path / "good" / "log.csv")
    assert rows[-1]["loss"] < 10 * rows[0]["loss"] and trained.label(tmp_path / "good/vdsr/VDSR_x3.caffemodel")
    assert caffemodels.read(tmp_path / "good/vdsr/VDSR_x3.caffemodel").name == "VDSR"
