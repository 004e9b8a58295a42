"""The command lines of the generators: what they share, and that of a network."""

import argparse
import sys

from prototxt import emit
from prototxt.errors import NetError


class Parser(argparse.ArgumentParser):
    """Argument parser of the generators: one-line errors, exit status 2."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message}\n")


def run(main, argv=None):
    """Run a generator's `main(argv)`; a NetError or an unwritable file is one line and exit status 2."""
    try:
        main(argv)
    except NetError as error:
        sys.exit(_fail(error))
    except OSError as error:
        sys.exit(_fail(f"{error.filename}: {error.strerror}"))


def _fail(message):
    print(f"prototxt: {message}", file=sys.stderr)
    return 2


def write_net(network, description, argv=None):
    """Write one net or solver of a network (network.Network) as prototxt; raises NetError.

    `description` is the generator's docstring, whose first line `--help` shows.
    """
    parser = _parser(network, description)
    args = vars(parser.parse_args(argv))
    output, kind, scale = args.pop("output"), args.pop("phase"), args.pop("scale")
    variant, lr_step = args.pop("variant", None), args.pop("lr_step", None)
    if lr_step is not None and kind != "solver":
        raise NetError(f"lr-step: is for --phase solver, got --phase {kind}")
    given = {name: value for name, value in args.items() if value != parser.get_default(name)}
    training = [name for name in given if name not in network.options]
    if kind in ("deploy", "solver") and training:
        others = ", ".join(phase for phase in network.phases if phase != "deploy")
        raise NetError(f"{', '.join(training).replace('_', '-')}: for --phase {others} only, got --phase {kind}")
    network.check_scale(scale)
    emit.write(network.text(kind, scale, variant, lr_step, **given), output)


def _parser(network, description):
    p = Parser(prog=f"python -m prototxt.{network.name}", description=description.split("\n", 1)[0])
    scale = "factor" if network.scales else "accepted and without effect: one net serves every factor"
    # argparse's own refusal could not give the hint
    choices = None if network.hint else network.scales or None
    p.add_argument("--scale", type=int, required=bool(network.scales), choices=choices, help=scale)
    p.add_argument("--phase", choices=network.kinds(), default="deploy", help="default: deploy")
    if len(network.variants) > 1:
        p.add_argument("--variant", choices=network.variants, help=f"default: {network.variant()}")
    for name, option in network.options.items():
        _add_option(p, name, option)
    if network.losses:
        p.add_argument("--loss", choices=network.losses, help="default: the phase's, as in the paper")
    p.add_argument("--batch", type=int, help=f"training pairs in an iteration (default: {network.pairs})")
    p.add_argument("--source", help="list of the training HDF5 files")
    p.add_argument("--test-source", help="list of the validation HDF5 files")
    p.add_argument("--data-top", metavar="NAME", help="dataset of the input (default: data; bic fits `make data`)")
    if network.recipe:
        p.add_argument("--lr-step", type=int, help="solver: only this step of the learning rate, from 0")
    p.add_argument("-o", "--output", metavar="FILE", help="default: standard output")
    return p


def _add_option(parser, name, option):
    """Add --NAME, also in small letters, for an option (network.Option) of a body."""
    flags = dict.fromkeys([f"--{name}", f"--{name.lower()}"])
    said = f"{option.help} (default: {option.default})"
    parser.add_argument(*flags, dest=name, type=type(option.default), default=option.default, help=said)
