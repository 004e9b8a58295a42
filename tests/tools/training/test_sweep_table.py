"""The table of a sweep's runs."""

import json

import pytest

from tools import learning_log
from tools.common.errors import UserError
from tools.training import sweep_table
from tools.training.log import COLUMNS


def make_run(folder, rows, stages, bicubic=None):
    """A run's folder: its log, the settings of its stages, and a summary when bicubic's PSNR is given."""
    folder.mkdir(parents=True)
    (folder / "log.csv").write_text("\n".join([",".join(COLUMNS), *rows]) + "\n")
    for stage, settings in stages.items():
        (folder / stage).mkdir()
        (folder / stage / "settings.json").write_text(json.dumps(settings))
    if bicubic:
        (folder / "summary.json").write_text(json.dumps({"bicubic": bicubic}))
    return folder


@pytest.fixture
def runs(tmp_path):
    """Two runs that end in 31 and 32 dB, the second one still at work, and one without a validation yet."""
    one = {"base_lr": 1e-4, "batch": 64, "net": None, "start": "random"}
    other = {"base_lr": 3e-4, "batch": 64, "net": {"blocks": 3}, "start": "random"}
    return [
        make_run(tmp_path / "new", ["train,5,9,1e-4,10,,"], {"train": one}),
        make_run(tmp_path / "low", ["pretrain,3600,5,1e-4,10,4,30", "train,3600,2,1e-4,5,1,31"],
                 {"pretrain": one, "train": {**one, "start": "1234"}}, 30.5),
        make_run(tmp_path / "high", ["train,100,3,3e-4,10,1,33", "train,7200,1.5,3e-4,10,1,32"], {"train": other}),
    ]  # fmt: skip


def test_best_run_first_with_what_differs(runs):
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in sweep_table.of(runs).splitlines()]
    assert lines[0] == sweep_table.HEAD
    assert lines[2:] == [
        ["high", "base_lr 0.0003, blocks 3", "train", "7,200", "1.5", "32.000", "-", "33.000", "0.200", "no"],
        # 3,600 iterations at 10 and 3,600 at 5 per second are 0.3 hours
        ["low", "base_lr 0.0001", "train", "3,600", "2", "31.000", "+0.500", "31.000", "0.300", "yes"],
        ["new", "base_lr 0.0001", "train", "5", "9", "-", "-", "-", "0.000", "no"],
    ]


def test_the_tool_writes_it(runs, tmp_path, capsys):
    table, curves = tmp_path / "out" / "table.md", tmp_path / "out" / "curves.png"
    assert learning_log.main([*map(str, runs), "-o", str(curves), "--table", str(table)]) == 0
    assert table.read_text() == sweep_table.of(runs) and curves.is_file()
    assert str(table) in capsys.readouterr().out


def test_a_run_that_has_not_begun_is_named(runs, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty/log.csv: no such file"):
        sweep_table.of([*runs, tmp_path / "empty"])
