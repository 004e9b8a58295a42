#!/usr/bin/env python3
"""What training data cost: a sample of a large folder's pairs, and pairs that are cut while a network trains.

    tools/bench_data.py large --images 10000 --max-pairs 400000    # makes such a folder, cuts it, removes it
    tools/bench_data.py stream --images data/291                   # pairs per second, beside HDF5

The first adds a row to results/data/large_folder.json, the second writes results/speed/pairs.json; each has its table
beside it, with the ending .md. The large folder holds JPEG files of random pictures, 2 of 100 of them of 2040 x 1356
pixels, the others of 120 to 260; it takes 40 MB for 1,000 images and is made where TMPDIR says.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from data_prep.files import write_json, write_text
from tools.common import cli, provenance, ranges
from tools.common.errors import UserError
from tools.common.markdown import table
from tools.common.paths import ROOT

LARGE, SMALL, OF_LARGE = (1356, 2040), ((120, 220), (120, 260)), (50, 7)
BATCH, GPU_RATE = 64, 213  # iterations per second of an H100 with CUDA graphs, results/gpu
LARGE_HEAD = ["images", "pairs in all", "drawn", "workers", "seconds", "processor seconds", "ms per image", "peak MB"]
STREAM_HEAD = ["images", "workers", "pairs per second", "pairs per processor second", "cores for a GPU"]
TRAIN_HEAD = ["pairs from", "iterations per second", "processor seconds per iteration"]


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    p = cli.Parser(__doc__)
    p.add_argument("what", choices=("large", "stream"))
    p.add_argument("--images", nargs="+", metavar="N|DIR",
                   help="large: how many (1000); stream: folders (data/291), the first for the trainings")  # fmt: skip
    p.add_argument("--max-pairs", type=ranges.whole(64), default=40_000, metavar="N", help="large (default: 40,000)")
    p.add_argument("--workers", type=ranges.whole(1, 1024), default=2, metavar="N", help="processes (default: 2)")
    p.add_argument("--windows", type=ranges.whole(1, 1000), default=4, metavar="N", help="stream: of 256 MB (4)")
    p.add_argument("--iters", type=ranges.whole(10), default=60, metavar="N", help="stream: of the trainings (60)")
    p.add_argument("--val-images", type=Path, default=Path("data/Set5"), help="stream: (default: data/Set5)")
    p.add_argument("--out", type=Path, metavar="FILE", help="the JSON file (default: as above)")
    return p


def main(argv=None):
    """Measure and write; gives the exit status."""
    args = parser().parse_args(argv)
    command = provenance.command("tools/bench_data.py", sys.argv[1:] if argv is None else argv)
    with tempfile.TemporaryDirectory() as folder:
        if args.what == "large":
            large(args, command, Path(folder))
        else:
            stream(args, command, Path(folder))
    return 0


# --- a large folder ----------------------------------------------------------------------------------------------


def large(args, command, folder):
    """Cut a sample of a folder of many images, made in `folder` (Path); adds a row to the results."""
    (count,) = args.images if args.images and len(args.images) == 1 else ("1000",)
    if not count.isdecimal() or not 1 <= int(count) <= 10**6:
        raise UserError(f"images: got {count}, expected how many are to be made, such as 1000")
    make_images(folder / "291", int(count))
    report = folder / "report.json"
    asked = ["--scale", "3", "--stage", "train", "--data-dir", folder, "--out", folder / "hdf5", "--report", report,
             "--max-pairs", args.max_pairs, "--workers", args.workers]  # fmt: skip
    seconds = cpu_seconds([ROOT / "tools/prepare_data.py", *asked])
    (row,) = json.loads(report.read_text())
    kept = {name: row[name] for name in ("images", "pairs_before_truncation", "pairs", "workers", "seconds", "peak_mb")}
    made = {**kept, "processor_seconds": round(seconds, 1), **surroundings(command)}
    out = args.out or ROOT / "results/data/large_folder.json"
    rows = json.loads(out.read_text()) if out.exists() else []
    rows = sorted([one for one in rows if one["images"] != made["images"]] + [made], key=lambda one: one["images"])
    write_json(out, rows)
    write_text(out.with_suffix(".md"), large_page(rows))
    print(out.with_suffix(".md"))


def make_images(folder, count):
    """Write so many random pictures (JPEG) into a folder (Path)."""
    import cv2  # here: --help must not wait for it
    import numpy as np

    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(count):
        is_large = number % OF_LARGE[0] == OF_LARGE[1]
        height, width = LARGE if is_large else (int(rng.integers(*sides)) for sides in SMALL)
        coarse = rng.random((max(2, height // 40), max(2, width // 40), 3)).astype(np.float32)
        smooth = 255 * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        pixels = np.clip(smooth + rng.normal(0, 5, (height, width, 1)), 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{number:05d}.jpg"), pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])


def large_page(rows):
    """The table (str) of large folders."""
    body = [
        [f"{row['images']:,}", f"{row['pairs_before_truncation']:,}", f"{row['pairs']:,}", str(row["workers"]),
         f"{row['seconds']:,.0f}", f"{row['processor_seconds']:,.0f}",
         f"{1000 * row['processor_seconds'] / row['images']:.0f}", str(row["peak_mb"])]
        for row in rows
    ]  # fmt: skip
    lines = [
        "# A sample of a large folder's pairs",
        "",
        "Written by `tools/bench_data.py large`: x3, stage train, `--max-pairs`. Of 100 images 2 have 2040 x 1356",
        "pixels, the others some 170 x 190. Seconds are wall-clock, without the look at the images before; processor",
        "seconds are those of the whole command and all its processes, and milliseconds per image follow from them.",
        "Peak MB is the sum of the largest resident sizes of all processes.",
        "",
        table(LARGE_HEAD, body, 0),
        "",
        *[f"- {row['images']:,} images: {about(row)}" for row in rows],
    ]
    return "\n".join(lines) + "\n"


# --- pairs cut while a network trains ------------------------------------------------------------------------------


def stream(args, command, folder):
    """Measure the stream alone, and trainings that read images and HDF5; writes the results."""
    folders = [Path(one) for one in args.images or ("data/291",)]
    rows = [stream_row(one, workers, args.windows) for one in folders for workers in sorted({1, args.workers})]
    found = {"stream": rows, "trainings": trainings(folders[0], args, folder), **surroundings(command)}
    out = args.out or ROOT / "results/speed/pairs.json"
    write_json(out, found)
    write_text(out.with_suffix(".md"), stream_page(found))
    print(out.with_suffix(".md"))


def stream_row(images, workers, windows):
    """Rates (dict) of the stream of a folder's pairs, read by nobody but this loop."""
    from data_prep.geometry import geometry  # here: --help must not wait for them
    from data_prep.plan import gather, make_plan
    from data_prep.stream import SLOTS, Stream

    plan, used = make_plan(gather(images, decode=False), geometry(3, "train"), 1), []
    for length in (1, 1 + windows):  # the difference is without the start of the processes
        before = children_seconds()
        with Stream(plan, 1, workers) as pairs:
            window = pairs.order.window
            pairs.wait(0, window)
            began = time.monotonic()
            for place in range(window, length * window, BATCH):
                pairs.read(place, BATCH)
            seconds = time.monotonic() - began
        used.append(children_seconds() - before)
    many = windows * window
    return {
        "folder": images.name, "images": len(plan.sources.images), "pairs": plan.total, "workers": workers,
        "pairs_at_the_start": SLOTS * window,
        "pairs_per_second": many / seconds, "pairs_per_processor_second": many / (used[1] - used[0]),
    }  # fmt: skip


