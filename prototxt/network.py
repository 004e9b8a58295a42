"""What a network is: a body that reads like its paper's figure, and the shell that all networks share.

A generator writes the body, a function that takes the NetSpec and the input's top and gives the output's top. The
shell adds the rest once for all: the input blob or the HDF5 data of both phases, the loss, the net's name and the
generated files. The command line is in prototxt/command.py.
"""

from dataclasses import dataclass, field
from inspect import signature
from typing import Any, Callable, Optional

from prototxt import builders, emit
from prototxt import recipe as recipes
from prototxt.engine import caffe
from prototxt.errors import NetError
from prototxt.scales import check_scale

DEFAULT_SCALE = 3


@dataclass(frozen=True)
class Option:
    """An option of a body on the command line: its default, whose type is the option's, and its help."""

    default: Any
    help: str


@dataclass(frozen=True)
class Training:
    """What a train net has besides its input.

    Attributes
    ----------
    phase : str
        One of the network's, "deploy" excepted.
    batch : int
        Training pairs in an iteration.
    loss : str or None
        Which of several losses; None: the phase's own.
    """

    phase: str
    batch: int
    loss: Optional[str] = None


def _euclidean(n, top, training):
    """The loss of most networks: the sum of squared differences over twice the batch size."""
    builders.euclidean(n, "loss", top, n.label)


