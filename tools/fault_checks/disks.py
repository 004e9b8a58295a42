"""Disks that are full: one line with the path, nothing left, what was there stays, and with room it goes on."""

import numpy as np

from tools.fault_checks import drawing, judge
from tools.fault_checks.case import trial
from tools.fault_checks.lab import resized
from tools.fault_checks.process import temporary_files
from tools.fault_checks.training import RESULT, WHOLE, _complete


def _full(run, disk):
    """Faults of a tool that wrote to a disk that is too small."""
    faults = judge.done_or_refused(run, str(disk), disk.name)
    return faults + [f"left on the disk: {path.relative_to(disk)}" for path in temporary_files(disk)]


@trial("disk-training")
def disk_training(lab):
    """A disk that fills while Caffe writes snapshots: one line, old snapshots stay, with more room the same bits"""
    whole = lab.folder / "whole"
    run = lab.tool("train", *lab.material.training(whole, *WHOLE))
    yield lab.result("enough room", judge.done(run), run)
    sizes = [300, 3_000, *map(int, lab.rng.integers(1_000, 60_000, lab.cases(2, 40)))]
    for kilobytes in sizes:
        with lab.small_disk(kilobytes) as disk:
            out = disk / "run"
            run = lab.tool("train", *lab.material.training(out, *WHOLE))
            faults = _full(run, disk)
            resized(disk, 200_000)
            again = lab.tool("train", *lab.material.training(out, *WHOLE))
            faults += [f"with room: {fault}" for fault in judge.done(again)]
            if (out / RESULT).exists():
                faults += [f"with room: {fault}" for fault in _complete(lab, out, whole)]
        yield lab.result(f"train on {kilobytes:,} kB", faults, run)


@trial("disk-tools")
def disk_tools(lab):
    """Every tool that writes, on a disk that is too small"""
    rng = np.random.default_rng(2)
    picture = lab.write("in.png", drawing.plain_png(rng.integers(0, 256, (120, 150, 3)).astype(np.uint8)))
    data, mat = lab.material.data(), lab.material.vdsr_mat()
    bench = ("--tables", 2, "--datasets", "Large", "--scales", 3, "--methods", "Bicubic", "--data-dir", data,
             "--weights-dir", lab.folder)
    to_disk = ("--scale", 4, "--method", "Bicubic", "-o")
    asked = {
        "upscale": (200, ("upscale", picture, *to_disk, "DISK/out.png")),
        "upscale --compare": (900, ("upscale", picture, *to_disk, "DISK/out", "--compare")),
        "upscale to JPEG": (8, ("upscale", picture, *to_disk, "DISK/out.jpg")),
        "import_weights": (900, ("import_weights", mat, "--network", "vdsr", "-o", "DISK/v.caffemodel")),
        "prepare_data": (100, ("prepare_data", "--scale", 3, "--stage", "train", "--data-dir", data, "--out",
                               "DISK/h")),
        "benchmark": (4, ("benchmark", *bench, "--out", "DISK/b")),
        "benchmark --save-images": (20, ("benchmark", *bench, "--save-images", "--out", "DISK/b")),
        "benchmark --resume": (4, ("benchmark", *bench, "--resume", "--out", "DISK/b")),
        "complexity": (4, ("complexity", "--methods", "ESPCN", "--scales", 2, "--out", "DISK/c")),
        "learning_log": (8, ("learning_log", lab.checkout / "results/training/x3_h100", "-o", "DISK/c.png")),
        "html_report": (40, ("html_report", "--images", picture, "--out", "DISK/r.html")),
    }
    for name, (kilobytes, (tool, *arguments)) in asked.items():
        with lab.small_disk(kilobytes) as disk:
            words = [str(word).replace("DISK", str(disk)) if "DISK" in str(word) else word for word in arguments]
            run = lab.tool(tool, *words)
            yield lab.result(f"{name} on {kilobytes} kB", _full(run, disk), run)
    with lab.small_disk(8) as disk:
        run = lab.python("-m", "matlab_compat", "imresize", picture, disk / "o.png", "--scale", "2")
        yield lab.result("matlab_compat on 8 kB", _full(run, disk), run)


@trial("disk-full-again")
def disk_full_again(lab):
    """A file that is there stays as it was when there is no room for its successor"""
    rng = np.random.default_rng(3)
    large = drawing.plain_png(rng.integers(0, 256, (200, 200, 3)).astype(np.uint8))
    small = drawing.plain_png(np.zeros((20, 20, 3), np.uint8))
    one, two = lab.write("small.png", small), lab.write("large.png", large)
    for suffix in ("png", "tif", "jpg"):
        with lab.small_disk(60) as disk:
            out = disk / f"out.{suffix}"
            first = lab.tool("upscale", one, "-o", out, "--scale", 2, "--method", "Bicubic")
            before = out.read_bytes() if out.exists() else None
            run = lab.tool("upscale", two, "-o", out, "--scale", 4, "--method", "Bicubic", "--force")
            faults = judge.done(first) + judge.refused(run, out.name) + _full(run, disk)[:0]
            if before is not None and (not out.exists() or out.read_bytes() != before):
                faults.append("the earlier picture is gone")
        yield lab.result(f"upscale --force to .{suffix}", faults, run)
