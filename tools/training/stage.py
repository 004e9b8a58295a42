"""Train one stage with Caffe's solver: resume, step, validate, snapshot, finish.

The solver is Caffe's own; Python only asks it for one iteration after the other, so that it can log, validate by the
benchmark's protocol, snapshot whole files and stop cleanly between two iterations.
"""

import math
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np

from data_prep.errors import DataError
from data_prep.held import Held
from prototxt.engine import caffe
from tools.common.errors import UserError
from tools.methods import evaluation
from tools.nets import caffe_files, caffemodels, runtime
from tools.ranks.alone import Alone
from tools.training import beside_caffe, caffe_solver, loss_weights, orders, parallel, progress, snapshots, stepping
from tools.training import subject as subjects
from tools.training.image_feed import closing
from tools.training.placement import Placement
from tools.training.stopping import Interrupted, stop_requests

# a net that answers with a thousand times the range of its images (0 to 1) has learned nothing that is of use
_WILD = 1000
# BatchNorm's averages, by which a net is tested, keep 0.999 of themselves in each iteration: e^-5 of their beginnings,
# when the weights changed fast, is left after so many. Through DRRN's 25 recursions the lag multiplies.
_SETTLED = 5000


class Stage:
    """One stage of a run in its folder.

    Parameters
    ----------
    settings : Settings
    pace : pace.Counted or pace.Timed
        When it validates, snapshots, lowers its rate and ends.
    folder : Path
        Of this stage: nets, solver, snapshots, and final.caffemodel when it is finished.
    train, val : Database
    samples : list of evaluation.Sample
        Validation images.
    log : Log
    placement : Placement, optional
        Default: the CPU.
    ranks : Alone, optional
        Those that share each batch; this is rank 0.
    """

    def __init__(self, settings, pace, folder, train, val, samples, log, placement=None, ranks=None):
        self.settings, self.pace, self.folder = settings, pace, Path(folder)
        self.train, self.val, self.samples, self.log = train, val, samples, log
        self.placement, self.ranks = placement or Placement(), ranks or Alone()
        self.subject = subjects.of_settings(settings)

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
        with caffe_files.Names() as names, Held(shards) as self.held, closing():
            try:
                self._run(names, weights, say)
            finally:
                snapshots.sweep(self.folder)

    def _run(self, names, weights, say):
        self.solver = caffe_solver.make(self.settings, self.folder, self.train, self.val, self.ranks, names)
        self.test_net = self.solver.test_nets[0]
        self.test_net.share_with(self.solver.net)
        self.deploy = runtime.build_net(self.subject.deploy_net())
        self.deploy.share_with(self.solver.net)
        self.kind = snapshots.kind_of(self.solver.net, self.subject.stem, self.settings.type)
        self.test_loss = loss_weights.total(self.test_net)
        self.averaged = any(layer.type == "BatchNorm" for layer in self.solver.net.layers)
        state = self._start(weights, say)
        if self._unsettled:
            say(f"{self.settings.stage}: tested by BatchNorm's averages: PSNR means little before iteration {_SETTLED}")
        beside = beside_caffe.done(self.settings, self.solver, self.subject)
        with self._with_others(state), beside, stop_requests() as stop:
            self._loop(stop, say)
        last = snapshots.model_path(self.folder, self.solver.iter, self.kind.name)
        if self.settings.iterations is None:
            caffe_solver.write_solver(self.pace.outcome(), self.folder, names)
        caffe_files.write_whole(self.final, last.read_bytes())
        if stop.requested:  # in the very last iteration: the next stage must not begin
            raise Interrupted(f"{self.settings.stage}: finished, and stopped as asked")

    @contextmanager
    def _with_others(self, state):
        """Have the other ranks, if there are any, begin the stage as well, from .solverstate `state` (Path or None)."""
        if self.ranks.size == 1:
            yield
            return
        uid = caffe.NCCL.new_uid() if self.placement.device.on_gpu else None
        content = state and state.read_bytes()
        self.ranks.broadcast(orders.Stage(self.settings.stage, self.solver.iter, content, uid))
        with parallel.averaged(self.solver, self.ranks, uid):
            yield

    def _start(self, weights, say):
        """Bring the solver to where the stage stands; gives the .solverstate (Path) it resumes from, or None."""
        shapes = caffemodels.param_shapes(self.solver.net)
        newest = snapshots.newest_whole(self.folder, shapes, self.kind)
        if newest:
            path, iteration = newest
            snapshots.restore(self.solver, path)
            self.train.pass_over(self.solver.net, self.settings.batch, iteration)
            self.log.forget_after(self.settings.stage, iteration)
            say(f"{self.settings.stage}: resuming from {path.name}")
            return path
        if weights is not None:
            caffemodels.load_weights(self.solver.net, weights)
            self.log.forget_after(self.settings.stage, -1)
            say(f"{self.settings.stage}: starting from {weights}")
        else:
            self.log.forget_after(self.settings.stage, -1)
            say(f"{self.settings.stage}: starting from random weights, seed {self.settings.seed}")
        return None

    def _loop(self, stop, say):
        """Step to the end; log, validate, snapshot and stop when it is time for it."""
        stage = self.settings.stage
        # graphs know Caffe's passes alone, and one loss
        plain = self.settings.clip or self.settings.alpha or list(self.solver.net.outputs) != ["loss"]
        graphs = self.placement.graphs and not plain
        stepper = stepping.stepper(self.solver, self.placement.device, graphs, self.ranks)
        clock, losses = progress.Clock(), []
        self.pace.begin(self.solver)
        while not self.pace.finished(self.solver.iter):
            self._check_shards()
            lowered = self.pace.lower_rate(self.solver)
            if lowered:
                say(f"{stage}: learning rate {lowered:.3g} from iteration {self.solver.iter} on")
            rate = self.solver.lr
            with clock.of(self.pace.until_event(self.solver.iter, stepper.chunk)) as count:
                losses += self._steps(stepper, count)
            iteration = self.solver.iter
            if not np.isfinite(losses).all():
                raise self._diverged(f"the loss is {next(x for x in losses if not math.isfinite(x))}")
            due = self.pace.due(iteration)
            stopping = stop.requested  # asked once: a signal that comes later waits for the next round
            keep = due.snapshot or stopping
            if due.test or keep:
                self._check_weights()
            if due.test or due.display:
                with self.pace.measured("test") if due.test else nullcontext():
                    row = self._row(iteration, losses, rate, clock, due.test)
                say(progress.line(row, self.pace.expected(iteration, row["iterations_per_second"])))
                losses = []
            if keep:
                with self.pace.measured("save"):
                    saved = self._save()
            if due.last:
                self.pace.finish(iteration)
            elif stopping:
                raise Interrupted(f"{stage}: stopped at iteration {iteration}, snapshot {saved.name} is written")

    def _check_shards(self):
        """Raise UserError when Caffe would open a shard that is gone or another by now; a snapshot is kept."""
        try:
            for database in (self.train, self.val):
                database.check_held(self.held)
        except DataError as error:
            if self.solver.iter:
                self._check_weights()
                self._save()
            raise UserError(
                f"{error}; {database.mend} and run the same command to continue from iteration {self.solver.iter}"
            ) from None

    def _save(self):
        """Write a snapshot; gives its .caffemodel (Path).

        Raises UserError when the weights are not finite, or not those of another rank.
        """
        self._compare_ranks()
        try:
            return snapshots.save(self.solver, self.folder, self.kind)
        except snapshots.NotFinite as error:
            raise self._diverged(str(error)) from None

    def _compare_ranks(self):
        """Raise UserError when the ranks have drifted apart: they would average gradients of different weights."""
        if self.ranks.size == 1 or self.placement.device.on_gpu:  # NCCL is trusted: to read all weights takes long
            return
        self.ranks.broadcast(orders.Compare())
        digests = self.ranks.gather(parallel.weights_digest(self.solver))
        other = next((rank for rank, digest in enumerate(digests) if digest != digests[0]), None)
        if other is not None:
            raise UserError(
                f"{self.settings.stage}: at iteration {self.solver.iter} the weights on {self.ranks.name(other)} are "
                "not those on rank 0: its processor rounds otherwise; use machines of one kind, then run the same "
                "command to continue from the last snapshot"
            )

    @property
    def _unsettled(self):
        """Whether wild results in a test may come from BatchNorm's averages instead of the weights (bool)."""
        return self.averaged and self.solver.iter < _SETTLED

    def _check_weights(self):
        """Raise UserError when the weights are of no use, which the loss, taken before their update, need not show."""
        if self._unsettled:  # weights that are not finite are seen by the next loss, and by _save
            return
        sample = min(self.samples, key=lambda sample: sample.lr.size)
        with np.errstate(all="ignore"):
            largest = np.abs(evaluation.super_resolve(self.deploy, sample, *self.subject.judged)).max()
        if not largest <= _WILD:  # or not a number
            raise self._diverged(f"the net gives values up to {largest:.2g} (not about 1) for {sample.name}")

    def _diverged(self, what):
        s = self.settings
        kept = snapshots.newest_whole(self.folder, caffemodels.param_shapes(self.solver.net), self.kind)
        found = f"the snapshot of iteration {kept[1]} is kept" if kept else "there is no snapshot"
        return UserError(
            f"{s.stage}: {what} at iteration {self.solver.iter}, the training has diverged ({found}); lower the "
            "learning rate (--lr), or check that the data are complete"
        )

    def _steps(self, stepper, count):
        try:
            return stepper.step(count)
        except MemoryError as error:
            s, said = self.settings, str(error) or "not enough memory"
            raise UserError(
                f"{s.stage}: {said}; batch {s.batch} of {s.stage} at x{s.scale} does not fit: give a smaller --batch, "
                "or see what else takes memory (on a GPU, nvidia-smi says it)"
            ) from None

    def _row(self, iteration, losses, rate, clock, validate):
        """Add a row to the log, with a validation if asked for; gives the row (dict)."""
        row = dict(
            stage=self.settings.stage,
            iteration=iteration,
            loss=float(np.mean(losses)),
            learning_rate=rate,
            iterations_per_second=clock.rate(),
        )
        if validate:
            row["test_loss"] = self._test_loss()
            row["psnr"] = evaluation.validation_psnr(self.deploy, self.samples, *self.subject.judged)
            finite = math.isfinite(row["test_loss"]) and not math.isnan(row["psnr"])
            if not finite and not self._unsettled:
                raise self._diverged(f"the validation gives a loss of {row['test_loss']} and PSNR of {row['psnr']}")
        self.log.add(row)
        return row

    def _test_loss(self):
        """Mean loss over the whole validation database, as Caffe's own testing computes it."""
        batches = max(1, self.val.pairs // self.subject.test_batch(self.settings.batch))
        total = 0.0
        for _ in range(batches):
            self.test_net.forward()
            total += self.test_loss()
        return total / batches
