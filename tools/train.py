#!/usr/bin/env python3
"""Train IDN as the paper did: pre-train, train with MAE, fine-tune with MSE on larger sub-images.

    tools/train.py --scale 3                          # the whole schedule: 720,000 iterations
    tools/train.py --scale 3 --gpu 0
    tools/train.py --scale 3 --gpu 0,1                # data parallel; the batch of 64 is shared out
    tools/train.py --scale 3 --iters 3000             # the same schedule, scaled down
    tools/train.py --scale 3 --stage finetune --weights weights/idn/IDN_x3.caffemodel

`--iters N` shares N iterations among the stages as the full schedule does (100,000 : 600,000 : 20,000), or
gives them all to the one `--stage`. Run the same command again after an interruption: it resumes from the newest
whole snapshot, and a finished stage is not run again. The result is OUT/idn/IDN_x<scale>.caffemodel, so that
OUT serves as a weights folder for tools/benchmark.py; OUT/summary.json says how it was made.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import os
from pathlib import Path

from prototxt import idn
from tools.common import cli, ranges
from tools.common.paths import ROOT
from tools.training import run_folder
from tools.training.run import (
    STAGES,
    check_databases,
    check_memory,
    check_start,
    device_of,
    run_stages,
    schedule,
    validation_samples,
)
from tools.training.stage import decibels


def parse(argv):
    parser = cli.Parser(__doc__)
    add = parser.add_argument
    add("--scale", type=int, required=True, choices=cli.SCALES)
    add("--stage", choices=STAGES, help="one stage only (default: all three in turn)")
    add("--iters", type=ranges.whole(1), help="iterations in all (default: the full schedule)")
    add("--gpu", default=os.environ.get("GPU"), help="number of the GPU, several: 0,1 (default: CPU)")
    add("--tf32", action="store_true", help="GPU: convolutions in TF32, not in float as the paper had")
    add("--deterministic", action="store_true", help="GPU: the same bits in every run, slower")
    add("--no-autotune", dest="autotune", action="store_false",
        help="GPU: cuDNN's algorithms by its own guess, not by timing them")  # fmt: skip
    add("--no-graphs", dest="graphs", action="store_false", help="GPU: launch every kernel on its own")
    add("--weights", type=Path, help="start from this .caffemodel; of any scale, the shapes agree")
    add("--data-dir", type=Path, default=Path(os.environ.get("DATA") or ROOT / "data"))
    add("--hdf5-dir", type=Path, default=Path(os.environ.get("HDF5") or ROOT / "data" / "hdf5"),
        help="databases of tools/prepare_data.py (default: data/hdf5)")  # fmt: skip
    add("--val-images", type=Path, help="folder for the validation PSNR (default: DATA/Set5)")
    add("--out", type=Path, help="the run's folder (default: runs/x<scale>)")
    add("--beta1", type=ranges.real(0, 1, below=True), default=0.0, help="0 as the release ran (default), or 0.9")
    add("--lr", type=ranges.real(1e-30, 1e30), default=1e-4, help="of pretrain and train; finetune takes a tenth")
    add("--batch", type=ranges.whole(1), default=idn.BATCH, help="pairs in an iteration (default: 64)")
    add("--seed", type=ranges.whole(0, 2**32 - 1), default=1, help="of the random weights (default: 1)")
    add("--snapshot", type=ranges.whole(1), help="iterations between snapshots (default: 20,000 or a tenth)")
    add("--test-interval", type=ranges.whole(1), help="... between validations (default: 5,000 or a tenth)")
    args = parser.parse_args(argv)
    args.autotune = args.autotune and not args.deterministic
    args.val_images = args.val_images or args.data_dir / "Set5"
    args.out = args.out or ROOT / "runs" / f"x{args.scale}"
    return args


def main(argv=None):
    """Run the stages that are asked for and not finished; gives the exit status."""
    args = parse(argv)
    lengths = schedule(args.iters, args.stage)
    device = device_of(args)
    databases = check_databases(args, lengths)
    samples, bicubic = validation_samples(args.val_images, args.scale)
    check_memory(args, lengths, databases, samples, device)
    if args.weights:
        check_start(args.weights)
    plan = ", ".join(f"{stage} {n:,}" for stage, n in lengths.items())
    print(f"IDN x{args.scale} on {device}: {plan} iterations; validation on {len(samples)} images of "
          f"{args.val_images}, bicubic {decibels(bicubic)}", flush=True)  # fmt: skip
    with run_folder.claimed(args.out):
        return run_stages(args, argv, lengths, device, samples, bicubic)


if __name__ == "__main__":
    cli.run(main)
