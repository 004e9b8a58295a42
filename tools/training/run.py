"""A training run: everything that can be refused is refused first, then stage follows stage, then it is summed up."""

from contextlib import suppress

from data_prep.files import write_json
from prototxt.solver import PHASE_OF_STAGE
from tools.figures import curves
from tools.training import databases, needed_memory, placement, run_folder, start, summary, validation
from tools.training.log import Log
from tools.training.progress import decibels
from tools.training.settings import intervals_of, schedule, settings_of
from tools.training.stage import Stage
from tools.training.stopping import Interrupted

CURVE = "learning_curve.png"


class Run:
    """One run, from the options of tools/train.py; nothing is written before `train`.

    Parameters
    ----------
    options : argparse.Namespace

    Attributes
    ----------
    lengths : dict of str to int
        Iterations of each stage.
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

    def __init__(self, options):
        self.options, self.trained = options, False
        self.lengths = schedule(options.iters, options.stage)
        self.placement = placement.take(options)
        self.databases = databases.check(options.hdf5_dir, options.scale, self.lengths)
        self.validation = validation.read(options.val_images, options.scale)
        self._check_memory()
        if options.weights:
            start.check(options.weights)

    def _check_memory(self):
        """Raise UserError when a stage would not fit into memory, or its batch not into Caffe's blobs."""
        for stage in self.lengths:
            needed_memory.check(
                self.options.scale, stage, self.options.batch, self.databases[PHASE_OF_STAGE[stage]],
                self.databases["val"], self.validation.samples, self.placement.device.on_gpu,
            )  # fmt: skip

    @property
    def result(self):
        """Where the finished weights go (Path), so that the run's folder serves as a weights folder."""
        return self.options.out / "idn" / f"IDN_x{self.options.scale}.caffemodel"

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
            run_folder.clean(out)
            self.log = Log(out / "log.csv")
            try:
                for stage in self.lengths:
                    final = self._run_stage(stage)
            except Interrupted as error:
                self._say(f"{error}; run the same command to continue")
                return 130
            self._finish(final, command)
        return 0

    def _title(self):
        plan = ", ".join(f"{stage} {n:,}" for stage, n in self.lengths.items())
        return (
            f"IDN x{self.options.scale} on {self.placement.device}: {plan} iterations; validation on "
            f"{len(self.validation.samples)} images of {self.options.val_images}, bicubic "
            f"{decibels(self.validation.bicubic)}"
        )

    def _run_stage(self, name):
        """Run a stage unless it is finished; gives its weights (Path)."""
        if self.trained:  # the stages before may have taken days
            self.databases |= databases.check(self.options.hdf5_dir, self.options.scale, [name])
        stage = self._stage(name)
        weights, sha256 = start.of(name, self.options.out, self.options.weights, self.options.stage)
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
        options, iterations = self.options, self.lengths[name]
        return Stage(
            settings_of(options, name, iterations),
            intervals_of(iterations, options.snapshot, options.test_interval),
            options.out / name,
            self.databases[PHASE_OF_STAGE[name]], self.databases["val"], self.validation.samples, self.log,
            self.placement,
        )  # fmt: skip

    def _finish(self, final, command):
        """Publish the weights `final` (Path), sum the run up, and make up for what a kill left out at this point."""
        out = self.options.out
        run_folder.publish(final, self.result)
        if not self.trained and not (out / CURVE).exists():
            self._draw()
        # date and versions of a run that was summed up stay those of that run
        if self.trained or not run_folder.is_summed_up(out, self.result):
            write_json(out / "summary.json", summary.of(self, command))
        self._say(f"finished: {self.result}")

    def _draw(self):
        """Draw the curves of what the log has."""
        if self.log.rows:
            title = f"IDN x{self.options.scale}"
            curves.plot(self.log.rows, self.options.out / CURVE, title=title, bicubic=self.validation.bicubic)

    @staticmethod
    def _say(line):
        print(line, flush=True)
