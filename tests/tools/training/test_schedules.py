"""The text of --schedule, and trainings by it."""

import re

import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st

from prototxt import solver
from prototxt.engine import caffe
from tools import train
from tools.common.errors import UserError
from tools.training import schedules
from tools.training.log import read
from tools.training.plan import Plan
from tools.training.schedules import StageSchedule

TEXT = "# by hand\nfinetune: 2000 at 1e-5\n\ntrain:  52700 at 3e-4,22000 at 3e-5  # two parts\n"
READ = {"train": StageSchedule((52_700, 22_000), 3e-4, 0.1), "finetune": StageSchedule((2000,), 1e-5, 0.1)}


def plan(*argv):
    return Plan(train.parse(["--scale", "3", *argv]))


def test_a_text_and_a_file_say_the_same(tmp_path):
    (tmp_path / "s.txt").write_text(TEXT)
    assert schedules.read(str(tmp_path / "s.txt")) == READ
    assert schedules.read("train: 52700 at 3e-4, 22000 at 3e-5; finetune: 2000 at 1e-5") == READ
    assert list(READ) == list(schedules.parse(TEXT))  # in the order of training


def test_the_papers_schedule_is_the_default():
    """The same lengths, rates and falls as without --schedule."""
    for one, other in zip(plan("--schedule", schedules.PAPER).settings.values(), plan().settings.values()):
        assert (one.iterations, one.base_lr, one.all_falls) == (other.iterations, other.base_lr, other.all_falls)
    assert plan().settings["train"].all_falls == (250_000, 500_000)


def test_without_rates_they_are_those_of_lr():
    made = plan("--lr", "3e-4", "--schedule", "train: 20, 5, 5; finetune: 4").settings
    assert made["train"].base_lr == pytest.approx(3e-4) and made["finetune"].base_lr == pytest.approx(3e-5)
    assert (made["train"].falls, made["train"].factor, made["finetune"].falls) == ((20, 25), 0.1, ())


def test_one_stage_of_a_schedule():
    assert list(plan("--stage", "finetune", "--schedule", TEXT.replace("\n", ";").replace("# by hand", "")
                     .replace("# two parts", "")).settings) == ["finetune"]  # fmt: skip


@given(st.integers(4, 10**6))
def test_a_shrunk_schedule_has_all_iterations(iterations):
    made = schedules.shrunk({**READ, "pretrain": StageSchedule((7,))}, iterations)
    assert sum(s.iterations for s in made.values()) == iterations
    assert min(min(s.parts) for s in made.values()) >= 1
    if iterations > 1000:
        assert made["train"].falls[0] == pytest.approx(iterations * 52_700 / 76_707, rel=0.01)


@given(
    st.lists(st.integers(1, 10**6), min_size=1, max_size=5), st.floats(1e-6, 1e-2), st.sampled_from([0.1, 0.5, 0.3162])
)
def test_a_line_reads_as_what_it_was_written_from(parts, base_lr, factor):
    made = StageSchedule(tuple(parts), base_lr, factor)
    (again,) = schedules.parse(schedules.line("train", made.iterations, made.falls, base_lr, factor)).values()
    assert again.parts == made.parts and again.base_lr == pytest.approx(base_lr, rel=1e-11)
    assert len(parts) == 1 or again.factor == pytest.approx(factor, rel=1e-9)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no_such_file", "'no_such_file': no such file; expected one, or a text like 'train: "),
        ("trian: 5", "--schedule: 'trian: 5' names no stage; expected pretrain, train, finetune, then a colon"),
        (" : ;", "names no stage"),
        ("train: 5; train: 6", "train is there twice"),
        ("train: 0", "train: got '0', expected a number of iterations from 1 to 2147483647"),
        ("train: 5 at", "train: got '5 at', expected a number of iterations"),
        ("train: -5", "train: got '-5', expected"),
        ("train: 5,", "train: got '', expected"),
        ("train: " + "9" * 500, "expected a number of iterations"),
        ("train: 2147483647, 1", "2147483648 iterations, expected at most 2147483647"),
        ("train: 5 at nan", "got the learning rate 'nan', expected a number from 1e-30"),
        ("train: 5 at 0", "got the learning rate '0'"),
        ("train: 5, 5 at 1e-5", "give every part its rate, or only the first"),
        ("train: 5 at 1e-4, 5 at 1e-5, 5 at 5e-6", "the rate changes by 0.1 and then by 0.5; expected one factor"),
    ],
)
def test_what_is_no_schedule(text, words):
    with pytest.raises(UserError) as error:
        schedules.read(text)
    assert words in str(error.value) and "\n" not in str(error.value) and len(str(error.value)) < 250


