"""tools/bench_sharing.py on a small net, and one line where it cannot measure."""

import json

import pytest

from tools import bench_sharing
from tools.common import build
from tools.common.errors import UserError
from tools.methods.registry import METHODS

SMALL = ["--methods", "IDN", "--sizes", "32", "--rounds", "1", "--threads", "2"]
ours = pytest.mark.skipif(
    not build.deploys() or build.cpu_engine() != "onednn", reason="needs this project's Caffe with oneDNN"
)


@ours
def test_memory_and_time_are_measured(tmp_path, capsys):
    """IDN's blobs at 32x32 are 10 MB apart and 1 MB shared (caffe_build.memory.forward_bytes); nothing else differs."""
    page = bench_sharing.PAGE.read_bytes()
    assert bench_sharing.main([*SMALL, "--out", str(tmp_path)]) == 0
    report = json.loads((tmp_path / "sharing.json").read_text())
    memory, times = report["rows"]
    assert [(row["kind"], row["method"], row["scale"], row["size"]) for row in report["rows"]] == [
        ("memory", "IDN", 3, 32), ("at once", "IDN", 3, 32),
    ]  # fmt: skip
    assert 6 << 20 < memory["apart"] - memory["shared"] < 12 << 20
    assert 0 < memory["shared"] < 40 << 20
    assert all(0 < times[way] < 10 for way in ("layers", "nets"))
    assert report["meta"]["threads"] == 2 and report["meta"]["images"] == 16
    assert (tmp_path / "sharing.md").read_text() == capsys.readouterr().out
    assert bench_sharing.PAGE.read_bytes() == page


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        ("--threads", "1", "got 1, expected a whole number from 2 to 1024"),
        ("--rounds", "0", "got 0, expected a whole number from 1 to 1000"),
        ("--sizes", "7", "got 7, expected a whole number from 8 to 4096"),
        ("--methods", "Bicubic", "invalid choice: 'Bicubic'"),
    ],
)
def test_what_cannot_be_measured_is_one_line(option, value, text, capsys):
    with pytest.raises(SystemExit) as stop:
        bench_sharing.main([option, value])
    said = capsys.readouterr().err
    assert stop.value.code == 2 and text in said and said.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "found", "text"),
    [
        ("info", None, "has no caffe_build.memory; unset CAFFE_PYTHONPATH"),
        ("_has_deploy", False, "an older build without caffe_build.memory; run `make setup`"),
        ("cpu_engine", "blas", "expected the engine onednn"),
    ],
)
def test_another_caffe_is_one_line(name, found, text, tmp_path, monkeypatch):
    if build.info() is None:
        pytest.skip("a Caffe of the user's own")
    monkeypatch.setattr(build, name, lambda: found)
    with pytest.raises(UserError, match=text):
        bench_sharing.main([*SMALL, "--out", str(tmp_path)])
    assert list(tmp_path.iterdir()) == []


@ours
@pytest.mark.parametrize(("threads", "text"), [(1, "has one core"), (1024, "--threads 1024: on .* so many would wait")])
def test_a_number_of_threads_that_says_nothing(threads, text):
    args = bench_sharing.parser().parse_args(SMALL)
    args.threads = threads
    with pytest.raises(UserError, match=text):
        bench_sharing.check(args)


def test_a_process_that_ends_is_named():
    with pytest.raises(UserError, match=r"^IDN 3 16 up: its process ended \(ValueError: .*\); give smaller --sizes$"):
        bench_sharing.asked("seconds", "IDN", 3, 16, "up", threads=1)


@ours
def test_its_own_words_are_passed_on():
    with pytest.raises(UserError, match=f"^{METHODS['IDN-MSCOCO'].name}: is offered for x4 only, got x3"):
        bench_sharing.asked("memory", "IDN-MSCOCO", 3, 16, "apart", threads=1)
