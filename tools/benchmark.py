#!/usr/bin/env python3
"""Tables 2, 3 and 4 of the paper, measured here beside the paper's own figures.

    tools/benchmark.py                                             # every set and weight file that is there
    tools/benchmark.py --datasets Set5 --scales 3 --tables 2       # PSNR and SSIM of one set: seconds
    tools/benchmark.py --datasets Set5 --scales 3 --weights runs/x3/idn.caffemodel --save-images
    tools/benchmark.py --gpu 0 --tables 4 --repeats 20             # time only, on the first GPU
    tools/benchmark.py --tables 4 --random-weights --methods DRRN MemNet   # time without weights
    tools/benchmark.py --tables 4 --random-weights --methods all --datasets Set5
    tools/benchmark.py --methods VDSR LapSRN --protocol idn        # one protocol for all
    tools/benchmark.py --from-json results/benchmark/benchmark.json --tables 3   # print only
    tools/benchmark.py --shard 2/8 --out runs/shards/2             # on the second of eight machines
    tools/benchmark.py --from-json runs/shards/*/benchmark.json --out runs/benchmark   # put together

Needs DATA/<set>/ and WEIGHTS/<method>/ (`make fetch`). Missing sets and weights are gaps in the tables; if they were
asked for by name, the tool stops before it measures anything.

Writes benchmark.json, .csv and .md into OUT after every row. The same command goes on after a stop: rows that OUT has
are kept, unless settings, weights or images have changed; then they are measured again, and it says so. Rows of Table 4
are measured in a process of their own; one that fails is a gap, which the same command tries again.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import argparse
import re
import sys
from pathlib import Path

from matlab_compat.contributions import EDGES
from tools.benchmarking import keeping, material, merging, paper, plan, reports, row_by_row, tables
from tools.benchmarking.jobs import Options
from tools.benchmarking.run import metrics, settings, surroundings
from tools.common import cli, memory, outputs, ranges, scratch
from tools.common.errors import UserError
from tools.common.paths import ROOT
from tools.gpu.device import CPU, Device
from tools.methods.protocols import PROTOCOLS
from tools.methods.registry import METHODS
from tools.nets import engines

REPEATS = 3


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    p = cli.Parser(__doc__)
    p.add_argument("--tables", nargs="+", type=int, choices=sorted(paper.TABLES), help="default: 2 3 4")
    p.add_argument(
        "--datasets",
        nargs="+",
        metavar="SET",
        help=f"{', '.join(paper.DATASETS)}, or any folder in DATA (default: the four)",
    )
    p.add_argument("--scales", nargs="+", type=int, choices=cli.SCALES, help="default: 2 3 4")
    p.add_argument(
        "--methods",
        nargs="+",
        choices=[*METHODS, "all"],
        metavar="METHOD",
        help=f"from {', '.join(METHODS)}; or all (default: {' '.join(plan.printed())})",
    )
    cli.add_folder(p, "DATA")
    cli.add_folder(p, "WEIGHTS")
    p.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="your own .caffemodel, for one method and one scale",
    )
    p.add_argument(
        "--trained-here",
        action="store_true",
        help="only weights of results/models; as --weights-dir none. Else they stand in where the authors' are missing",
    )
    p.add_argument("--gpu", type=Device.parse, default=CPU, metavar="N", help="number of the GPU (default: the CPU)")
    p.add_argument(
        "--engine",
        choices=list(engines.ENGINES),
        default="caffe",
        help="what runs the nets: caffe (default), cudagraph (Caffe on a GPU, each net recorded as a CUDA graph), or "
        "on the CPU opencv, onnxruntime (pip install onnx onnxruntime)",
    )
    p.add_argument("--out", type=Path, metavar="DIR", help="default: runs/benchmark; with --from-json: nowhere")
    p.add_argument(
        "--edge",
        choices=EDGES,
        default="replicate",
        help="what imresize sees beyond the image: replicate as older MATLAB (default), or symmetric as newer",
    )
    p.add_argument(
        "--protocol",
        choices=["own", *PROTOCOLS],
        default="own",
        help="own: each method as its authors tested it (default); or one for all, see tools/methods/protocols.py",
    )
    p.add_argument(
        "--tile",
        type=_side,
        metavar="N",
        help="side of the tiles, in pixels, of nets that take the enlarged image (default: each method's own)",
    )
    p.add_argument(
        "--random-weights",
        action="store_true",
        help="with --tables 4: time nets without weights here, too, with random ones",
    )
    p.add_argument(
        "--repeats",
        type=_repeats,
        metavar="N",
        help=f"forward passes for the median time of Table 4 (default: {REPEATS}; 0: none)",
    )
    p.add_argument("--save-images", action="store_true", help="write colour pictures to OUT/images")
    p.add_argument(
        "--update",
        type=Path,
        metavar="FILE",
        help="also take over the rows of another benchmark.json that are neither in OUT nor asked for now",
    )
    p.add_argument("--shard", type=ranges.share, metavar="I/N",
                   help="only the I-th of N shares of the rows, into an OUT of its own; --from-json puts the reports "
                   "together")  # fmt: skip
    p.add_argument("--fresh", action="store_true", help="start anew: ignore and replace the report in OUT")
    p.add_argument(
        "--resume",
        action="store_true",
        help="measure rows without times, too, in processes of their own, fastest first, so that one that fails is a "
        "gap; to go on after a stop no option is needed",
    )
    p.add_argument("--from-json", type=Path, nargs="+", metavar="FILE",
                   help="only print the tables of an earlier benchmark.json, or of several together")  # fmt: skip
    return p


def _repeats(text):
    return _at_least(0, text)


def _side(text):
    return _at_least(16, text)


def _at_least(least, text):
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < least:
        raise argparse.ArgumentTypeError(f"got {text}, expected a whole number of at least {least}, up to nine digits")
    return int(text)


def prepared(args, argv, held):
    """Jobs (list of Job), inspected, and the report's meta (dict), after the folder and the device are there."""
    jobs = plan.plan(args)
    if args.shard:
        number, count = args.shard
        jobs = jobs[number - 1 :: count]
        if not jobs:
            raise UserError(f"--shard {number}/{count}: has no row, all are in the shares before; give a smaller N")
    outputs.folder(args.out)
    about = surroundings(args, argv)
    jobs = plan.inspected(jobs, held)
    return jobs, {**about, **settings(args, jobs)}


