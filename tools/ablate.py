#!/usr/bin/env python3
"""Study IDN's design: train variants for the same number of iterations each, and put them side by side.

    tools/ablate.py --scale 3 --iters 2000 --variants "" "--blocks 2" "--D3 48 --d 12" "--groups 1" "--loss l2"
    tools/ablate.py --scale 3 --iters 2000 --gpu 0

Each variant is a text of tools/train.py's options for another IDN (--D3 --d --s --blocks --groups --slope --beta1
--loss); the empty one is the paper's. Writes a run for each into OUT, then OUT/ablation.json, .md, .png and .svg:
parameters, GMAC for a result of 1280x720, PSNR on the validation images, seconds per image. The same command goes on
after a stop, and adds variants that are new.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import os
import sys
from pathlib import Path

from tools import train
from tools.common import cli, provenance, ranges
from tools.common.paths import ROOT

DEFAULT = ["", "--blocks 2", "--D3 48 --d 12", "--d 8", "--groups 1", "--loss l2"]


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    p = cli.Parser(__doc__)
    p.add_argument("--scale", type=int, choices=cli.SCALES, default=3)
    p.add_argument("--iters", type=ranges.whole(1), default=2000, help="iterations of each variant (default: 2000)")
    p.add_argument("--variants", nargs="+", default=DEFAULT, metavar="TEXT", help="options of each; '' is the paper's")
    p.add_argument("--gpu", default=os.environ.get("GPU"), help="number of the GPU (default: CPU)")
    p.add_argument("--batch", type=ranges.whole(1), help="pairs in an iteration (default: 64)")
    p.add_argument("--lr", type=ranges.real(1e-30, 1e30), help="learning rate (default: 1e-4)")
    cli.add_folder(p, "DATA", "folder of the image sets")
    cli.add_folder(p, "HDF5", "databases of tools/prepare_data.py")
    p.add_argument("--val-images", type=Path, help="images for the validation PSNR (default: DATA/Set5)")
    p.add_argument("--out", type=Path, default=ROOT / "runs" / "ablation", help="default: runs/ablation")
    return p


def main(argv=None):
    """Train the variants and write the comparison; gives the exit status."""
    args = parser().parse_args(argv)

    from tools.training import ablation  # not before: --help must not wait for Caffe

    return ablation.run(args, provenance.command("tools/ablate.py", sys.argv[1:] if argv is None else argv), train)


if __name__ == "__main__":
    cli.run(main)