@dataclass(frozen=True)
class Network:
    """A family of nets that one generator makes.

    Attributes
    ----------
    name : str
        The generator's name: prototxt/NAME.py.
    body : callable (n, data, **options) -> Top
        Adds the layers between input and output to the NetSpec `n`. Its options are those of a variant and, for a
        net that has scales, `scale`. One that takes `training` gets a Training, or None in a deploy net.
    title : callable (**options) -> str
        The net's name in its file.
    side : int
        Height and width of the deploy net's input as generated; a deployed net is reshaped for each image.
    recipe : Recipe or None
        How its authors trained it; None: by stages of its own, see prototxt/solver.py.
    variants : dict of str to dict
        Name of each published configuration and its options; the first is the default.
    scales : tuple of int
        The factors a net is made for. Empty: the input is the interpolated image, one net serves all factors.
    hint : str
        What to do for a factor that is not among `scales`.
    phases : tuple of str
        The kinds of net; all but "deploy" read training data.
    tops : callable (**options) -> tuple of str
        Datasets of the training data, the input first.
    loss : callable (n, Top, Training) -> list of LayerParameter, or None
        Adds the loss to the NetSpec; gives layers that have to stand behind all others, if any. None: the body adds
        its losses itself, because they belong to its inner results.
    batch : int
        Default of the training pairs in an iteration; with a recipe the recipe's.
    test_batch : int or None
        Validation pairs in a forward; None: as many as in training, for a loss that divides by that number.
    folder : str
        Of the databases by default, with {stem} and {scale}; that of DEFAULT_SCALE where the files are for no factor.
    shuffle : bool
        Caffe shuffles the pairs; IDN's databases are already in random order.
    options : dict of str to Option
        Further options of the body on the command line.
    losses : tuple of str
        Choices for --loss.
    """

    name: str
    body: Callable
    title: Callable
    side: int
    recipe: Optional[recipes.Recipe] = None
    variants: dict = field(default_factory=lambda: {"": {}})
    scales: tuple = ()
    hint: str = ""
    phases: tuple = ("train", "deploy")
    tops: Callable = lambda **options: ("data", "label")
    loss: Optional[Callable] = _euclidean
    batch: int = 0
    test_batch: Optional[int] = builders.TEST_BATCH
    folder: str = "data/hdf5/{stem}"
    shuffle: bool = True
    options: dict = field(default_factory=dict)
    losses: tuple = ()

    # --- names and checks ------------------------------------------------------------------------------------------

    def stem(self, variant=None, scale=None):
        """Beginning of the generated files' names: "drrn_b1u9", "lapsrn_x4"."""
        parts = [self.name, self.variant(variant), f"x{scale}" if self.scales else ""]
        return "_".join(part for part in parts if part)

    def variant(self, name=None):
        """A variant's name, the default's for None; raises NetError for one that does not exist."""
        if name is None:
            return next(iter(self.variants))
        if name not in self.variants:
            known = ", ".join(filter(None, self.variants))
            raise NetError(f"variant: got {name!r}, {self.name} has {known or 'none: leave the option out'}")
        return name

    def check_scale(self, scale):
        """Raise NetError unless the network has `scale`."""
        if not self.scales:
            if scale is not None:
                check_scale(scale)
            return
        if scale not in self.scales:
            factors = ", ".join(map(str, self.scales))
            raise NetError(f"scale: got {scale!r}, {self.name} has {factors}{self.hint}")

    def check_phase(self, phase):
        """Raise NetError unless the network has nets of `phase`."""
        if phase not in self.phases:
            raise NetError(f"phase: got {phase!r}, expected one of {', '.join(self.phases)}")

    @property
    def pairs(self):
        """Training pairs (int) in an iteration by default."""
        return self.recipe.batch if self.recipe else self.batch

    # --- nets ------------------------------------------------------------------------------------------------------

    def net(
        self, phase="deploy", scale=None, variant=None, *, source=None, test_source=None, batch=None, data_top=None,
        loss=None, input_shape=None, shuffle=None, **options,
    ):  # fmt: skip
        """One net.

        Parameters
        ----------
        phase : str
            One of `phases`.
        scale : int, optional
            One of `scales`; without effect where one net serves all factors.
        variant : str, optional
        source, test_source : str, optional
            The text files that list the HDF5 files of both phases, as Caffe's HDF5Data wants them. Default: where
            the databases are expected, relative to the checkout.
        batch : int, optional
            Training pairs in an iteration.
        data_top : str, optional
            Dataset of the input: "data" as the authors' files have it (default), "bic" in the databases of
            `make data`, whose `data` is the small image.
        loss : str, optional
            One of `losses`.
        input_shape : (int, int), optional
            Height and width of the deploy net's input.
        shuffle : bool, optional
            Caffe shuffles the training pairs; default: the network's. Its state is in no snapshot.
        **options
            Of the body, instead of the variant's.

        Returns
        -------
        NetParameter
            Blobs float32 in 0..1: the input (N, 1, H, W), the output as the body says; in training the labels
            and `loss`.

        Raises
        ------
        NetError
            A phase, scale, variant, loss or option that makes no net; the text names the rule.
        """
        self.check_phase(phase)
        self.check_scale(scale)
        if loss is not None and loss not in self.losses:
            raise NetError(f"loss: got {loss!r}, expected {' or '.join(self.losses) or 'none, there is one loss'}")
        options = {**self.variants[self.variant(variant)], **({"scale": scale} if self.scales else {}), **options}
        if phase == "deploy":
            return self._deploy(input_shape or (self.side, self.side), options)
        training = Training(phase, self.pairs if batch is None else batch, loss)
        folder = self.folder.format(stem=self.stem(variant, scale), scale=scale or DEFAULT_SCALE)
        sources = source or f"{folder}/{phase}.txt", test_source or f"{folder}/val.txt"
        shuffle = self.shuffle if shuffle is None else shuffle
        return self._train(training, sources, data_top, shuffle, options)

    def _deploy(self, shape, options):
        n = caffe.NetSpec()
        self._output(n, builders.deploy_input(n, shape), None, options)
        return self._named(n.to_proto(), "deploy", options)

    def _train(self, training, sources, data_top, shuffle, options):
        first, *labels = self.tops(**options)
        tops = (data_top or first, *labels)
        n = caffe.NetSpec()
        data = builders.hdf5(n, sources[0], training.batch, tops=tops, shuffle=shuffle)[0]
        top = self._output(n, data, training, options)
        behind = self.loss(n, top, training) if self.loss else None
        net = builders.with_test_data(n.to_proto(), sources[1], tops, self.test_batch or training.batch)
        net.layer.extend(behind or [])
        return self._named(net, training.phase, options)

    def _output(self, n, data, training, options):
        wanted = {"training": training} if "training" in signature(self.body).parameters else {}
        return self.body(n, data, **options, **wanted)

    def _named(self, net, phase, options):
        net.name = self.title(phase=phase, **options)
        return net

    # --- files -----------------------------------------------------------------------------------------------------

    def solver(self, scale=None, variant=None, lr_step=None):
        """The SolverParameter by the network's recipe; raises NetError like `net`."""
        self.check_scale(scale)
        stem = self.stem(variant, scale)
        net = f"prototxt/generated/{stem}_train.prototxt"
        return recipes.recipe_solver(self.recipe, net, f"runs/{stem}/train", lr_step=lr_step)

    def kinds(self):
        """What can be written (tuple of str): the phases, and "solver" with a recipe."""
        return (*self.phases, "solver") if self.recipe else self.phases

    def files(self):
        """Every generated file of this network: {file name: text}."""
        return {
            f"{self.stem(variant, scale)}_{kind}.prototxt": self.text(kind, scale, variant)
            for variant in self.variants
            for scale in self.scales or (None,)
            for kind in self.kinds()
        }

    def text(self, kind, scale=None, variant=None, lr_step=None, **options):
        """Content of one prototxt file; `kind` is one of `kinds`, `options` those of `net`."""
        said = dict(scale=scale if self.scales else None, variant=self.variant(variant) or None, phase=kind)
        said.update(options, lr_step=lr_step)
        arguments = "".join(f" --{k.replace('_', '-')} {v}" for k, v in said.items() if v is not None)
        made_by = f"prototxt/{self.name}.py{arguments}"
        if kind == "solver":
            return emit.text(self.solver(scale, variant, lr_step), made_by, recipes.notes(self.recipe))
        return emit.text(self.net(kind, scale, variant, **options), made_by)
