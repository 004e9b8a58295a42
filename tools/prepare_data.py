#!/usr/bin/env python3
"""Cut images into LR/HR pairs and write them to HDF5 for Caffe, for IDN or for another method.

    tools/prepare_data.py --scale 3 --stage train
    tools/prepare_data.py --scale 3 --stage finetune --data-dir data --out data/hdf5
    tools/prepare_data.py --scale 3 --stage val
    tools/prepare_data.py --scale 3 --stage train --dry-run          # count only
    tools/prepare_data.py --scale 3 --stage train --max-pairs 2000000   # a random sample of all pairs
    tools/prepare_data.py --scale 3 --stage train --shard 2/8           # on the second of eight machines
    tools/prepare_data.py --method FSRCNN --scale 3 --stage train
    tools/prepare_data.py --method VDSR --stage train                # x2, x3 and x4 together

Reads DATA/291 (train, finetune: 40 variants per image) or DATA/Set5 (val: the images as they are) and writes
OUT/x3/train/00000.h5, ... and the list OUT/x3/train.txt that an HDF5Data layer's `source` names. Does
nothing when that database is there already. The stage pretrain uses the patches of train. With --method the patches,
images and variants are those of that network's authors (data_prep/sampling.py), the folder has its name: OUT/fsrcnn_x3,
OUT/vdsr.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import os
import sys
from pathlib import Path

from data_prep.geometry import IMAGE_SETS, STAGES, geometry
from data_prep.sampling import OF_METHOD, image_folder, sampling
from tools.common import cli, ranges
from tools.common.errors import UserError


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    p = cli.Parser(__doc__)
    p.add_argument("--method", default="IDN", metavar="NAME", help=f"IDN (default), {', '.join(OF_METHOD)}")
    p.add_argument("--scale", type=int, choices=cli.SCALES, help="2, 3 or 4; VDSR, DRRN and MemNet mix them")
    p.add_argument("--stage", choices=("pretrain", *STAGES), required=True)
    cli.add_folder(p, "DATA", "folder with 291/ and Set5/")
    p.add_argument("--out", metavar="DIR", help="output folder (default: hdf5 inside --data-dir)")
    p.add_argument("--set", metavar="NAME", help="another sub-folder of --data-dir than the method's")
    p.add_argument("--workers", type=int, metavar="N", help="processes (default: one per core, at most 8)")
    p.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the permutation (default: 0)")
    p.add_argument("--stride", type=int, metavar="N", help="step between patches (IDN: their size)")
    p.add_argument("--crops", type=int, metavar="N", help="LapSRN: patches of each image at random places (256)")
    p.add_argument("--max-pairs", type=ranges.whole(1, 2**62), metavar="N",
                   help="at most N pairs, drawn at random from all")  # fmt: skip
    p.add_argument("--shard-mb", type=float, metavar="MB", help="size of a shard in 10^6 bytes (SHARD_MB, else 500)")
    p.add_argument("--shard", type=ranges.share, metavar="I/N",
                   help="cut the I-th of N parts, on one of several machines; without it the parts that are there are "
                   "put together")  # fmt: skip
    p.add_argument("--skip-bad", action="store_true", help="leave out images that cannot be read")
    p.add_argument("--force", action="store_true", help="build again even if the database is there")
    p.add_argument("--dry-run", action="store_true", help="count images, variants and pairs; write nothing")
    p.add_argument("--report", metavar="FILE", help="add the counts and costs to this JSON file and to FILE with .md")
    return p


def main(argv=None):
    """Make the database; gives the exit status."""
    args = parser().parse_args(argv)

    from data_prep import build, shard_list  # here: --help must not wait for h5py
    from data_prep.counts import add_row
    from data_prep.plan import gather, make_plan

    if args.shard and args.report:
        raise UserError("report: counts a whole database; omit --report with --shard")
    shape, image_set = cut_of(args)
    folder, endings = image_folder(args.data_dir, args.set or image_set)
    sources = gather(folder, args.skip_bad, endings, decode=args.max_pairs is None)
    plan = make_plan(sources, shape, args.seed, shard_mb(args), args.max_pairs)
    for warning in plan.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    describe(plan)
    if args.dry_run:
        if args.report:
            add_row(args.report, plan)
        return 0
    out = args.out or args.data_dir / "hdf5"
    if args.shard:
        return cut_part(args, plan, out)
    report = build.build(plan, out, processes=args.workers, force=args.force)
    if not report.built:
        print(f"{report.folder}: made from these images in this way already; --force builds it again")
        if args.report:
            print(f"{args.report}: left as it is, since nothing was measured")
    else:
        print(
            f"bytes {report.bytes:,}  seconds {report.seconds:.1f}  workers {report.workers}  "
            f"peak memory {report.peak_bytes / 1e6:.0f} MB (all processes)"
        )
        if args.report:
            add_row(args.report, plan, report)
    print(f"list {shard_list.list_path(report.folder)}")
    if shard_list.caffe_splits(report.folder):
        print(f"warning: {report.folder}: Caffe itself splits the list at blanks, so that only tools/train.py of this "
              "project reads it", file=sys.stderr)  # fmt: skip
    return 0


def cut_part(args, plan, out):
    """Cut the part of --shard; gives the exit status."""
    from data_prep import build, parts  # here: --help must not wait for h5py

    database = build.database_folder(Path(out).absolute(), plan.geometry)
    report = parts.build(plan, database, parts.Part(*args.shard), processes=args.workers, force=args.force)
    if not report.built:
        print(f"{report.path}: cut from these images in this way already; --force cuts it again")
    else:
        print(
            f"images {report.images:,}  pairs {report.pairs:,}  bytes {report.bytes:,}  seconds {report.seconds:.1f}  "
            f"peak memory {report.peak_bytes / 1e6:.0f} MB (all processes)"
        )
    print(f"part {report.path}")
    return 0


def cut_of(args):
    """How to cut (Geometry or Sampling) and the name of the method's image set, by the options."""
    if args.method.upper() == "IDN":
        if args.scale is None:
            raise UserError("scale: IDN has a database for each factor; give --scale 2, 3 or 4")
        if args.crops is not None:
            raise UserError("crops: IDN's patches lie at regular places; give --stride instead of --crops")
        shape = geometry(args.scale, args.stage, args.stride)
        return shape, IMAGE_SETS[shape.stage]
    shape = sampling(args.method, args.scale, args.stage, args.stride, args.crops)
    return shape, shape.image_set


def shard_mb(args):
    """The shard size asked for, in 10**6 bytes."""
    if args.shard_mb is not None:
        return args.shard_mb
    given = os.environ.get("SHARD_MB") or "500"
    try:
        return float(given)
    except ValueError:
        raise UserError(f"SHARD_MB={given}: expected a number of megabytes, such as 500") from None


def describe(plan):
    """Print what is about to be made."""
    shape = plan.geometry
    print(f"{shape.described()}, seed {plan.seed}")
    print(
        f"images {len(plan.sources.images):,}  variants {plan.variants:,}  pairs {plan.total:,}, "
        f"{plan.pairs:,} {'drawn, in whole batches' if plan.is_sample else 'in whole batches'} of {shape.batch}  "
        f"shards {len(plan.shard_rows)}"
    )


if __name__ == "__main__":
    cli.run(main)
