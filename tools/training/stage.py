"""Train one stage of IDN with Caffe's solver: resume, step, validate, snapshot, finish.

The solver is Caffe's own; Python only turns the crank one iteration at a time, so that it can log, validate by
the benchmark's protocol, snapshot whole files and stop cleanly between two iterations.
"""

import math
import os
import signal
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np

from data_prep.errors import DataError
from data_prep.files import write_text
from data_prep.held import Held
from prototxt import builders, emit, idn, solver
from prototxt.engine import caffe
from tools.common.errors import UserError
from tools.gpu.device import CPU
from tools.methods import evaluation
from tools.nets import caffe_files, runtime
from tools.training import parallel, snapshots, stepping

# Caffe's whole numbers end here
LARGEST = 2**31 - 1
# Caffe refuses test_interval 0; this one it never reaches, because validation is ours
_NEVER = LARGEST
# a net that answers with a thousand times the range of its images (0 to 1) has learned nothing that is of use
_WILD = 1000


class Interrupted(Exception):
    """Ctrl-C or SIGTERM, after the snapshot was written; the text says where."""


@dataclass(frozen=True)
class Settings:
    """What decides a stage's result; written to the run's folder, and compared when it is resumed.

    Attributes
    ----------
    scale : int
    stage : str
        pretrain, train or finetune.
    iterations : int
        Length of the stage.
    stepsize : int
        Iterations after which the learning rate falls to a tenth.
    beta1, base_lr : float
        Of Adam.
    batch : int
        Training pairs in an iteration.
    seed : int
        Of the fillers.
    """

    scale: int
    stage: str
    iterations: int
    stepsize: int
    beta1: float
    base_lr: float
    batch: int
    seed: int


@dataclass(frozen=True)
class Rhythm:
    """Iterations between log lines, validations and snapshots; does not change the result."""

    display: int
    test: int
    snapshot: int


@dataclass(frozen=True)
class Source:
    """A checked HDF5 database.

    Attributes
    ----------
    list_path : Path
        The list that Caffe's `source` names.
    shards : list of Path
        The files that it lists.
    pairs : int
    largest_bytes : int
        Of the largest shard, which Caffe holds in memory.
    made_of : dict
        What decides the pairs and their order.
    """

    list_path: Path
    shards: list
    pairs: int
    largest_bytes: int
    made_of: dict

    def name_for_caffe(self, names):
        """The list's own name (str) where Caffe reads it as we do; else that of one in memory.

        `names` is a caffe_files.Names. Caffe splits the list at blanks, and its prototxt holds UTF-8 alone.
        """
        as_caffe_reads = [os.fsdecode(name) for name in self.list_path.read_bytes().split()]
        if caffe_files.is_plain(self.list_path.absolute()) and as_caffe_reads == list(map(str, self.shards)):
            return str(self.list_path.absolute())
        return names.of_content("".join(f"{names.of(path)}\n" for path in self.shards).encode("utf-8"))