def test_files_that_are_no_schedule(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "huge").write_bytes(b"#" * (2 << 20))
    for name, words in (("binary", "not text"), ("huge", "larger than 1 MB")):
        with pytest.raises(UserError, match=words):
            schedules.read(str(tmp_path / name))


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--schedule", "train: 5 at 1e-4", "--lr", "1e-4"], "lr: given together with a --schedule that has all rates"),
        (["--schedule", "train: 5", "--stage", "finetune"], "stage: got finetune, but --schedule only has train"),
        (["--schedule", "train: 5, 5", "--iters", "1"], "iters: got 1, expected at least 2 (one for each part"),
        (["--hours", "1", "--iters", "100"], "iters: given with --hours, which finds the iterations itself"),
        (["--schedule", "train: 30", "--average", "11"], "average: got 11, but train has 10 snapshots (30 iter"),
    ],
)
def test_options_that_contradict_each_other(argv, words):
    with pytest.raises(UserError, match=re.escape(words)):
        plan(*argv)


def test_a_training_by_a_schedule(training, tmp_path):
    """The rates are those of the text, also after a stop between them, and Caffe's solver file has them."""
    out, text = tmp_path / "run", "pretrain: 2 at 2e-4, 3 at 1e-4, 1 at 5e-5; train: 2"
    assert training.run(out, "--schedule", text, "--snapshot", "4", "--test-interval", "1") == 0
    rates = [(r["stage"], r["learning_rate"]) for r in read(out / "log.csv")]
    assert rates == [
        *[("pretrain", pytest.approx(rate)) for rate in (2e-4, 2e-4, 1e-4, 1e-4, 1e-4, 5e-5)],
        *[("train", pytest.approx(1e-4))] * 2,
    ]
    message = caffe.proto.caffe_pb2.SolverParameter()
    text_format.Parse((out / "pretrain" / "solver.prototxt").read_text(), message)
    assert (message.lr_policy, list(message.stepvalue), message.max_iter) == ("multistep", [2, 5], 6)
    assert message.gamma == pytest.approx(0.5)
    assert (out / "schedule.txt").read_text() == (
        "pretrain: 2 at 0.0002, 3 at 0.0001, 1 at 5e-05\ntrain: 2 at 0.0001\n"
    )
    summary = training.read_json(out / "summary.json")
    assert summary["schedule"] == {"what": "of --schedule", "lines": (out / "schedule.txt").read_text().splitlines()}
    assert summary["result"] == "the weights after the last iteration of train"
    assert summary["deviates_from_the_paper"] == [
        "pretrain: 6 iterations instead of 100,000",
        "pretrain: learning rate 0.0002 instead of 0.0001",
        "pretrain: learning rate times 0.5 at 2 and 5 instead of no iteration",
        "train: 2 iterations instead of 600,000",
        "train: the learning rate does not fall",
        "finetune: not part of this command",
        "batch of 4 instead of 64",
    ]
    # the same from the snapshot of iteration 4, between two falls
    whole = (out / "pretrain" / "final.caffemodel").read_bytes()
    for name in ("final.caffemodel", "idn_iter_6.caffemodel", "idn_iter_6.solverstate"):
        (out / "pretrain" / name).unlink()
    assert training.run(out, "--stage", "pretrain", "--schedule", text) == 0
    assert (out / "pretrain" / "final.caffemodel").read_bytes() == whole


def test_a_resumed_run_wants_the_same_schedule(training, tmp_path):
    assert training.run(tmp_path, "--schedule", "pretrain: 2, 1") == 0
    error = training.refusal(tmp_path, "--schedule", "pretrain: 1, 2")
    assert "was started with other settings (falls [2] then, [1] now)" in error


def test_weights_are_for_the_schedules_first_stage(training, finished, tmp_path):
    weights = finished / "idn" / "IDN_x3.caffemodel"
    text = "train: 1; finetune: 1"
    assert "pretrain/final.caffemodel does not exist" in training.refusal(tmp_path, "--schedule", text)
    assert training.run(tmp_path, "--schedule", text, "--weights", str(weights)) == 0
    summary = training.read_json(tmp_path / "summary.json")
    assert "starts from the weights IDN_x3.caffemodel instead of random ones" in summary["deviates_from_the_paper"]


def test_prototxt_of_a_rate_that_stays():
    message = solver.stage_solver(3, "train", falls=())
    assert (message.lr_policy, message.HasField("gamma")) == ("fixed", False)
