#!/usr/bin/env python3
"""Figure 5 of the paper: the mean feature map of each enhancement and each compression unit of IDN.

    tools/plot_features.py                                        # butterfly of DATA/Set5 at x3, into results/figures
    tools/plot_features.py photo.png --scale 2 --out runs/figures
    tools/plot_features.py photo.png --weights runs/x3/idn/IDN_x3.caffemodel --out runs/figures

T_mean, equations 13 and 14, is the mean over the channels. Enhancement unit k is the blob sum<k> (equation 11),
compression unit k the blob down<k> (equation 12), activation included. Each map has its own colour bar, because the
values of the fourth are much larger. Writes features_NAME_xM.png and .svg, and the range of each map as .json.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import sys
from pathlib import Path

import numpy as np

from data_prep import digests, images
from data_prep.files import together, write_json
from data_prep.weights import gap, idn_weights
from tools.common import cli, outputs, provenance
from tools.common.errors import UserError
from tools.figures import style
from tools.methods import evaluation
from tools.methods.registry import METHODS
from tools.nets import runtime

UNITS = {"enhancement": "sum{}", "compression": "down{}"}
BLOCKS = 4


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    p = cli.Parser(__doc__)
    p.add_argument("image", nargs="?", type=Path, help="default: DATA/Set5/butterfly_GT.bmp")
    p.add_argument("--scale", type=int, choices=cli.SCALES, default=3, help="default: 3")
    p.add_argument("--weights", type=Path, metavar="FILE", help="IDN's weights (default: released, else trained here)")
    cli.add_folders(p)
    return p


def t_mean(features):
    """Equation 14: the mean of feature maps over the channels.

    Parameters
    ----------
    features : ndarray, (C, h, w)

    Returns
    -------
    ndarray, (h, w), float64

    Notes
    -----
    Source: paper, section 4.3.
    """
    return features.mean(axis=0, dtype=np.float64)


def mean_maps(img, scale, weights):
    """Mean feature maps of all units for the small version of a ground truth.

    Parameters
    ----------
    img : ndarray, (H, W) or (H, W, 3), uint8
    scale : int
    weights : Path

    Returns
    -------
    dict of str to list of ndarray, (h, w), float64
        "enhancement" and "compression", unit 1 to 4.
    """
    net = METHODS["IDN"].load(scale, weights)
    runtime.forward(net, evaluation.prepare(img, scale).lr)
    return {
        unit: [t_mean(net.blobs[blob.format(k)].data[0]) for k in range(1, BLOCKS + 1)] for unit, blob in UNITS.items()
    }


def plot(maps, title, folder, stem):
    """Draw `mean_maps` into `folder`/`stem`.png and .svg; gives their paths."""
    from matplotlib.ticker import MaxNLocator  # here: --help must not wait for it

    height, width = maps["enhancement"][0].shape
    with style.figure(2.1 * BLOCKS, 2 * (2.1 * height / width + 0.6) + 0.4) as figure:
        grid = figure.subplots(len(UNITS), BLOCKS, squeeze=False)
        for row, (unit, pictures) in zip(grid, maps.items()):
            for k, (axes, picture) in enumerate(zip(row, pictures), 1):
                drawn = axes.imshow(picture, cmap=style.SEQUENTIAL)
                style.bare(axes).set_title(f"{unit} unit {k}")
                bar = figure.colorbar(drawn, ax=axes, location="bottom", fraction=0.05, pad=0.03)
                bar.locator = MaxNLocator(3)
        figure.suptitle(title)
        return style.save_both(figure, folder, stem)


def main(argv=None):
    """Draw Figure 5; gives the exit status."""
    args = parser().parse_args(argv)
    path = args.image or images.in_set(args.data_dir, "Set5", "butterfly")
    weights = args.weights or idn_weights(args.weights_dir, args.scale)
    if weights is None:
        raise UserError(f"{gap('IDN', args.scale)}, and none in results/models; or give --weights FILE")
    outputs.folder(args.out)
    img = images.read_image(path)
    evaluation.check_size(img.shape, args.scale, path)
    maps = mean_maps(img, args.scale, weights)
    for picture in (one for pictures in maps.values() for one in pictures):
        cli.check_finite(picture, weights)
    name = cli.name_of(path)
    stem = f"features_{name}_x{args.scale}"
    report = {
        "command": provenance.command("tools/plot_features.py", sys.argv[1:] if argv is None else argv),
        "image_sha256": digests.file_sha256(path),
        "weights": weights.name,
        **{
            unit: [{"lowest": float(p.min()), "mean": float(p.mean()), "highest": float(p.max())} for p in pictures]
            for unit, pictures in maps.items()
        },
    }
    with together():
        written = plot(maps, f"T_mean of IDN's units, {name}, x{args.scale}", args.out, stem)
        write_json(args.out / f"{stem}.json", report)
    print("\n".join(map(str, written)))
    return 0


if __name__ == "__main__":
    cli.run(main)
