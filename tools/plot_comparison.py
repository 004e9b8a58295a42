#!/usr/bin/env python3
"""Figures 6 to 8 of the paper: one part of an image by all methods, PSNR, SSIM and IFC below each.

    tools/plot_comparison.py --figure 6            # barbara of Set14, x4; 7: 8023 of BSD100; 8: img085 of Urban100
    tools/plot_comparison.py photo.png --scale 3 --box 165 60 126 126 --out runs/figures
    tools/plot_comparison.py photo.png --scale 2 --methods Bicubic IDN --strip --out runs/figures

The box is column, row, width and height in pixels of the image; by default the middle quarter. Scores are of the whole
image by each method's own protocol. Methods without weights in WEIGHTS/ and results/models/ are left out and named.
Writes comparison_NAME_xM.png and .svg, and the scores as .json. --strip draws one row, from the small image to the
ground truth, and writes strip_NAME_xM.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import math
import sys
from pathlib import Path

import matlab_compat as matlab
from data_prep import images
from data_prep import weights as data_prep_weights
from data_prep.files import together, write_json
from tools.benchmarking import material, measure, paper
from tools.benchmarking.jobs import Job, Options
from tools.common import build, cli, outputs, provenance
from tools.common.errors import UserError
from tools.figures import panel, style
from tools.methods import evaluation, trained
from tools.methods.protocols import PROTOCOLS
from tools.methods.registry import METHODS

# image set, image, box of the paper's figures; the boxes were chosen by eye, the paper prints none
FIGURES = {
    6: ("Set14", "barbara", (170, 4, 104, 64)),
    7: ("BSD100", "8023", None),
    8: ("Urban100", "img085", None),
}
FIGURE_SCALE = 4
LEAST = 8  # pixels of a box's side
COLUMNS = 4  # of the grid of crops


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    p = cli.Parser(__doc__)
    p.add_argument("image", nargs="?", type=Path, help="your own image, instead of --figure")
    p.add_argument("--figure", type=int, choices=FIGURES, help="the paper's image")
    p.add_argument("--scale", type=int, choices=cli.SCALES, help="default: 4 for a figure of the paper, else 3")
    p.add_argument("--box", nargs=4, type=int, metavar=("X", "Y", "W", "H"), help="default: in the middle")
    methods = [name for name, method in METHODS.items() if method.printed]
    p.add_argument("--methods", nargs="+", choices=list(METHODS), metavar="NAME", help=f"default: {' '.join(methods)}")
    p.add_argument("--strip", action="store_true", help="one row: LR, the methods, the ground truth")
    cli.add_folders(p)
    return p


def check_box(box, shape, scale, name):
    """A box (x, y, width, height) inside the part of an image (H, W) that is compared; the middle for None.

    Raises
    ------
    UserError
        It reaches beyond that part or is too small.
    """
    height, width = (side - side % scale for side in shape)
    if box is None:
        box = (3 * width // 8, 3 * height // 8, width // 4, height // 4)
    x, y, w, h = box
    inside = scale <= x and scale <= y and x + w <= width - scale and y + h <= height - scale
    if not inside or min(w, h) < LEAST:
        raise UserError(
            f"--box {x} {y} {w} {h}: expected at least {LEAST}x{LEAST} pixels, from {scale} {scale} on and up to "
            f"{width - scale} {height - scale} in {name}"
        )
    return box


def results(info, held, scale, methods, weights_dir):
    """Colour pictures and scores of methods on one image.

    Parameters
    ----------
    info : ImageInfo
    held : Material
        Has the image.
    scale : int
    methods : list of str
    weights_dir : Path

    Returns
    -------
    dict of str to (ndarray (H', W', 3) or (H', W'), dict)
        Picture, cut to the compared region, and psnr, ssim, ifc of each method whose weights are there.
    list of str
        Why the others are not there.
    """
    img, found, gaps = held.image(info), {}, []
    for name in methods:
        weights = _weights(name, scale, weights_dir)
        method = METHODS[name].for_weights(weights)
        if method.network and weights is None:
            gaps.append(data_prep_weights.gap(name, scale))
            continue
        protocol = PROTOCOLS[method.protocol]
        tile = method.tiling(stock=build.cpu_engine() == "blas")
        job = Job(info.path.parent.name, scale, method, [info.path], weights, None, protocol, tile, (info,))
        options = Options(timed=False)
        result = measure.infer(job, options, held)
        (scores,) = measure.score(job, result, options, held)
        picture = evaluation.colour(img, result[0].sr, scale)
        label = f"{name}, {trained.HERE}" if trained.label(weights) else name
        found[label] = picture, {metric: scores.get(metric) for metric in evaluation.METRICS}
    return found, gaps


def _weights(name, scale, weights_dir):
    return data_prep_weights.find(weights_dir, name, scale) or data_prep_weights.find_ours(name, scale)


def caption(name, scores):
    """A method's name above its PSNR (dB), SSIM and IFC, with the paper's digits."""
    cells = [f"{scores[m]:.{paper.decimals(m)}f}" if scores.get(m) is not None else "-" for m in evaluation.METRICS]
    return f"{name}\n{' / '.join(cells)}"


def plot(whole, box, scale, found, title, folder, stem):
    """Draw the image with its box, and the box by every method; gives the paths of the PNG and the SVG.

    Parameters
    ----------
    whole : ndarray, (H, W, 3) or (H, W), uint8
        The ground truth, mod-cropped.
    box : (int, int, int, int)
        x, y, width, height in `whole`.
    scale : int
        What `results` has cut off its pictures on every side.
    found : dict
        Of `results`.
    """
    x, y, w, h = box
    crops = [("ground truth\nPSNR (dB) / SSIM / IFC", whole[y : y + h, x : x + w])]
    for name, (picture, scores) in found.items():
        crops.append((caption(name, scores), picture[y - scale : y - scale + h, x - scale : x - scale + w]))
    rows = -(-len(crops) // COLUMNS)
    columns = -(-len(crops) // rows)
    crop_height = 1.9 * h / w
    # a very long or narrow picture leaves room for the crops, and has some
    left = min(max(rows * (crop_height + 0.5) * whole.shape[1] / whole.shape[0], 1), 12)
    with style.figure(left + 1.9 * columns, rows * (crop_height + 0.5) + 0.3) as figure:
        parts = figure.subfigures(1, 2, width_ratios=[left, 1.9 * columns])
        axes = style.show(parts[0].subplots(), whole)
        # two outlines: one of them stands out from any picture
        for colour, line in (("white", 3), (style.VERMILLION, 1.5)):
            axes.add_patch(_rectangle(x, y, w, h, colour, line))
        for axes, one in zip(parts[1].subplots(rows, columns, squeeze=False).flat, [*crops, *[None] * columns]):
            if one is None:
                axes.set_visible(False)
                continue
            style.show(axes, one[1]).set_xlabel(one[0], fontsize=8)
        for axes in parts[1].axes[len(crops) :]:
            axes.set_visible(False)
        figure.suptitle(title)
        return style.save_both(figure, folder, stem)


def strip(whole, box, scale, found, title, folder, stem):
    """Draw the box as LR, by every method and as ground truth in one row; parameters and result are those of `plot`."""
    x, y, w, h = box
    lr = matlab.imresize(whole, 1 / scale)
    small = lr[y // scale : -(-(y + h) // scale), x // scale : -(-(x + w) // scale)]
    pictures = [(f"LR, 1/{scale}", small)]
    for name, (picture, scores) in found.items():
        part = picture[y - scale : y - scale + h, x - scale : x - scale + w]
        pictures.append((f"{name}, {scores['psnr']:.2f} dB", part))
    pictures.append(("HR", whole[y : y + h, x : x + w]))
    return [panel.side_by_side(pictures, folder / f"{stem}.{kind}", title=title) for kind in style.FORMATS]


def _rectangle(x, y, w, h, colour, line):
    from matplotlib.patches import Rectangle  # here: --help must not wait for it

    return Rectangle((x - 0.5, y - 0.5), w, h, fill=False, edgecolor=colour, linewidth=line)


def chosen(args):
    """Path, scale and box that the command line asks for; raises UserError when image or figure is missing."""
    if (args.image is None) == (args.figure is None):
        raise UserError("expected an image or --figure 6, 7 or 8, and not both; see tools/plot_comparison.py --help")
    if args.image is not None:
        return args.image, args.scale or 3, args.box
    dataset, name, box = FIGURES[args.figure]
    scale = args.scale or FIGURE_SCALE
    return images.in_set(args.data_dir, dataset, name), scale, args.box or box


def main(argv=None):
    """Draw a comparison; gives the exit status."""
    args = parser().parse_args(argv)
    path, scale, box = chosen(args)
    held = material.Material()
    info = held.inspect(path)
    img = held.image(info)
    evaluation.check_size(img.shape, scale, path)
    box = check_box(box, img.shape[:2], scale, path.name)
    for name in args.methods or ():
        METHODS[name].check_scale(scale)
        if METHODS[name].network and _weights(name, scale, args.weights_dir) is None:
            raise UserError(f"--methods: {data_prep_weights.gap(name, scale)}")
    outputs.folder(args.out)
    methods = args.methods or [name for name, method in METHODS.items() if method.printed]
    found, gaps = results(info, held, scale, methods, args.weights_dir)
    kind, draw = ("strip", strip) if args.strip else ("comparison", plot)
    stem = f"{kind}_{path.stem}_x{scale}"
    scores = {name: scores for name, (_, scores) in found.items()}
    report = {
        "command": provenance.command("tools/plot_comparison.py", sys.argv[1:] if argv is None else argv),
        **({"figure": args.figure} if args.figure else {}),
        "image_sha256": info.sha256,
        "box": list(box),
        "scores": scores,
        "missing": gaps,
    }
    equal = [name for name, one in scores.items() if one["psnr"] == math.inf]
    if equal:
        report["notes"] = [f"{name}: equals the ground truth, so that the PSNR is infinite" for name in equal]
    with together():
        written = draw(matlab.modcrop(img, scale), box, scale, found, f"{path.stem}, x{scale}", args.out, stem)
        write_json(args.out / f"{stem}.json", report)
    print("\n".join([*map(str, written), *(f"left out: {gap}" for gap in gaps)]))
    return 0


if __name__ == "__main__":
    cli.run(main)
