#!/usr/bin/env python3
"""Parameters and multiply-accumulates of every method, counted in the nets that Caffe builds.

    tools/complexity.py                                    # all methods, for a 1280x720 result
    tools/complexity.py --methods IDN VDSR --scales 3 --size 512 512
    tools/complexity.py --out results/complexity           # complexity.json and complexity.md
    tools/complexity.py prototxt/generated/vdsr_deploy.prototxt   # one deploy net, per input pixel
    tools/complexity.py all_in_one.prototxt --stages deploy       # of a net with include { stage: "deploy" }
    tools/complexity.py --training results/training/x3_h100       # recipes, in hours of that run's machine
    tools/complexity.py --training results/training/x3_h100 --rates "NVIDIA H200=213" --time

A convolution costs kernel^2 x maps in x maps out / groups for each output pixel, a transposed one for each input
pixel. Biases, activations, BatchNorm, Scale and sums do not count as multiply-accumulates. Arrays that several layers
share count once as parameters, their work each time. Nets in older formats are upgraded as Caffe does.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import sys
from pathlib import Path

from data_prep.files import write_json, write_text
from tools.common import cli, markdown, provenance
from tools.common.errors import UserError
from tools.methods import registry
from tools.methods.cost import rows
from tools.nets import foreign_nets
from tools.nets.complexity import count

LARGEST_SIDE = LARGEST_RATE = 10**6


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    p = cli.Parser(__doc__)
    nets = registry.nets()
    p.add_argument("prototxt", nargs="*", type=Path, metavar="DEPLOY.prototxt", help="nets instead of methods")
    p.add_argument("--methods", nargs="+", choices=nets, default=nets, metavar="NAME",
                   help=f"from {', '.join(nets)}; default: all")  # fmt: skip
    p.add_argument("--scales", nargs="+", type=int, choices=cli.SCALES, default=list(cli.SCALES), help="default: all")
    p.add_argument("--size", nargs=2, type=_side, default=[1280, 720], metavar=("W", "H"),
                   help="pixels of the result (default: 1280 720)")  # fmt: skip
    p.add_argument("--out", type=Path, metavar="DIR", help="write complexity.json and complexity.md there")
    said = "recipes instead, in hours at the speed of a run of IDN (--out: training.json, .md)"
    p.add_argument("--training", type=Path, metavar="RUN", help=said)
    p.add_argument("--rates", nargs="+", type=_rate, default=[], metavar="NAME=N",
                   help="with --training: IDN x3's iterations per second on further machines")  # fmt: skip
    p.add_argument("--time", action="store_true", help="with --training: also time iterations here, on the CPU")
    foreign_nets.add_arguments(p)
    return p


def _side(text):
    if not text.isdecimal() or not 0 < int(text) <= LARGEST_SIDE:
        raise ValueError
    return int(text)


_side.__name__ = "number of pixels"  # argparse puts it into its message


def _rate(text):
    name, _, rate = text.rpartition("=")
    if not (name.strip() and 0 < float(rate) < LARGEST_RATE):
        raise ValueError
    return name.strip(), float(rate)


_rate.__name__ = "NAME=iterations per second"


def table(made):
    """Markdown table of `rows`; nets that are the same at every scale still get a line for each."""
    head = ["Method", "Scale", "layers", "parameters", "of Scale layers", "GMAC"]
    body = [
        [r["method"], f"x{r['scale']}", str(r["layers"]), f"{r['parameters']:,}", f"{r['scale_parameters']:,}",
         f"{r['gmac']:,.2f}"]
        for r in made
    ]  # fmt: skip
    return markdown.table(head, body, text_columns=2)


def _count_files(args):
    """Print one line for each prototxt file, after all of them have been read."""
    for path, message in [(path, foreign_nets.read_with(args, path)) for path in args.prototxt]:
        c = count(message)
        others = ", ".join(f"{number:,} of {kind}" for kind, number in c.get("other_parameters", {}).items())
        print(
            f"{path}: {c['layers']} layers, {c['parameters']:,} parameters, {c['scale_parameters']:,} of Scale "
            f"layers, {c['macs']:,.0f} multiply-accumulates per input pixel"
            + (f"; besides parameters {others} layers, whose work is not counted" if others else "")
        )


def _recipes(args, argv):
    """Print what the recipes cost, and write it; gives the exit status."""
    from tools.training import iteration_time, recipe_cost  # not before: the other counts need no training

    further = [recipe_cost.speed_at(rate, 3, name) for name, rate in args.rates]
    speeds, machines = zip(recipe_cost.speed_of(args.training), *further)
    measure = iteration_time.measure if args.time else None
    made = recipe_cost.rows(list(dict.fromkeys(args.methods)), dict.fromkeys(args.scales), speeds, measure)
    here = f"{provenance.processor()}, {iteration_time.WHAT}" if args.time else None
    text = recipe_cost.table(made, machines, here)
    print(text)
    if args.out:
        command = cli.shown(provenance.command("tools/complexity.py", sys.argv[1:] if argv is None else list(argv)))
        write_json(args.out / "training.json", {"command": command, "machines": machines, "here": here, "rows": made})
        write_text(args.out / "training.md", f"# What the recipes cost\n\n`{command}`\n\n{text}\n")
    return 0


def main(argv=None):
    """Count, print, write; gives the exit status."""
    args = parser().parse_args(argv)
    if args.prototxt:
        if args.out:
            raise UserError("--out: is for the table of methods; omit it with prototxt files")
        _count_files(args)
        return 0
    if args.training:
        return _recipes(args, argv)
    made = rows(dict.fromkeys(args.methods), dict.fromkeys(args.scales), args.size)
    print(table(made))
    if args.out:
        command = cli.shown(provenance.command("tools/complexity.py", sys.argv[1:] if argv is None else list(argv)))
        report = {"command": command, "size": args.size, "rows": made}
        title = f"# Parameters and multiply-accumulates for a {args.size[0]}x{args.size[1]} result"
        write_json(args.out / "complexity.json", report)
        write_text(args.out / "complexity.md", f"{title}\n\n`{command}`\n\n{table(made)}\n")
    return 0


if __name__ == "__main__":
    cli.run(main)
