"""Several ranks give one process's weights; a rank that dies ends the run, and the same command goes on to the bit.

Each training is a process of its own: Caffe's rank is a setting of the whole process.
"""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pytest

from tools import prepare_data, train
from tools.common import build
from tools.common.errors import UserError
from tools.gpu.device import CPU, Device
from tools.nets import caffemodels
from tools.ranks.alone import Alone
from tools.training import parallel, subject

TRAIN = [sys.executable, str(train.ROOT / "tools" / "train.py")]
SMALL = ("--blocks", "1", "--stage", "pretrain", "--iters", "20", "--snapshot", "5", "--test-interval", "10")
RESULT = "idn/IDN_x3.caffemodel"
# of the launchers: Open MPI's, MPICH's, our own
RANK_VARIABLES = (b"OMPI_COMM_WORLD_RANK", b"PMI_RANK", b"IDN_RANK")
END = "run the same command to continue from the last snapshot"


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")


def run(command):
    """What a command has printed (str), which must succeed."""
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def trained(training, tmp_path_factory):
    """Function (processes) that gives the folder of a finished run of 20 iterations by so many; each made once."""
    made = {}

    def folder(processes):
        if processes not in made:
            out = made[processes] = tmp_path_factory.mktemp("ranks") / str(processes)
            run([*TRAIN, *training.arguments(out, *SMALL, "--processes", str(processes))])
        return made[processes]

    return folder


def weights(path):
    model = caffemodels.read(path)
    return np.concatenate([np.array(blob.data) for layer in model.layer for blob in layer.blobs])


@pytest.mark.parametrize("processes", [2, 4])
def test_ranks_give_the_weights_of_one_process(trained, training, processes):
    """To within the order of summation, which Adam with beta1 = 0 magnifies where a gradient nearly cancels."""
    one, many = (weights(trained(n) / RESULT) for n in (1, processes))
    distance = np.linalg.norm(many - one) / np.linalg.norm(one)
    assert 0 < distance < 1e-4
    assert np.abs(many - one).max() < 20 * 2e-4  # no weight is further away than a few of its steps
    rows = [(trained(n) / "log.csv").read_text().splitlines() for n in (1, processes)]
    for left, right in zip(*([line.split(",") for line in lines[1:]] for lines in rows)):
        assert left[:2] == right[:2]
        assert float(left[2]) == pytest.approx(float(right[2]), rel=1e-4)  # the loss is that of all pairs
    assert len(rows[0]) == len(rows[1]) > 20
    assert training.read_json(trained(processes) / "summary.json")["processes"] == processes


# a net of two layers with one matrix, trained with momentum by as many ranks as the first argument says
TOY = """
import sys
import numpy as np
from prototxt.engine import caffe
from tools.ranks import local
from tools.ranks.alone import Alone
from tools.training import clipping, parallel
size, folder = int(sys.argv[1]), sys.argv[2]
command = [sys.executable, *sys.argv]
ranks = local.Started() if local.is_started() else local.First(size, command) if size > 1 else Alone()
with ranks:
    parallel.join(ranks)
    net = open(f"{folder}/net.prototxt").read().replace("BATCH", str(8 // size))
    open(f"{folder}/net{ranks.rank}.prototxt", "w").write(net)
    message = f'net: "{folder}/net{ranks.rank}.prototxt" base_lr: 0.05 momentum: 0.9 lr_policy: "fixed" random_seed: 4'
    open(f"{folder}/solver{ranks.rank}.prototxt", "w").write(message)
    for name, theta in (("free", 1e9), ("clipped", 0.02)):
        solver = caffe.get_solver(f"{folder}/solver{ranks.rank}.prototxt")
        with parallel.averaged(solver, ranks), clipping.clipped(solver, theta, "norm"):
            solver.step(12)
        if ranks.rank == 0:
            np.save(f"{folder}/{name}.npy", np.concatenate([b.data.ravel() for b in solver.net.params["first"]]))
"""


NET = """
layer { name: "data" type: "HDF5Data" top: "data" top: "label"
  hdf5_data_param { source: "FOLDER/list.txt" batch_size: BATCH } }
layer { name: "first" type: "InnerProduct" bottom: "data" top: "first" param { name: "w" } param { name: "b" }
  inner_product_param { num_output: 3 weight_filler { type: "gaussian" std: 0.7 } } }
layer { name: "second" type: "InnerProduct" bottom: "first" top: "second" param { name: "w" } param { name: "b" }
  inner_product_param { num_output: 3 weight_filler { type: "gaussian" std: 0.7 } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "second" bottom: "label" top: "loss" }
"""


