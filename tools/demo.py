#!/usr/bin/env python3
"""The whole job in a few minutes, on photographs that come with scikit-image: data, training, table, picture.

    tools/demo.py                      # x3, on the CPU, into demo/
    tools/demo.py --gpu 0 --iters 2000

Every step is the command that one would run to reproduce the paper (it is printed); there are only fewer images and
fewer iterations.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import json
import shlex
import shutil
import time
from pathlib import Path

import matlab_compat as matlab
from data_prep import images
from data_prep.files import atomic_path
from prototxt.idn import idn
from tools import benchmark, prepare_data, train
from tools.common import cli, outputs, photographs
from tools.common.errors import UserError
from tools.figures import panel
from tools.methods import evaluation
from tools.nets import runtime

TRAIN_SET, TEST_SET = "photos_train", "photos_test"
PHOTOS = {
    TRAIN_SET: ("coffee.png", "motorcycle_left.png", "rocket.jpg"),
    TEST_SET: ("astronaut.png", "chelsea.png"),
}
# about two minutes on two cores; enough to pass bicubic with the larger step below
ITERATIONS = 300
# ten times the paper's: few iterations must do
LEARNING_RATE = 1e-3
SHOWN, BOX = "astronaut.png", (slice(60, 186), slice(165, 291))  # a face, sides divisible by 3

CLOSING = """\
What this shows: every part works on this machine, and how far a network that began with random weights gets in
{iterations} iterations on photographs that it has not seen: {idn:.2f} dB, bicubic interpolation {bicubic:.2f} dB.
What it cannot show: the paper's figures. They took 291 images, hundreds of thousands of iterations and a GPU.
`make fetch benchmark` scores the authors' weights, `make train SCALE=3` runs the paper's schedule."""


def copy_photos(data_dir):
    """Copy the photographs of the installed scikit-image into `data_dir`/photos_train and photos_test.

    Raises
    ------
    UserError
        This scikit-image does not carry one of them.
    """
    for folder, names in PHOTOS.items():
        for name in names:
            with atomic_path(data_dir / folder / name) as temporary:
                shutil.copyfile(photographs.path(name), temporary)


def step(tool, *argv):
    """Print a command as a user would type it, run it, print its seconds; raise UserError when it fails."""
    argv = [str(a) for a in argv]
    print(f"\n$ tools/{tool.__name__.rsplit('.', 1)[-1]}.py {shlex.join(argv)}", flush=True)
    began = time.perf_counter()
    status = tool.main(argv)
    if status == 130:
        raise KeyboardInterrupt
    if status:
        raise UserError(f"{tool.__name__}: ended with status {status}")
    print(f"({time.perf_counter() - began:.0f} s)", flush=True)


def picture(image_path, weights, path):
    """Write LR, bicubic, IDN and HR of a part of one photograph side by side."""
    scale = 3
    img = images.read_image(image_path)
    sample = evaluation.prepare(img, scale, name=image_path.name)
    net = runtime.build_net(idn(scale, "deploy"), weights)
    results = {"bicubic": sample.base, "IDN after this demo": evaluation.super_resolve(net, sample)}
    cut = matlab.modcrop(img, scale)
    lr = matlab.imresize(cut, 1 / scale)
    rows, columns = BOX
    small = (slice(rows.start // scale, rows.stop // scale), slice(columns.start // scale, columns.stop // scale))
    pictures = [(f"LR, 1/{scale}", lr[small])]
    for name, result in results.items():
        sr = matlab.im2uint8(result)
        psnr = evaluation.score(sample.hr, sr, scale, ("psnr",))["psnr"]
        coloured = evaluation.colour(img, sr, scale)
        pictures.append((f"{name}, {psnr:.2f} dB", coloured[_shift(rows, -scale), _shift(columns, -scale)]))
    pictures.append(("HR", cut[BOX]))
    panel.side_by_side(pictures, path, title=f"{image_path.stem}, x{scale}; PSNR of Y over the whole image")


def _shift(span, by):
    """`evaluation.colour` has shaved the border, so its indices begin later."""
    return slice(span.start + by, span.stop + by)


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    p = cli.Parser(__doc__)
    p.add_argument("--gpu", metavar="N", default="", help="number of the GPU (default: the CPU)")
    p.add_argument("--iters", type=int, metavar="N", default=ITERATIONS, help=f"default: {ITERATIONS}")
    p.add_argument("--out", type=Path, metavar="DIR", default=Path("demo"), help="default: demo")
    return p


def main(argv=None):
    """Run the demo; gives the exit status."""
    args = parser().parse_args(argv)
    if args.iters < 1:
        raise UserError(f"--iters: got {args.iters}, expected at least 1")
    outputs.folder(args.out)
    began = time.perf_counter()
    data, databases, run = args.out / "data", args.out / "hdf5", args.out / "run"
    device = ["--gpu", args.gpu] if args.gpu else []

    copy_photos(data)
    for stage, folder in (("train", TRAIN_SET), ("finetune", TRAIN_SET), ("val", TEST_SET)):
        step(prepare_data, "--scale", 3, "--stage", stage, "--data-dir", data, "--set", folder, "--out", databases)
    step(
        train, "--scale", 3, "--iters", args.iters, "--lr", LEARNING_RATE, "--hdf5-dir", databases,
        "--val-images", data / TEST_SET, "--out", run, *device,
    )  # fmt: skip
    step(
        benchmark, "--tables", 2, 3, "--datasets", TEST_SET, "--scales", 3, "--methods", "Bicubic", "IDN",
        "--data-dir", data, "--weights-dir", run, "--out", args.out / "benchmark", *device,
    )  # fmt: skip
    picture(data / TEST_SET / SHOWN, run / "idn" / "IDN_x3.caffemodel", args.out / "comparison.png")
    rows = json.loads((args.out / "benchmark" / "benchmark.json").read_text(encoding="utf-8"))["rows"]
    psnr = {row["method"]: row["psnr"] for row in rows}
    print(f"\ntable    {args.out / 'benchmark' / 'benchmark.md'}")
    print(f"curve    {run / 'learning_curve.png'}")
    print(f"picture  {args.out / 'comparison.png'}")
    print(f"{time.perf_counter() - began:.0f} s in all\n")
    print(CLOSING.format(iterations=args.iters, idn=psnr["IDN"], bicubic=psnr["Bicubic"]))
    return 0


if __name__ == "__main__":
    cli.run(main)
