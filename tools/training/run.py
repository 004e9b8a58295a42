"""A training run: everything that can be refused is refused first, then stage follows stage, then it is summed up."""

from contextlib import nullcontext, suppress

from data_prep.files import write_json, write_text
from tools.figures import curves
from tools.ranks.alone import Alone
from tools.training import (
    average,
    databases,
    needed_memory,
    parallel,
    placement,
    plan,
    run_folder,
    start,
    summary,
    validation,
)
from tools.training.log import Log
from tools.training.progress import decibels
from tools.training.stage import Stage
from tools.training.stopping import Interrupted

CURVE = "learning_curve.png"


class Run:
    """One run, from the options of tools/train.py; nothing is written before `train`.

    Parameters
    ----------
    options : argparse.Namespace
    ranks : Alone, optional
        Those that train together. On ranks other than 0 a Run is prepared, but not trained: they have no validation.

    Attributes
    ----------
    plan : Plan
        The stages and their settings.
    placement : Placement
    databases : dict of str to Database
    validation : Validation
    log : Log
        Once `train` has begun.
    trained : bool
        This process has trained: not all stages were finished before.

    Raises
    ------
    UserError, DataError
        An option, a database, a GPU, the memory or weights will not do.
    """

    def __init__(self, options, ranks=None):
        self.options, self.ranks, self.trained = options, ranks or Alone(), False
        self.plan = plan.Plan(options)
        self.subject = self.plan.subject
        self.placement = placement.take(options, self.ranks)
        parallel.check(self.subject, options.batch, self.ranks, self.placement.device)
        self.databases = databases.check(options.hdf5_dir, self.subject, self.plan.settings)
        first = self.ranks.rank == 0
        self.validation = validation.read(options.val_images, options.scale) if first else None
        self._check_memory()
        if first and options.weights:
            start.check(options.weights)

    def _check_memory(self):
        """Raise UserError when a stage would not fit into memory, or its batch not into Caffe's blobs."""
        for stage in self.plan.settings:
            needed_memory.check(
                self.subject, stage, self.options.batch, self.databases[self.subject.database(stage)],
                self.databases["val"], self.validation.samples if self.validation else (),
                self.placement.device.on_gpu, self.ranks,
            )  # fmt: skip

    @property
    def result(self):
        """Where the finished weights go (Path), so that the run's folder serves as a weights folder."""
        return self.options.out / self.subject.weights

    def train(self, command):
        """Run the stages that are not finished.

        Parameters
        ----------
        command : str
            As the user typed it, for the summary.

        Returns
        -------
        int
            Exit status: 0, or 130 after Ctrl-C or SIGTERM.

        Raises
        ------
        UserError, DataError
            Another training holds the folder, or a stage cannot start or go on.
        """
        self._say(self._title())
        out = self.options.out
        with run_folder.claimed(out):
            run_folder.clean(out, self.result.parent.name)
            self.log = self.plan.log = Log(out / "log.csv")
            try:
                for stage in self.plan.settings:
                    final = self._run_stage(stage)
            except Interrupted as error:
                self._say(f"{error}; run the same command to continue")
                return 130
            self._finish(final, command)
        return 0

    def _title(self):
        return (
            f"{self.subject.name} on {self._place()}: {self.plan.title()}; validation on "
            f"{len(self.validation.samples)} images of {self.options.val_images}, bicubic "
            f"{decibels(self.validation.bicubic)}"
        )

    def _place(self):
        device, size = self.placement.device, self.ranks.size
        if size == 1:
            return device
        return f"{size} processes ({'GPUs, NCCL' if device.on_gpu else 'CPU'}{'' if self.ranks.launched else ', MPI'})"

    def _run_stage(self, name):
        """Run a stage unless it is finished; gives its weights (Path)."""
        if self.trained:  # the stages before may have taken days
            self.databases |= databases.check(self.options.hdf5_dir, self.subject, [name])
        stage = self._stage(name)
        weights, sha256 = start.of(
            name, self.options.out, self.options.weights, tuple(self.plan.settings), self.subject.stages
        )
        run_folder.record(stage.folder, stage.settings, sha256, stage.train.made_of)
        final = stage.final
        if final.exists():
            self._say(f"{name}: finished before, {final}")
            return final
        self.trained = True
        try:
            stage.run(weights, say=self._say)
        except BaseException:
            with suppress(OSError):  # a full disk may be what has ended it: its own message says more
                self._draw()
            raise
        del stage  # with its nets: drawing leaves cycles behind that keep this frame for a while
        self._draw()
        return final

    def _stage(self, name):
        return Stage(
            self.plan.settings[name],
            self.plan.pace(name),
            self.options.out / name,
            self.databases[self.subject.database(name)], self.databases["val"], self.validation.samples, self.log,
            self.placement, self.ranks,
        )  # fmt: skip

    def _finish(self, final, command):
        """Publish the weights `final` (Path), sum the run up, and make up for what a kill left out at this point."""
        out = self.options.out
        run_folder.publish(final, self.result)
        if not self.trained and not (out / CURVE).exists():
            self._draw()
        write_text(out / plan.SCHEDULE, self.plan.text())
        # date and versions of a run that was summed up stay those of that run
        if self.trained or not run_folder.is_summed_up(out, self.result):
            write_json(out / "summary.json", summary.of(self, command))
        record = self.result.with_suffix(".json")
        if self.trained or not record.is_file():
            write_json(record, summary.record(out / "summary.json"))
        self._say(f"finished: {self.result}")
        if self.options.average:
            self._average(final.parent)

    def _average(self, folder):
        """Write the average of the last snapshots in `folder` (Path) and add it to the summary."""
        path = self.options.out / run_folder.AVERAGE / self.subject.weights
        made = average.of(folder, self.options.average, path, self.subject, self.validation.samples)
        if made is None:
            self._say(f"average: {folder.name} has but one snapshot, so there is none")
            return
        summary.add_average(self.options.out / "summary.json", made)
        write_json(path.with_suffix(".json"), summary.record(self.options.out / "summary.json", average=True))
        numbers = ", ".join(map(str, made["snapshots"]))
        self._say(f"average of snapshots {numbers}: {path}, PSNR {decibels(made['psnr'])}")

    def _draw(self):
        """Draw the curves of what the log has."""
        if self.log.rows:
            title = self.subject.name
            with self.plan.hours.measured("draw") if self.plan.hours else nullcontext():
                curves.plot(self.log.rows, self.options.out / CURVE, title=title, bicubic=self.validation.bicubic)

    @staticmethod
    def _say(line):
        print(line, flush=True)
