#!/usr/bin/env python3
"""Train IDN as the paper did: pre-train, train with MAE, fine-tune with MSE on larger sub-images; or another network.

    tools/train.py --scale 3                          # the whole schedule: 720,000 iterations
    tools/train.py --scale 3 --gpu 0
    tools/train.py --scale 3 --gpu 0,1                # data parallel; the batch of 64 is shared out
    mpirun -n 4 tools/train.py --scale 3 --mpi        # on CPUs, of one machine or many: docs/parallel_training.md
    tools/train.py --scale 3 --iters 3000             # the same schedule, scaled down
    tools/train.py --scale 3 --hours 8                # the same schedule, over in 8 hours on this machine
    tools/train.py --scale 3 --schedule "train: 6000 at 3e-4, 2000 at 3e-5; finetune: 500 at 1e-5" --weights FILE
    tools/train.py --scale 3 --stage finetune --weights weights/idn/IDN_x3.caffemodel
    tools/train.py --scale 3 --method VDSR            # by the recipe of VDSR's authors
    tools/train.py --scale 3 --blocks 3 --D3 48       # another IDN
    tools/train.py --scale 3 --from-images data/DIV2K # no database: images are cut while it trains

`--schedule` is a text or a file: iterations and learning rates of each stage that is to run. `--hours H` shares the
time out as the schedule (the paper's, or that of `--schedule`) shares its work, and lowers the rates by the clock;
OUT/schedule.txt then says what came out, as a file for `--schedule`. `--average N` writes the average of the last N
snapshots beside the result, into OUT/average. docs/reproduce.md says more.

`--iters N` shares N iterations among the stages as the full schedule does (100,000 : 600,000 : 20,000), or
gives them all to the one `--stage`. Run the same command again after an interruption: it resumes from the newest
whole snapshot, and a finished stage is not run again. The result is OUT/idn/IDN_x<scale>.caffemodel, so that
OUT serves as a weights folder for tools/benchmark.py; OUT/summary.json says how it was made.

`--method` trains a compared network on the databases of tools/prepare_data.py --method: its solver, rates, batch and
clipping are those of prototxt/NAME.py. What the options change of a recipe is said in the summary.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import os
import sys
import time
from pathlib import Path

from data_prep.sampling import OF_METHOD
from prototxt import idn
from prototxt.solver import STAGES
from tools.common import cli, provenance, ranges
from tools.common.errors import UserError
from tools.common.paths import ROOT
from tools.ranks import launch

LR = 1e-4


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    p = cli.Parser(__doc__)
    add = p.add_argument
    add("--method", default="IDN", metavar="NAME", help=f"IDN (default), {', '.join(OF_METHOD)}")
    add("--scale", type=int, required=True, choices=cli.SCALES)
    add("--stage", choices=STAGES, help="one stage only (default: all three in turn)")
    add("--iters", type=ranges.whole(1), help="iterations in all (default: the full schedule)")
    add("--schedule", metavar="FILE|TEXT", help="such as 'train: 6000 at 1e-4, 2000 at 1e-5' (default: the paper's)")
    add("--hours", type=ranges.real(0.001, 10_000), help="be over after so many hours, with the rates lowered in time")
    add("--average", type=ranges.whole(2, 1000), metavar="N", help="also write the average of the last N snapshots")
    add("--gpu", default=os.environ.get("GPU"), help="number of the GPU, or of several: 0,1 (default: CPU)")
    add("--mpi", action="store_true", help="share each batch among the processes that mpirun or srun has started")
    add("--processes", type=ranges.whole(1, 1024), metavar="N",
        help="share each batch among N processes of this machine, on the CPU (default: 1)")  # fmt: skip
    add("--tf32", action="store_true", help="GPU: convolutions in TF32 (default: float, as in the paper)")
    add("--deterministic", action="store_true", help="GPU: the same bits in every run; slower")
    add("--no-autotune", dest="autotune", action="store_false",
        help="GPU: let cuDNN guess its algorithms instead of timing them")  # fmt: skip
    add("--no-graphs", dest="graphs", action="store_false", help="GPU: launch every kernel separately, without graphs")
    add("--weights", type=Path, help="start from this .caffemodel, of any scale: the shapes are the same")
    cli.add_folder(p, "DATA", "folder of the image sets")
    cli.add_folder(p, "HDF5", "databases of tools/prepare_data.py")
    add("--from-images", type=Path, metavar="DIR", help="cut the pairs from these images meanwhile, without databases")
    add("--workers", type=ranges.whole(1, 1024), metavar="N",
        help="--from-images: processes that cut (default: one per core, at most 8)")  # fmt: skip
    add("--val-images", type=Path, help="images for the validation PSNR (default: DATA/Set5)")
    add("--out", type=Path, help="the run's folder (default: runs/x<scale>, or runs/NAME_x<scale>)")
    add("--beta1", type=ranges.real(0, 1, below=True),
        help="of Adam: 0 as IDN's release (default), or 0.9; of SGD: its momentum (default: the recipe's)")  # fmt: skip
    add("--lr", type=ranges.real(1e-30, 1e30),
        help="learning rate of pretrain and train; finetune has a tenth of it (default: 1e-4; the recipe's)",
    )  # fmt: skip
    add("--batch", type=ranges.whole(1), help="pairs in an iteration (default: 64, the recipe's)")
    add("--solver", choices=("SGD", "Adam"), help="another method than IDN: instead of the recipe's")
    add("--theta", type=ranges.real(1e-30, 1e30), help="gradients are clipped to theta / learning rate")
    add("--seed", type=ranges.whole(0, 2**32 - 1), default=1, help="of the random weights (default: 1)")
    add("--snapshot", type=ranges.whole(1),
        help="iterations between snapshots (default: 20,000, or a tenth of a shorter stage)")  # fmt: skip
    add("--test-interval", type=ranges.whole(1),
        help="iterations between validations (default: 5,000, or a tenth of a shorter stage)")  # fmt: skip
    variant = p.add_argument_group("another IDN (benchmark and upscale find its options beside the weights)")
    for name, option in idn.NETWORK.options.items():
        flags = dict.fromkeys([f"--{name}", f"--{name.lower()}"])
        said = f"{option.help} (default: {option.default})"
        variant.add_argument(*flags, dest=name, type=type(option.default), help=said)
    variant.add_argument("--loss", choices=idn.NETWORK.losses, help="of every stage (default: each stage's own)")
    return p


def parse(argv):
    """Options (argparse.Namespace) of a command line, with those filled in that depend on others."""
    began = time.monotonic()
    options = parser().parse_args(argv)
    options.began, options.lr_given = began, options.lr is not None
    given = {name: getattr(options, name) for name in idn.NETWORK.options}
    defaults = {name: option.default for name, option in idn.NETWORK.options.items()}
    options.net = {name: value for name, value in given.items() if value not in (None, defaults[name])}
    if options.method.upper() == "IDN":
        options.method = "IDN"
        options.lr = LR if options.lr is None else options.lr
        options.beta1 = options.beta1 or 0.0
        options.batch = options.batch or idn.BATCH
    options.autotune = options.autotune and not options.deterministic
    options.val_images = options.val_images or options.data_dir / "Set5"
    if options.from_images:
        from tools.training.from_images import FromImages  # of no use to --help

        options.hdf5_dir = FromImages(options.from_images, options.val_images, options.seed, options.workers)
    elif options.workers:
        raise UserError("workers: cut the images of --from-images; without it give them to tools/prepare_data.py")
    name = "" if options.method == "IDN" else f"{options.method.lower()}_"
    options.out = options.out or ROOT / "runs" / f"{name}x{options.scale}"
    return options


def main(argv=None):
    """Run the stages that are asked for and not finished; gives the exit status."""
    argv = [str(argument) for argument in (sys.argv[1:] if argv is None else argv)]
    ranks, read_options = launch.ranks_of(argv, parse)
    with ranks:
        from tools.training import together  # not before: --help and simple mistakes must not wait for it

        return together.train(ranks, read_options, provenance.command("tools/train.py", argv))


if __name__ == "__main__":
    cli.run(main)
