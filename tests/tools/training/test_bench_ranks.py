"""tools/bench_ranks.py on the tiny databases, and one line when it cannot start."""

import json

import pytest

from tools import bench_ranks
from tools.common.errors import UserError


@pytest.fixture
def arguments(training, tmp_path):
    folders = ["--data-dir", str(training.data), "--hdf5-dir", str(training.data / "hdf5"), "--out", str(tmp_path)]
    return [*folders, "--iters", "2", "--rounds", "1"]


def test_one_and_two_processes_are_measured(arguments, tmp_path, capsys):
    assert bench_ranks.main([*arguments, "--processes"]) == 0
    report = json.loads((tmp_path / "ranks.json").read_text())
    assert [row["ranks"] for row in report["rows"]] == [1, 2]
    # the processor's time is the difference of two runs, whose noise is larger than two tiny iterations
    assert all(abs(row["cpu_seconds"]) < 60 and 0 < row["seconds"] < 60 for row in report["rows"])
    assert (tmp_path / "ranks.md").read_text() == capsys.readouterr().out


def test_no_launcher(arguments, tmp_path):
    options = bench_ranks.parser().parse_args([*arguments, "--launcher", "no_such_mpirun -n 2"])
    with pytest.raises(UserError, match="^launcher: no_such_mpirun -n 2: No such file or directory; give --launcher"):
        bench_ranks.measure(options, 2, 2, tmp_path / "run")


def test_no_database(arguments, tmp_path):
    options = bench_ranks.parser().parse_args([*arguments, "--hdf5-dir", str(tmp_path)])
    with pytest.raises(UserError, match="train.py: .*no such list of HDF5 files"):
        bench_ranks.measure(options, 1, 2, tmp_path / "run")
