#!/usr/bin/env python3
"""Compare matlab_compat with other ports: mismatch against MATLAB and time; renews the tables of docs/matlab.md.

    tools/bench_matlab_compat.py --shared ../shared                       # with what is installed
    tools/bench_matlab_compat.py --shared ../shared --peers /tmp/peers    # and another environment's packages

The folder --shared holds oracles/ (MATLAB's output, the authors' metrics) and data/Set14. Make the peers' environment
with `python3 -m venv /tmp/peers` and
`/tmp/peers/bin/pip install pillow scikit-image torch resize-right bicubic-pytorch pyiqa basicsr-fixed`.

Writes OUT/benchmark.json and OUT/benchmark.md and renews the tables of the page. Each time is the shortest of --rounds.
The candidates take turns within each round, so that ratios are valid on a busy machine, too; very slow candidates take
part in fewer rounds.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import json
import time
from pathlib import Path

import cv2
import numpy as np

import matlab_compat
from data_prep.files import write_text
from tools.common import cli, memory, outputs, provenance
from tools.common.errors import UserError
from tools.common.paths import ROOT
from tools.peers import environment, imresize, imresize_page

OURS = "matlab_compat imresize"
DOWN, UP = (1 / 2, 1 / 3, 1 / 4), (2, 3, 4)
BUDGET = 0.5  # seconds that a candidate may take for one image and scale; then it is not called again
FRAME = 4  # border pixels that the second mismatch leaves out


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    p = cli.Parser(__doc__)
    p.add_argument("--shared", type=Path, metavar="DIR", default=ROOT.parent / "shared",
                   help="holds oracles/ and data/Set14 (default: shared, beside the checkout)")  # fmt: skip
    p.add_argument("--peers", type=Path, metavar="DIR", help="virtual environment with packages to compare with")
    p.add_argument("--out", type=Path, metavar="DIR", default=ROOT / "results" / "matlab_compat",
                   help="default: results/matlab_compat")  # fmt: skip
    p.add_argument("--page", type=Path, metavar="FILE", default=ROOT / "docs" / "matlab.md",
                   help="page whose tables are renewed (default: docs/matlab.md)")  # fmt: skip
    p.add_argument("--rounds", type=int, metavar="N", default=7, help="default: 7")
    return p


def main(argv=None):
    """Measure, write the results, renew the page; gives the exit status."""
    args = parser().parse_args(argv)
    if args.rounds < 1:
        raise UserError(f"--rounds {args.rounds}: expected at least 1")
    imresize_page.check_page(args.page)
    if args.peers:
        environment.add_packages(args.peers)
    outputs.folder(args.out)
    candidates = {OURS: matlab_compat.imresize, **imresize.peers()}
    report = {"meta": meta(args, argv), "resize": resizing(candidates, args), "metrics": metrics(args)}
    report["memory"] = peaks()
    text = imresize_page.markdown(report)
    write_text(args.out / "benchmark.json", json.dumps(report, indent=1) + "\n")
    write_text(args.out / "benchmark.md", text)
    imresize_page.renew(args.page, text)
    print(text)
    return 0


def meta(args, argv):
    """Where the figures come from."""
    return {
        "date": provenance.now(),
        "command": provenance.command("tools/bench_matlab_compat.py", argv or _arguments(args)),
        "device": provenance.processor(),
        "versions": provenance.versions(),
        "rounds": args.rounds,
        "frame": FRAME,
        "not_installed": imresize.absent(),
    }


def _arguments(args):
    return ["--shared", str(args.shared), *(["--peers", str(args.peers)] if args.peers else [])]


def resizing(candidates, args):
    """A row for each candidate: mismatch against MATLAB's output, and seconds for all of Set14."""
    mismatch = measure_mismatch(candidates, oracle_pairs(args.shared / "oracles" / "imresize"))
    images = read_images(args.shared / "data" / "Set14")
    seconds = {}
    for label, scales in (("down", DOWN), ("up", UP)):
        seconds[label] = dict.fromkeys(candidates, 0.0)
        for img in images:
            for scale in scales:
                calls = {name: _bind(function, img, scale) for name, function in candidates.items()}
                for name, value in shortest(calls, args.rounds).items():
                    seconds[label][name] += value
    return [
        {"name": name, **mismatch[name], "down_s": seconds["down"][name], "up_s": seconds["up"][name]}
        for name in candidates
    ]


def oracle_pairs(folder):
    """[(image, MATLAB's imresize of it, scale)] of the oracle folder; B, G, R order, which nothing here depends on."""
    pairs = []
    for factor in (2, 3, 4):
        for path in sorted((folder / f"x{factor}").glob("*_HR.png")):
            small = path.with_name(path.name.replace("_HR", "_LR"))
            pairs.append((read_image(path), read_image(small), 1 / factor))
    if not pairs:
        raise UserError(f"{folder}: no x2/*_HR.png there; expected MATLAB's output, name its folder with --shared")
    return pairs