def trainings(images, args, folder):
    """Iterations per second (list of dict) of trainings on the CPU that read images and HDF5, in turn, twice."""
    data, hdf5 = folder / "data", folder / "hdf5"
    data.mkdir()
    (data / "291").symlink_to(images.absolute())
    (data / "Set5").symlink_to(args.val_images.absolute())
    for stage in ("train", "val"):
        asked = ["--scale", "3", "--stage", stage, "--data-dir", data, "--out", hdf5]
        cpu_seconds([ROOT / "tools/prepare_data.py", *asked, *(["--max-pairs", "8192"] if stage == "train" else [])])
    sources = {"HDF5": ["--hdf5-dir", hdf5], "images": ["--from-images", data / "291", "--workers", args.workers]}
    rates, seconds = {name: [] for name in sources}, {name: [] for name in sources}
    for turn in range(2):
        for name, options in sources.items():
            run = folder / f"{name}{turn}"
            asked = ["--scale", "3", "--stage", "pretrain", "--iters", args.iters, "--test-interval", args.iters]
            asked += ["--snapshot", args.iters, "--data-dir", data, "--out", run, *options]
            seconds[name].append(cpu_seconds([ROOT / "tools/train.py", *asked]))
            rates[name].append(float((run / "log.csv").read_text().splitlines()[-1].split(",")[4]))
    return [
        {"from": name, "iterations_per_second": max(rates[name]),
         "processor_seconds_per_iteration": min(seconds[name]) / args.iters}
        for name in sources
    ]  # fmt: skip


