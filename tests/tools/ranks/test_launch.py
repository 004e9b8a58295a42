"""Which ranks a command line of tools/train.py has, and what is refused."""

import subprocess
import sys

import pytest

from tools import train
from tools.common.errors import UserError
from tools.gpu.driver import GpuError
from tools.ranks import launch
from tools.ranks.alone import Alone


def test_one_process_trains_alone():
    for more in ([], ["--gpu", "3"], ["--processes", "1"]):
        ranks, options = launch.ranks_of(["--scale", "3", *more], train.parse)
        assert type(ranks) is Alone and ranks.size == 1 and options().scale == 3


def test_processes_are_for_the_cpu():
    with pytest.raises(UserError, match="^processes: is for the CPU; several GPUs have a process each"):
        launch.ranks_of(["--scale", "3", "--gpu", "0,1", "--processes", "2"], train.parse)
    with pytest.raises(GpuError, match="gpu: got '0,0', expected every GPU once"):
        launch.ranks_of(["--scale", "3", "--gpu", "0,0"], train.parse)


@pytest.mark.parametrize("argv", [["--processes", "0"], ["--processes", "x"], ["--processes", "1025"]])
def test_a_number_of_processes_out_of_range(argv, capsys):
    with pytest.raises(SystemExit, match="2"):
        train.parse(["--scale", "3", *argv])
    assert capsys.readouterr().err.count("\n") == 1


def test_mpi_is_not_imported_unless_asked_for(root):
    code = (
        "import sys; from tools import train; from tools.ranks import launch; "
        "launch.ranks_of(['--scale', '3'], train.parse); import tools.training.together; "
        "print(sorted(name for name in sys.modules if 'mpi' in name.split('.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