def measure_mismatch(candidates, pairs):
    """Share of values (in %) that differ from MATLAB's, with and without the frame, and the largest difference."""
    rows = {}
    for name, function in candidates.items():
        gaps = [np.abs(function(img, scale).astype(int) - small) for img, small, scale in pairs]
        inner = [gap[FRAME:-FRAME, FRAME:-FRAME] for gap in gaps]
        rows[name] = {
            "mismatch_percent": 100 * _share(gaps),
            "mismatch_inside_percent": 100 * _share(inner),
            "largest_difference": max(int(gap.max()) for gap in gaps),
            "largest_inside": max(int(gap.max()) for gap in inner),
            "values": sum(gap.size for gap in gaps),
        }
    return rows


def _share(gaps):
    return sum(int((gap > 0).sum()) for gap in gaps) / sum(gap.size for gap in gaps)


def metrics(args):
    """Largest difference of psnr, ssim and ifc from the authors' scripts, and seconds on a 512 x 512 image."""
    folder = args.shared / "oracles" / "metrics"
    path = folder / "metrics.json"
    if not path.exists():
        raise UserError(f"{path}: no such file; expected the authors' metrics, name their folder with --shared")
    values = json.loads(path.read_text(encoding="utf-8"))["values"]
    rng = np.random.default_rng(0)
    big = cv2.GaussianBlur(rng.integers(0, 256, (512, 512), np.uint8), (5, 5), 1)
    other = np.clip(big + rng.normal(0, 5, big.shape), 0, 255).astype(np.uint8)
    rows = []
    for name in ("psnr", "ssim", "ifc"):
        function = getattr(matlab_compat, name)
        gaps = [abs(function(*_metric_pair(folder, key)) - expected[name]) for key, expected in values.items()]
        spent = shortest({name: _bind(function, big, other)}, max(args.rounds, 5))[name]
        rows.append({"name": name, "largest_difference": max(gaps), "images": len(gaps), "seconds": spent})
    return rows


def _metric_pair(folder, key):
    return [read_image(folder / f"{key}_{part}.png", cv2.IMREAD_GRAYSCALE) for part in ("reference", "bicubic")]


def peaks():
    """Peak memory above that before the call, in sizes of the larger image as double; Linux only."""
    rng = np.random.default_rng(0)
    color = rng.integers(0, 256, (2400, 3000, 3), np.uint8)
    gray = rng.random((2400, 3000))
    cases = {
        "imresize uint8 RGB to 1/3": (lambda: matlab_compat.imresize(color, 1 / 3), color.size),
        "imresize uint8 RGB to 0.9": (lambda: matlab_compat.imresize(color, 0.9), color.size),
        "imresize uint8 RGB by 2": (lambda: matlab_compat.imresize(color, 2), 4 * color.size),
        "imresize double to 1/3": (lambda: matlab_compat.imresize(gray, 1 / 3), gray.size),
        "imresize double by 2": (lambda: matlab_compat.imresize(gray, 2), 4 * gray.size),
        "rgb2ycbcr uint8": (lambda: matlab_compat.rgb2ycbcr(color), color.size),
        "psnr double": (lambda: matlab_compat.psnr(gray, gray), gray.size),
        "ssim double": (lambda: matlab_compat.ssim(gray, gray), gray.size),
        "ifc double": (lambda: matlab_compat.ifc(gray, gray), gray.size),
    }
    found = {name: (memory.peak(call), size) for name, (call, size) in cases.items()}
    return [
        {"name": name, "double_images": held / (8 * size)} for name, (held, size) in found.items() if held is not None
    ]


def shortest(calls, rounds):
    """The shortest time (s) of each of {name: call}, all called in turn in each round, slow ones in fewer rounds."""
    best, spent = dict.fromkeys(calls, float("inf")), dict.fromkeys(calls, 0.0)
    for _ in range(rounds):
        for name, call in calls.items():
            if spent[name] < BUDGET:
                start = time.perf_counter()
                call()
                took = time.perf_counter() - start
                best[name], spent[name] = min(best[name], took), spent[name] + took
    return best


def _bind(function, *arguments):
    return lambda: function(*arguments)


def read_images(folder):
    """All images of a folder, uint8 (H, W, 3)."""
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    if not paths:
        raise UserError(f"{folder}: no images there; expected Set14, name the folder above with --shared")
    return [read_image(path) for path in paths]


def read_image(path, flag=cv2.IMREAD_COLOR):
    """One image, uint8."""
    img = cv2.imread(str(path), flag)
    if img is None:
        raise UserError(f"{path}: cannot be read as an image; fetch it again")
    return img


if __name__ == "__main__":
    cli.run(main)