def stream_page(found):
    """The page (str) of rates."""
    needed = BATCH * GPU_RATE
    rows = [
        [f"{row['images']:,} of {row['folder']}", str(row["workers"]), f"{row['pairs_per_second']:,.0f}",
         f"{row['pairs_per_processor_second']:,.0f}", f"{needed / row['pairs_per_processor_second']:.1f}"]
        for row in found["stream"]
    ]  # fmt: skip
    trained = [
        [row["from"], f"{row['iterations_per_second']:.2f}", f"{row['processor_seconds_per_iteration']:.2f}"]
        for row in found["trainings"]
    ]
    first = found["stream"][0]
    own, ahead = 1000 * BATCH / first["pairs_per_processor_second"], first["pairs_at_the_start"]
    lines = [
        "# Pairs that are cut while a network trains",
        "",
        f"Written by `tools/bench_data.py stream`: IDN x3, stage pretrain, batches of {BATCH}.",
        "",
        "The stream alone, read by a loop that does nothing else. A GPU that trains at",
        f"{GPU_RATE} iterations per second takes {needed:,} pairs per second; the last column is that over pairs per",
        "processor second: cores that cut, beside the one that trains.",
        "",
        table(STREAM_HEAD, rows, 1),
        "",
        "Trainings on the CPU, in turn, the better of two short runs; processor seconds are those of the whole",
        f"command, its start and one validation included. From images the start cuts {ahead:,} pairs, enough for",
        f"{ahead // BATCH:,} iterations; the pairs of one iteration take {own:.1f} ms of processor time.",
        "",
        table(TRAIN_HEAD, trained, 1),
        "",
        about(found),
    ]
    return "\n".join(lines) + "\n"


# --- what both need --------------------------------------------------------------------------------------------------


def children_seconds():
    """Processor seconds (float) of all processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cpu_seconds(command):
    """Run a tool; gives its processor seconds (float), those of its processes included. Raises UserError."""
    before = children_seconds()
    done = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True)
    if done.returncode:
        raise UserError(done.stderr.strip() or f"{command[0]}: ended with status {done.returncode}")
    return children_seconds() - before


def surroundings(command):
    """Command, date and machine (dict)."""
    return {
        "command": command, "date": provenance.now(), "device": provenance.processor(), "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 1),
    }  # fmt: skip


def about(row):
    """A sentence (str) on a measurement."""
    return (
        f"`{row['command']}`, {row['date']}, {row['device']}, {row['cores']} cores, load average "
        f"{row['load_average']} at the end (other work on the machine makes seconds longer, and processor seconds "
        "up to twice as long)"
        + (f"; {row['note']}." if "note" in row else ".")
    )


if __name__ == "__main__":
    cli.run(main)