class Stage:
    """One stage of a run in its folder.

    Parameters
    ----------
    settings : Settings
    rhythm : Rhythm
    folder : Path
        Of this stage: nets, solver, snapshots, and final.caffemodel when it is finished.
    train, val : Source
        Checked databases of this stage.
    samples : list of evaluation.Sample
        Validation images.
    log : learning_log.Log
    device : tools.gpu.device.Device
        The CPU, one GPU or several.
    graphs : bool
        Use CUDA graphs where they can be used, see tools/training/stepping.py.
    """

    def __init__(self, settings, rhythm, folder, train, val, samples, log, device=CPU, graphs=True):
        self.settings, self.rhythm, self.folder = settings, rhythm, Path(folder)
        self.train, self.val, self.samples, self.log = train, val, samples, log
        self.device, self.graphs = device, graphs

    @property
    def final(self):
        """The finished stage's weights (Path); it exists only when the stage is finished."""
        return self.folder / "final.caffemodel"

    def run(self, weights, say=print):
        """Train to the end and write `final`.

        Parameters
        ----------
        weights : Path or None
            Where a fresh stage starts; None: random weights.
        say : callable (str)
            Takes the lines for the user.

        Raises
        ------
        Interrupted
            Ctrl-C or SIGTERM; a snapshot was written.
        UserError
            The weights do not fit, or the loss is no longer finite.
        """
        shards = [*self.train.shards, *self.val.shards]
        with caffe_files.Names() as names, Held(shards) as self.held:
            try:
                self._run(names, weights, say)
            finally:
                snapshots.sweep(self.folder)

    def _run(self, names, weights, say):
        self.solver = self._make_solver(names)
        self.test_net = self.solver.test_nets[0]
        self.test_net.share_with(self.solver.net)
        self.deploy = runtime.build_net(idn.idn(self.settings.scale, "deploy"))
        self.deploy.share_with(self.solver.net)
        state = self._start(weights, say)
        with self._company(state, names), _stop_requests() as stop:
            self._loop(stop, say)
        last = snapshots.model_path(self.folder, self.settings.iterations)
        caffe_files.write_whole(self.final, last.read_bytes())
        if stop.requested:  # in the very last iteration: the next stage must not begin
            raise Interrupted(f"{self.settings.stage}: finished, and stopped as asked")

    @contextmanager
    def _company(self, state, names):
        """The other ranks, while a stage runs on several GPUs."""
        gpus, done = self.device.gpus, self.solver.iter
        if len(gpus) < 2:
            yield
            return
        uid = caffe.NCCL.new_uid()
        solver_path = self.folder / "solver.prototxt"
        with parallel.workers(gpus, solver_path, uid, done, self.settings.iterations, state, names.descriptors):
            nccl = parallel.connect(self.solver, uid)
            yield
            del nccl

    def _make_solver(self, names):
        s, ranks = self.settings, max(1, len(self.device.gpus))
        parallel.join(0, ranks)
        self.folder.mkdir(parents=True, exist_ok=True)
        net_path, solver_path = self.folder / "net.prototxt", self.folder / "solver.prototxt"
        net = idn.idn(
            s.scale,
            solver.PHASE_OF_STAGE[s.stage],
            source=self.train.name_for_caffe(names),
            test_source=self.val.name_for_caffe(names),
            batch=s.batch // ranks,
        )
        write_text(net_path, emit.text(net, "tools/train.py"))
        message = solver.stage_solver(
            s.scale,
            s.stage,
            beta1=s.beta1,
            iterations=s.iterations,
            base_lr=s.base_lr,
            stepsize=s.stepsize,
            net=names.of(net_path),
            snapshot_prefix=f"{names.of(snapshots.part_folder(self.folder))}/{snapshots.NAME}",
            snapshot=0,
            test_interval=_NEVER,
            display=0,
            seed=s.seed,
        )
        message.test_initialization = False
        if ranks > 1:
            message.layer_wise_reduce = False  # one exchange of all gradients: they are few
        write_text(solver_path, emit.text(message, "tools/train.py"))
        return caffe.get_solver(caffe_files.caffe_name(solver_path))

    def _start(self, weights, say):
        """Bring the solver to where the stage stands; gives the .solverstate (Path) it resumes from, or None."""
        shapes = runtime.param_shapes(self.solver.net)
        newest = snapshots.newest_whole(self.folder, shapes)
        if newest:
            path, iteration = newest
            snapshots.restore(self.solver, path)
            self._skip_seen_pairs(iteration)
            self.log.forget_after(self.settings.stage, iteration)
            say(f"{self.settings.stage}: resuming from {path.name}")
            return path
        if weights is not None:
            runtime.load_weights(self.solver.net, weights)
            self.log.forget_after(self.settings.stage, -1)
            say(f"{self.settings.stage}: starting from {weights}")
        else:
            self.log.forget_after(self.settings.stage, -1)
            say(f"{self.settings.stage}: starting from random weights, seed {self.settings.seed}")
        return None

    def _skip_seen_pairs(self, iteration):
        """Turn the data layer on to where it was: Caffe's snapshots do not keep its place in the database."""
        for _ in range(iteration % (self.train.pairs // math.gcd(self.train.pairs, self.settings.batch))):
            self.solver.net.forward(end="data")

    def _loop(self, stop, say):
        s, rhythm = self.settings, self.rhythm
        crank = stepping.stepper(self.solver, self.device, self.graphs)
        clock = _Clock()
        losses, rate = [], self.solver.lr
        saved = None
        while self.solver.iter < s.iterations:
            self._check_shards()
            rate = self.solver.lr
            with clock.of(self._until_event(crank.chunk)) as count:
                losses += self._steps(crank, count)
            iteration, last = self.solver.iter, self.solver.iter == s.iterations
            if not np.isfinite(losses).all():
                raise self._diverged(f"the loss is {next(x for x in losses if not math.isfinite(x))}")
            validated = last or iteration % rhythm.test == 0
            stopping = stop.requested  # asked once: a signal that comes later waits for the next round
            keep = last or stopping or iteration % rhythm.snapshot == 0
            if validated or keep:
                self._check_weights()
            if validated or iteration % rhythm.display == 0:
                row = self._row(iteration, losses, rate, clock, validated)
                say(self._line(row, clock))
                losses = []
            if keep:
                saved = self._save()
            if stopping and not last:
                raise Interrupted(f"{s.stage}: stopped at iteration {iteration}, snapshot {saved.name} is written")

    def _check_shards(self):
        """Raise UserError when Caffe would open a shard that is gone or another by now; a snapshot is kept.

        It reads a database of one shard only once.
        """
        opened_again = [source.shards for source in (self.train, self.val) if len(source.shards) > 1]
        try:
            self.held.check(path for shards in opened_again for path in shards)
        except DataError as error:
            if self.solver.iter:
                self._check_weights()
                self._save()
            raise UserError(
                f"{error}; put the database back and run the same command to go on from iteration {self.solver.iter}"
            ) from None

    def _save(self):
        """Write a snapshot; gives its .caffemodel (Path). Raises UserError when the weights are not finite."""
        try:
            return snapshots.save(self.solver, self.folder)
        except snapshots.NotFinite as error:
            raise self._diverged(str(error)) from None

    def _check_weights(self):
        """Raise UserError when the weights are of no use, which the loss, taken before their update, need not show."""
        sample = min(self.samples, key=lambda sample: sample.lr.size)
        with np.errstate(all="ignore"):
            largest = np.abs(evaluation.super_resolve(self.deploy, sample)).max()
        if not largest <= _WILD:  # or not a number
            raise self._diverged(f"the net gives values up to {largest:.2g} (not about 1) for {sample.name}")

    def _diverged(self, what):
        s = self.settings
        kept = snapshots.newest_whole(self.folder, runtime.param_shapes(self.solver.net))
        found = f"the snapshot of iteration {kept[1]} is kept" if kept else "there is no snapshot"
        return UserError(
            f"{s.stage}: {what} at iteration {self.solver.iter}, the training has diverged ({found}); lower the "
            "learning rate (--lr), or see whether the data are whole"
        )

    def _until_event(self, at_most):
        """Iterations (int) until something is to be done between two of them, `at_most` that many."""
        done, rhythm = self.solver.iter, self.rhythm
        every = (rhythm.display, rhythm.test, rhythm.snapshot, self.settings.stepsize)
        return min(at_most, self.settings.iterations - done, *(n - done % n for n in every))

    def _steps(self, crank, count):
        try:
            return crank.step(count)
        except MemoryError as error:
            s, said = self.settings, str(error) or "not enough memory"
            raise UserError(
                f"{s.stage}: {said}; batch {s.batch} of {s.stage} at x{s.scale} does not fit: give a smaller --batch, "
                "or see what else takes memory (on a GPU, nvidia-smi says it)"
            ) from None

    def _row(self, iteration, losses, rate, clock, validated):
        row = dict(
            stage=self.settings.stage,
            iteration=iteration,
            loss=float(np.mean(losses)),
            learning_rate=rate,
            iterations_per_second=clock.rate(),
        )
        if validated:
            row["test_loss"] = self._test_loss()
            row["psnr"] = evaluation.validation_psnr(self.deploy, self.samples)
            if not math.isfinite(row["test_loss"]) or math.isnan(row["psnr"]):
                raise self._diverged(f"the validation gives a loss of {row['test_loss']} and PSNR of {row['psnr']}")
        self.log.add(row)
        return row

    def _test_loss(self):
        """Mean loss over the whole validation database, as Caffe's own testing computes it."""
        batches = self.val.pairs // builders.TEST_BATCH
        return sum(float(self.test_net.forward()["loss"]) for _ in range(batches)) / batches

    def _line(self, row, clock):
        s = self.settings
        left = (s.iterations - row["iteration"]) / clock.rate()
        text = (
            f"{s.stage} {row['iteration']}/{s.iterations}  loss {row['loss']:.4f}  lr {row['learning_rate']:.0e}  "
            f"{clock.rate():.2f} it/s  ETA {_duration(left)}"
        )
        if "psnr" in row:
            text += f"  test loss {row['test_loss']:.4f}  PSNR {decibels(row['psnr'])}"
        return text


def decibels(psnr):
    """A PSNR (float) as text for the user; an image that comes out without error makes the mean infinite."""
    return f"{psnr:.3f} dB" if math.isfinite(psnr) else "infinite (an image comes out without any error)"


class _Clock:
    """Time spent in iterations alone, so that validation does not count in iterations/s."""

    def __init__(self):
        self.count, self.seconds = 0, 0.0

    @contextmanager
    def of(self, count):
        """Measure `count` (int) iterations, which it hands on."""
        began = time.perf_counter()
        yield count
        self.seconds += time.perf_counter() - began
        self.count += count

    def rate(self):
        return self.count / self.seconds


class _Stop:
    requested = False


@contextmanager
def _stop_requests():
    """Turn the first Ctrl-C or SIGTERM into a flag that is read between iterations; the second one ends at once."""
    stop = _Stop()

    def ask(number, frame):
        if stop.requested:
            raise KeyboardInterrupt
        stop.requested = True

    kept = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def _duration(seconds):
    """Seconds as "1 d 02:03:04"."""
    days, rest = divmod(int(seconds), 86400)
    hours, rest = divmod(rest, 3600)
    text = f"{hours:02d}:{rest // 60:02d}:{rest % 60:02d}"
    return f"{days} d {text}" if days else text


def default_rhythm(iterations, snapshot: Optional[int] = None, test: Optional[int] = None):
    """Rhythm of a stage: the release's 20,000 and 5,000, or a tenth of a shorter stage."""
    tenth = max(1, iterations // 10)
    return Rhythm(
        display=max(1, min(100, iterations // 50)),
        test=test or min(5_000, tenth),
        snapshot=snapshot or min(20_000, tenth),
    )
