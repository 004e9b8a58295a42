"""Ranks of MPI: what they tell each other, and one line where there is no MPI or another one."""

import os
import re
import subprocess
import sys

import pytest

TALK = """
import numpy as np
from tools.ranks.mpi import MpiRanks
with MpiRanks() as ranks:
    assert ranks.broadcast({"from": 0} if ranks.rank == 0 else None) == {"from": 0}
    found = ranks.gather(ranks.rank)
    assert found == (list(range(ranks.size)) if ranks.rank == 0 else None), found
    arrays = [np.random.default_rng(rank).normal(0, 1, 1001).astype(np.float32) for rank in range(ranks.size)]
    expected = arrays[0].copy()
    for array in arrays[1:]:
        expected += array
    for _ in range(2):
        mine = arrays[ranks.rank].copy()
        ranks.add_up(mine)
        assert (mine == expected).all()
    one = np.array([ranks.rank + 0.5])
    ranks.add_up(one)
    assert one[0] == sum(rank + 0.5 for rank in range(ranks.size))
    first = np.full(7, ranks.rank, np.float32)
    ranks.copy_from_first(first)
    assert (first == 0).all()
    import os
    assert ranks.local_size == ranks.size and int(os.environ["OMP_NUM_THREADS"]) >= 1
    print(ranks.name(ranks.rank), flush=True)
"""


@pytest.mark.parametrize("count", [1, 2, 3])
def test_what_ranks_tell_each_other(mpirun, root, count):
    """The sum is that in the order of the ranks, to the bit, on each of them; 1001 is no multiple of 3."""
    done = subprocess.run([*mpirun(count), sys.executable, "-c", TALK], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # mpirun may put one rank's text and another's on one line
    assert sorted(re.findall(r"rank (\d+)", done.stdout)) == [str(rank) for rank in range(count)]


def refusal(root, tmp_path, **variables):
    """The one line on stderr of a training with --mpi and without a launcher."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OMPI_", "PMI_", "SLURM_"))}
    command = [sys.executable, str(root / "tools" / "train.py"), "--scale", "3", "--hdf5-dir", str(tmp_path), "--mpi"]
    done = subprocess.run(command, env={**clean, **variables}, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    return done.stderr


def test_without_mpi4py_the_package_is_named(root, tmp_path):
    (tmp_path / "mpi4py").mkdir()
    (tmp_path / "mpi4py" / "__init__.py").write_text("raise ModuleNotFoundError('mpi4py')\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom tools.common import cli\nfrom tools import train\n"
        "cli.run(lambda: train.main(['--scale', '3', '--mpi']))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "mpi: the package mpi4py is not installed; run `.venv/bin/pip install 'mpi4py>=4.1,<5'`" in done.stderr


def test_without_an_mpi_library_packages_are_named(root, tmp_path):
    pytest.importorskip("mpi4py", reason="mpi4py is not installed; .venv/bin/pip install -e '.[mpi]' brings it")
    said = refusal(root, tmp_path, MPI4PY_LIBMPI=str(tmp_path / "libmpi.so"))
    assert said.count("\n") == 1 and "mpi: mpi4py finds no MPI (cannot load MPI library)" in said
    assert "module load openmpi" in said and "pip install mpich" in said and "apt-get install" in said


def test_all_but_the_first_are_silent(root, tmp_path):
    """As far as the launcher tells them; otherwise there would be a line for every process."""
    pytest.importorskip("mpi4py", reason="mpi4py is not installed; .venv/bin/pip install -e '.[mpi]' brings it")
    assert refusal(root, tmp_path, MPI4PY_LIBMPI=str(tmp_path / "libmpi.so"), PMI_RANK="1") == ""


def test_the_launcher_of_another_mpi(mpirun, root, tmp_path):
    """Every process would take itself for the only one, and all would train in one folder."""
    said = refusal(root, tmp_path, SLURM_STEP_NUM_TASKS="4", SLURM_PROCID="0")
    assert said.count("\n") == 1 and "mpi: 4 processes were started, but by another MPI than mpi4py uses (" in said


def test_a_wrong_option_is_one_line(mpirun, root):
    run = [*mpirun(2), str(root / "tools" / "train.py"), "--scale", "3", "--mpi", "--nonsense"]
    done = subprocess.run(run, capture_output=True, text=True)
    lines = [line for line in done.stderr.splitlines() if "train.py" in line]
    assert done.returncode and lines == ["train.py: unrecognized arguments: --nonsense; see train.py --help"]


def test_mpi_says_how_many_processes_there_are(mpirun, root):
    run = [*mpirun(1), str(root / "tools" / "train.py"), "--scale", "3", "--mpi", "--processes", "2"]
    done = subprocess.run(run, capture_output=True, text=True)
    assert "train.py: processes: MPI says how many there are; omit it with --mpi\n" in done.stderr