@pytest.fixture
def toy(tmp_path, root):
    """Function (processes) that gives the weights of a small net after 12 iterations, without and with clipping."""
    random = np.random.default_rng(2)
    with h5py.File(tmp_path / "pairs.h5", "w") as file:
        # 44 pairs: the batches of 8 go round, and no rank meets the same pairs again
        file.update({name: random.normal(0, 1, (44, 3)).astype(np.float32) for name in ("data", "label")})
    (tmp_path / "list.txt").write_text(f"{tmp_path}/pairs.h5\n")
    (tmp_path / "net.prototxt").write_text(NET.replace("FOLDER", str(tmp_path)))
    (tmp_path / "toy.py").write_text(TOY)

    def weights_of(processes):
        command = [sys.executable, str(tmp_path / "toy.py"), str(processes), str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(root)})
        assert done.returncode == 0, done.stderr
        return [np.load(tmp_path / f"{name}.npy") for name in ("free", "clipped")]

    return weights_of


def test_gradients_are_those_of_the_whole_batch(toy):
    """With SGD, which magnifies nothing, only the rounding of the sums is left, whether they are clipped or not.

    Gradients that each rank had clipped for itself would make other weights, as those without clipping are.
    """
    free, clipped = toy(1)
    assert np.abs(free - clipped).max() > 0.01
    for processes in (2, 4):
        for found, expected in zip(toy(processes), (free, clipped)):
            np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("count", [2, 4])
def test_mpi_gives_the_bits_of_processes_started_here(mpirun, trained, training, tmp_path, count):
    out = run([*mpirun(count), *TRAIN, *training.arguments(tmp_path, *SMALL, "--mpi")])
    assert f"IDN x3 on {count} processes (CPU, MPI): pretrain 20 iterations" in out
    assert out.count("finished: ") == 1
    training.assert_same_weights(trained(count) / RESULT, tmp_path / RESULT)


# validates at each iteration, so that it takes long enough to be killed in between
SLOW = (*SMALL[:-2], "--test-interval", "1")


def processes_of(out):
    """Numbers of the processes of a run (dict of int to int), by rank, found by what they were started with."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            words = (entry / "cmdline").read_bytes().split(b"\0")
            variables = dict(one.partition(b"=")[::2] for one in (entry / "environ").read_bytes().split(b"\0"))
            rank = next((variables[name] for name in RANK_VARIABLES if name in variables), None)
            if os.fsencode(out) in words and rank is not None:
                found[int(rank.split()[0])] = int(entry.name)
    return found


def killed(training, out, launcher, number, rank):
    """Status and lines on stderr of a training of 2 ranks, one of which gets a signal once there is a snapshot."""
    process = subprocess.Popen(
        [*launcher, *training.arguments(out, *SLOW)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    training.wait_for(out / "pretrain" / "idn_iter_5.solverstate", process)
    os.kill(process.pid if rank is None else processes_of(out)[rank], number)
    _, err = process.communicate(timeout=60)
    return process.returncode, err.splitlines()


def goes_on(training, out, launcher, whole):
    """The same command continues from a snapshot and gives the weights of a run that was not stopped, `whole`."""
    said = run([*launcher, *training.arguments(out, *SLOW)])
    assert "pretrain: resuming from idn_iter_" in said
    training.assert_same_weights(whole / RESULT, out / RESULT)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_rank_of_mpi_ends_the_run_and_it_goes_on_to_the_bit(mpirun, trained, training, tmp_path, rank):
    launcher = [*mpirun(2), *TRAIN, "--mpi"]
    status, lines = killed(training, tmp_path, launcher, signal.SIGKILL, rank)
    ours = [line for line in lines if line.startswith("train.py: ")]
    # MPICH's mpirun kills the others at once, at times before they can say why: see docs/parallel_training.md
    least = 0 if "HYDRA" in run([*launcher[:1], "--version"]) else 1
    assert status and least <= len(ours) <= 1, lines
    assert all(line.startswith(f"train.py: rank {rank} (") and line.endswith(END) for line in ours)
    if rank:
        goes_on(training, tmp_path, launcher, trained(2))


def test_a_killed_process_ends_the_run_and_it_goes_on_to_the_bit(trained, training, tmp_path):
    launcher = [*TRAIN, "--processes", "2"]
    status, lines = killed(training, tmp_path, launcher, signal.SIGKILL, 1)
    assert (status, lines) == (2, [f"train.py: rank 1 has ended: killed by signal 9; {END}"])
    goes_on(training, tmp_path, launcher, trained(2))


def test_no_process_outlives_the_first(training, tmp_path):
    """Killed, it can tell nobody: the system does."""
    process = subprocess.Popen(
        [*TRAIN, "--processes", "3", *training.arguments(tmp_path, *SLOW, "--batch", "6")], stdout=subprocess.PIPE
    )
    training.wait_for(tmp_path / "pretrain" / "idn_iter_5.solverstate", process)
    assert sorted(processes_of(tmp_path)) == [1, 2]
    process.kill()
    process.communicate(timeout=20)  # until nobody holds the pipe
    until = time.monotonic() + 10
    while processes_of(tmp_path):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_ctrl_c_stops_all_and_another_number_of_processes_goes_on(trained, training, tmp_path):
    """One process goes on: the place in the data is counted in iterations, and sums alone are rounded otherwise."""
    assert killed(training, tmp_path, [*TRAIN, "--processes", "2"], signal.SIGINT, None) == (130, [])
    assert "pretrain: resuming from idn_iter_" in run([*TRAIN, *training.arguments(tmp_path, *SLOW)])
    one, many = weights(trained(1) / RESULT), weights(tmp_path / RESULT)
    assert np.linalg.norm(many - one) / np.linalg.norm(one) < 1e-4


@pytest.mark.parametrize(
    ("before", "behind", "said"),
    [
        ([], ["--seed", "2"], "pretrain: seed is 2, but 1"),
        (["env", "CAFFE_CPU_ENGINE=blas"], [], r"Caffe is .*, but .*\(.*, oneDNN\)"),
    ],
)
def test_ranks_with_different_options_or_engines(mpirun, training, tmp_path, before, behind, said):
    if before and build.cpu_engine() != "onednn":
        pytest.skip("this Caffe has one engine for the CPU")
    one = [*TRAIN, "--mpi", *training.arguments(tmp_path, *SMALL)]
    command = [*mpirun(1), *one, ":", "-n", "1", *before, *one, *behind]
    done = subprocess.run(command, capture_output=True, text=True)
    ours = [line for line in done.stderr.splitlines() if line.startswith("train.py: ")]
    assert done.returncode and len(ours) == 1 and not (tmp_path / "log.csv").exists()
    assert re.search(rf"rank 1 \(.*\): {said} on rank 0 \(.*\); give all ranks the same$", ours[0])


def test_ranks_with_different_databases(mpirun, training, tmp_path):
    argv = ["--scale", "3", "--stage", "train", "--data-dir", str(training.data), "--out", str(tmp_path / "other")]
    assert prepare_data.main([*argv, "--seed", "7", "--workers", "1"]) == 0
    assert prepare_data.main([*argv[:3], "val", *argv[4:], "--workers", "1"]) == 0
    one = [*TRAIN, "--mpi", *training.arguments(tmp_path / "run", *SMALL)]
    other = [*one, "--hdf5-dir", str(tmp_path / "other")]
    done = subprocess.run([*mpirun(1), *one, ":", "-n", "1", *other], capture_output=True, text=True)
    ours = [line for line in done.stderr.splitlines() if line.startswith("train.py: ")]
    assert done.returncode and len(ours) == 1 and not (tmp_path / "run" / "log.csv").exists()
    assert re.search(r"rank 1 .*: the database train is .* seed 7.* on rank 0", ours[0])


# tools/train.py on a machine that rounds otherwise
DRIFTING = """
import sys
from tools import train
from tools.common import cli
from tools.training import stepping
step = stepping.Plain.step
def drift(self, count):
    losses = step(self, count)
    self.solver.net.params["conv1"][0].data[0, 0, 0, 0] *= 1 + 1e-6
    return losses
