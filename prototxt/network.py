"""What a generator of a compared network offers, and the command line that all of them share."""

from dataclasses import dataclass, field
from typing import Callable

from prototxt import builders, emit
from prototxt import recipe as recipes
from prototxt.errors import NetError

PHASES = ("train", "deploy", "solver")


@dataclass(frozen=True)
class Network:
    """A family of nets that one generator makes.

    Attributes
    ----------
    name : str
        The generator's name: prototxt/NAME.py.
    build : callable (phase, **options) -> NetParameter
        phase is "train" or "deploy"; options are those of a variant, `scale` for a net that has scales, and
        source, test_source, batch, data_top of the training data.
    recipe : Recipe
    variants : dict of str to dict
        Name of each published configuration and its options; the first is the default.
    scales : tuple of int
        The factors a net is made for. Empty: the input is the interpolated image, one net serves all factors.
    hint : str
        What to do for a factor that is not among `scales`.
    """

    name: str
    build: Callable
    recipe: recipes.Recipe
    variants: dict = field(default_factory=lambda: {"": {}})
    scales: tuple = ()
    hint: str = ""

    def stem(self, variant=None, scale=None):
        """Beginning of the generated files' names: "drrn_b1u9", "lapsrn_x4"."""
        parts = [self.name, self.variant(variant), f"x{scale}" if self.scales else ""]
        return "_".join(part for part in parts if part)

    def variant(self, name=None):
        """A variant's name, the default's for None; raises NetError for one that does not exist."""
        name = next(iter(self.variants)) if name is None else name
        if name not in self.variants:
            raise NetError(f"variant: got {name!r}, {self.name} has {', '.join(self.variants)}")
        return name

    def check_scale(self, scale):
        """Raise NetError unless the network has `scale`."""
        if not self.scales:
            if scale is not None:
                emit.check_scale(scale)
            return
        if scale not in self.scales:
            factors = ", ".join(map(str, self.scales))
            raise NetError(f"scale: got {scale!r}, {self.name} has {factors}{self.hint}")

    def net(self, phase="deploy", scale=None, variant=None, **options):
        """A NetParameter; raises NetError for a phase, scale or variant that the network does not have."""
        if phase not in ("train", "deploy"):
            raise NetError(f"phase: got {phase!r}, expected one of {', '.join(PHASES)}")
        self.check_scale(scale)
        chosen = dict(self.variants[self.variant(variant)])
        if self.scales:
            chosen["scale"] = scale
        return self.build(phase, **chosen, **options)

    def solver(self, scale=None, variant=None, lr_step=None):
        """The SolverParameter for a net of this network; raises NetError like `net`."""
        self.check_scale(scale)
        stem = self.stem(variant, scale)
        net = f"prototxt/generated/{stem}_train.prototxt"
        return recipes.solver(self.recipe, net, f"runs/{stem}/train", lr_step=lr_step)

    def files(self):
        """Every generated file of this network: {file name: text}."""
        files = {}
        for variant in self.variants:
            for scale in self.scales or (None,):
                for phase in PHASES:
                    name = f"{self.stem(variant, scale)}_{phase}.prototxt"
                    files[name] = self.text(phase, scale, variant)
        return files

    def text(self, phase, scale=None, variant=None, lr_step=None, **options):
        """Content of one prototxt file."""
        said = dict(scale=scale if self.scales else None, variant=self.variant(variant) or None, phase=phase)
        said.update(options, lr_step=lr_step)
        arguments = "".join(f" --{k.replace('_', '-')} {v}" for k, v in said.items() if v is not None)
        made_by = f"prototxt/{self.name}.py{arguments}"
        if phase == "solver":
            return emit.text(self.solver(scale, variant, lr_step), made_by, recipes.notes(self.recipe))
        return emit.text(self.net(phase, scale, variant, **options), made_by)


def training_data(n, name, source, batch, data_top="data"):
    """HDF5Data of a train net whose input has the label's size; gives the tops (input, label).

    `data_top` names the dataset of the input: "data" as the authors' files have it, "bic" in the databases of
    `make data`, whose `data` is the small image.
    """
    return builders.hdf5(n, source or f"data/hdf5/{name}/train.txt", batch, tops=(data_top, "label"), shuffle=True)


def finish(n, phase, name, source_name, test_source=None, data_top="data"):
    """The NetParameter of `n`, named `name`; a train net gets its validation data."""
    net = builders.named(n.to_proto(), name)
    if phase == "train":
        builders.with_test_data(net, test_source or f"data/hdf5/{source_name}/val.txt", (data_top, "label"))
    return net


def parser(network, description):
    """Command line of a generator (argparse.ArgumentParser)."""
    p = emit.Parser(prog=f"python -m prototxt.{network.name}", description=description.split("\n", 1)[0])
    scale = "factor" if network.scales else "accepted and without effect: one net serves every factor"
    p.add_argument("--scale", type=int, required=bool(network.scales), help=scale)
    p.add_argument("--phase", choices=PHASES, default="deploy", help="default: deploy")
    if len(network.variants) > 1:
        p.add_argument("--variant", choices=network.variants, help=f"default: {network.variant()}")
    p.add_argument("--batch", type=int, help=f"training pairs in an iteration (default: {network.recipe.batch})")
    p.add_argument("--source", help="list of the training HDF5 files")
    p.add_argument("--test-source", help="list of the validation HDF5 files")
    p.add_argument("--data-top", metavar="NAME", help="dataset of the input (default: data; bic fits `make data`)")
    p.add_argument("--lr-step", type=int, help="solver: only this step of the learning rate, from 0")
    p.add_argument("-o", "--output", metavar="FILE", help="default: standard output")
    return p


def main(network, description, argv=None):
    """Write one net or solver of `network` as prototxt; raises NetError."""
    args = vars(parser(network, description).parse_args(argv))
    output, phase, scale = args.pop("output"), args.pop("phase"), args.pop("scale")
    variant, lr_step = args.pop("variant", None), args.pop("lr_step")
    if lr_step is not None and phase != "solver":
        raise NetError(f"lr-step: is for --phase solver, got --phase {phase}")
    options = {name: value for name, value in args.items() if value is not None}
    if options and phase != "train":
        raise NetError(f"{', '.join(options).replace('_', '-')}: for --phase train only, got --phase {phase}")
    network.check_scale(scale)
    emit.write(network.text(phase, scale, variant, lr_step, **options), output)