def measured(args, argv):
    """Measure into args.out what it has not yet, and print the tables; gives the exit status, 1 when a row failed."""
    gpu = memory.GpuMemory(args.gpu.number) if args.gpu.on_gpu else None  # before Caffe takes the GPU
    held = material.Material(nets=0) if gpu else material.Material()  # a GPU's memory is for the row that runs
    how, update = options(args, gpu), reports.read_report(args.update) if args.update else None
    jobs, meta = prepared(args, argv, held)
    kept = keeping.Kept(args.out, meta, jobs, how, args.fresh, update)
    failed = row_by_row.run(kept, how, args.gpu, held, args.resume)
    report, changed = kept.finish()
    show(report, None)
    done = "written" if changed else "nothing is changed" if failed else "every row was there, nothing is changed"
    print(f"{done}: {args.out}/benchmark.json, .csv, .md", file=sys.stderr)
    if failed:
        print(f"rows that failed, which the same command tries again: {'; '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def options(args, gpu):
    """How to measure (Options)."""
    pictures = args.out / "images" if args.save_images else None
    timed = 4 in args.tables or args.repeats > 0
    return Options(args.edge, metrics(args.tables), args.repeats, pictures, args.engine, gpu, timed)


def main(argv=None):
    """Measure, print the tables and write them; gives the exit status."""
    args = parser().parse_args(argv)
    argv = sys.argv[1:] if argv is None else list(argv)
    if args.from_json:
        return _rendered(args)
    args.tables = sorted(set(args.tables or paper.TABLES))
    engines.check_engine(args.engine, args.gpu)
    if args.random_weights and args.tables != [4]:
        raise UserError("--random-weights: makes no picture worth a score; give it with --tables 4 alone")
    if args.repeats is None:
        args.repeats = REPEATS if 4 in args.tables else 0
    args.out = args.out or ROOT / "runs" / "benchmark"
    with scratch.private():
        return measured(args, argv)


# options that say what to measure and how
MEASURING = ("datasets", "scales", "methods", "weights", "trained_here", "gpu", "tile", "repeats", "random_weights",
             "save_images", "update", "shard", "fresh", "resume")  # fmt: skip


def _rendered(args):
    """Show an earlier report; gives the exit status."""
    given = [name for name in MEASURING if getattr(args, name) not in (None, False, CPU)]
    if given:
        option = given[0].replace("_", "-")
        raise UserError(f"--from-json: measures nothing, so that --{option} has no effect; give one of them alone")
    report = merging.together({path: reports.read_report(path) for path in args.from_json})
    if args.out is not None:
        outputs.folder(args.out)
    report["meta"]["tables"] = sorted(set(args.tables or report["meta"]["tables"]))
    return show(report, args.out)


def show(report, folder):
    """Print the tables of `report`; write them to `folder` unless it is None. Gives the exit status."""
    sys.stdout.write(tables.tables_text(report, report["meta"]["tables"]))
    if folder is not None:
        written = reports.write_report(report, folder)
        print(f"written: {', '.join(map(str, written))}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    cli.run(main)