stepping.Plain.step = drift
cli.run(train.main)
"""


def test_ranks_that_drift_apart(mpirun, training, tmp_path, root, monkeypatch):
    monkeypatch.chdir(root)
    argv = ["--mpi", *training.arguments(tmp_path, *SMALL)]
    command = [*mpirun(1), *TRAIN, *argv, ":", "-n", "1", sys.executable, "-c", DRIFTING, *argv]
    done = subprocess.run(command, capture_output=True, text=True)
    ours = [line for line in done.stderr.splitlines() if line.startswith("train.py: ")]
    assert done.returncode and len(ours) == 1, done.stderr
    assert ours[0].startswith("train.py: pretrain: at iteration 5 the weights on rank 1 (")
    assert not list(tmp_path.rglob("*.caffemodel"))


def test_what_cannot_be_shared():
    two, idn = Alone(), subject.DEFAULT
    two.size = 2
    parallel.check(idn, 64, two, CPU)
    parallel.check(idn, 63, Alone(), CPU)
    with pytest.raises(UserError, match="^batch: got 63 for 2 processes, expected a multiple of 2"):
        parallel.check(idn, 63, two, CPU)
    drrn = subject.of(train.parse(["--scale", "3", "--method", "DRRN-B1U9"]))
    with pytest.raises(UserError, match="^DRRN-B1U9: BatchNorm normalises by the whole batch"):
        parallel.check(drrn, 64, two, CPU)


def test_several_gpus_need_nccl(monkeypatch):
    two = Alone()
    two.size = 2
    monkeypatch.setattr(parallel.caffe, "has_nccl", lambda: False)
    with pytest.raises(UserError, match="gpu 1: this Caffe was built without NCCL"):
        parallel.check(subject.DEFAULT, 64, two, Device((1,)))
    monkeypatch.setattr(parallel.caffe, "has_nccl", lambda: True)
    parallel.check(subject.DEFAULT, 64, two, Device((1,)))
