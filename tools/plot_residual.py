#!/usr/bin/env python3
"""Figure 4 of the paper: the residual image that a network has to learn, and the distribution of its values.

    tools/plot_residual.py                                       # butterfly of DATA/Set5 at x3, into results/figures
    tools/plot_residual.py photo.png --scale 2 --out runs/figures
    tools/plot_residual.py --graph-only                          # only the distribution, no picture

The residual is Y of the ground truth less the bicubic enlargement of its small version, both 0..1, where the paper's
scores are computed (the scale's border is left out). Where IDN's weights are there, the residual that IDN predicts is
drawn as well. Writes residual_NAME_xM.png and .svg, and its figures as .json.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import sys
from pathlib import Path

import numpy as np

import matlab_compat as matlab
from data_prep import digests, images
from data_prep.files import together, write_json
from data_prep.weights import idn_weights
from tools.common import cli, outputs, provenance
from tools.figures import style
from tools.methods import evaluation
from tools.methods.registry import METHODS

BINS = 121
SHOWN = 99.5  # per cent of the values lie inside the colours of the picture, or edges alone would be seen
REACH = 0.6  # of the axis of values: the paper's runs from -0.4 to 0.5


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    p = cli.Parser(__doc__)
    p.add_argument("image", nargs="?", type=Path, help="default: DATA/Set5/butterfly_GT.bmp")
    p.add_argument("--scale", type=int, choices=cli.SCALES, default=3, help="default: 3")
    p.add_argument("--graph-only", action="store_true", help="draw no picture, which would show the image")
    cli.add_folders(p)
    return p


def residuals(img, scale, weights=None):
    """The residual image of a ground truth, and what IDN makes of it.

    Parameters
    ----------
    img : ndarray, (H, W) or (H, W, 3), uint8
    scale : int
    weights : Path, optional
        Of IDN.

    Returns
    -------
    dict of str to ndarray, float64
        "ground truth" and, with weights, "IDN": values of -1..1, `scale` pixels less on every side.
    """
    sample = evaluation.prepare(img, scale)
    base = sample.base.astype(np.float64)
    found = {"ground truth": sample.hr / 255 - base}
    if weights is not None:
        net = METHODS["IDN"].load(scale, weights)
        found["IDN"] = evaluation.super_resolve(net, sample).astype(np.float64) - base
        cli.check_finite(found["IDN"], weights)
    return {name: matlab.shave(one, scale) for name, one in found.items()}


def numbers(residual):
    """What the paper says about a residual image, as numbers (dict): range, shares of signs, share near zero, mean."""
    return {
        "lowest": float(residual.min()),
        "highest": float(residual.max()),
        "mean": float(residual.mean()),
        "share_positive": float((residual > 0).mean()),
        "share_negative": float((residual < 0).mean()),
        "share_within_0.02": float((np.abs(residual) <= 0.02).mean()),
    }


def plot(found, title, folder, stem, graph_only=False):
    """Draw `residuals` into `folder`/`stem`.png and .svg; gives their paths."""
    truth = found["ground truth"]
    ratio = truth.shape[1] / truth.shape[0]
    pictures = 0 if graph_only else 1
    with style.figure(4.2 + pictures * 3.1 * ratio, 3.4) as figure:
        widths = [3.1 * ratio, 4.2] if pictures else [1]
        *left, right = figure.subplots(1, 1 + pictures, squeeze=False, gridspec_kw={"width_ratios": widths})[0]
        if pictures:
            limit = float(np.percentile(np.abs(truth), SHOWN)) or 1.0
            drawn = left[0].imshow(truth, cmap=style.DIVERGING, vmin=-limit, vmax=limit)
            style.bare(left[0]).set_title("residual image (Y, 0..1)")
            figure.colorbar(drawn, ax=left[0], shrink=0.9, extend="both")
        edges = np.linspace(-REACH, REACH, BINS + 1)
        for number, (name, residual) in enumerate(found.items()):
            look = style.curve(number)
            counts = np.histogram(np.clip(residual, -REACH, REACH), edges)[0] / residual.size
            right.stairs(counts, edges, label=name, color=look["color"], linestyle=look["linestyle"])
        right.set(yscale="log", xlabel="residual (of the range 0..1)", ylabel=f"share of pixels ({BINS} bins)")
        right.set_title("distribution")
        right.legend()
        figure.suptitle(title)
        return style.save_both(figure, folder, stem)


def main(argv=None):
    """Draw Figure 4; gives the exit status."""
    args = parser().parse_args(argv)
    path = args.image or images.in_set(args.data_dir, "Set5", "butterfly")
    weights = idn_weights(args.weights_dir, args.scale)
    outputs.folder(args.out)
    img = images.read_image(path)
    evaluation.check_size(img.shape, args.scale, path)
    found = residuals(img, args.scale, weights)
    name = cli.name_of(path)
    stem = f"residual_{name}_x{args.scale}"
    report = {
        "command": provenance.command("tools/plot_residual.py", sys.argv[1:] if argv is None else argv),
        "image_sha256": digests.file_sha256(path),
        "weights": weights and weights.name,
        **{name: numbers(residual) for name, residual in found.items()},
    }
    with together():
        written = plot(found, f"{name}, x{args.scale}", args.out, stem, args.graph_only)
        write_json(args.out / f"{stem}.json", report)
    print("\n".join(map(str, written)))
    return 0


if __name__ == "__main__":
    cli.run(main)
