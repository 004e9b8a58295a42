"""Variants of IDN, trained alike and compared: parameters, cost, PSNR, time."""

import json
import re
import shlex
import time
from pathlib import Path

from data_prep.files import write_json, write_text
from tools.common import markdown, provenance
from tools.common.errors import UserError
from tools.figures import style
from tools.methods import evaluation, trained
from tools.methods.registry import METHODS
from tools.nets import runtime
from tools.nets.complexity import count
from tools.training import validation
from tools.training.subject import of as subject_of

NAME, PAPERS = "ablation", "the paper's"
STAGE = "pretrain"  # the one that begins with random weights
SIZE = 1280 * 720  # pixels of the result that GMAC are counted for, as in docs/tables.md
SIDE = 16  # of the input that is counted
REPEATS = 3
# options of a variant; others, such as --out, are this tool's own
ALLOWED = ("D3", "d", "s", "blocks", "groups", "slope", "beta1", "loss")


def run(args, command, train):
    """Train every variant that is not trained yet, and write the comparison.

    Parameters
    ----------
    args : argparse.Namespace
        Of tools/ablate.py.
    command : str
        As the user typed it.
    train : module
        tools.train, whose command line a variant is.

    Returns
    -------
    int
        Exit status: 0, or that of a training that was stopped.

    Raises
    ------
    UserError, DataError, NetError
        A variant makes no net, or a training fails. Nothing is trained before all variants are known to be sound.
    """
    names = {text: _name(text) for text in dict.fromkeys(" ".join(text.split()) for text in args.variants)}
    plans = {text: train.parse(_arguments(args, text, name)) for text, name in names.items()}
    subjects = {text: subject_of(options) for text, options in plans.items()}
    for text, name in names.items():
        print(f"variant: {text or PAPERS}", flush=True)
        status = train.main(_arguments(args, text, name))
        if status:
            return status
    samples = validation.read(args.val_images or args.data_dir / "Set5", args.scale).samples
    rows = [_row(text, args.out / names[text], subjects[text], samples) for text in names]
    _write(args, rows, command)
    return 0


def _name(text):
    """Name (str) of a variant's folder."""
    return re.sub(r"[^A-Za-z0-9.]+", "_", text).strip("_") or "paper"


def _arguments(args, text, name):
    """Command line (list of str) of tools/train.py for a variant."""
    try:
        own = shlex.split(text)
    except ValueError:
        raise UserError(f"variant {text!r}: its quotes are not closed") from None
    for word in own:
        option = word.split("=")[0].lstrip("-")
        if word.startswith("--") and option not in {*ALLOWED, *map(str.lower, ALLOWED)}:
            raise UserError(f"variant {text!r}: {word} is none of {', '.join('--' + one for one in ALLOWED)}")
    made = ["--scale", str(args.scale), "--stage", STAGE, "--iters", str(args.iters), "--out", args.out / name]
    made += ["--data-dir", args.data_dir, "--hdf5-dir", args.hdf5_dir]
    for option in ("gpu", "batch", "lr", "val_images"):
        if getattr(args, option) is not None:
            made += [f"--{option.replace('_', '-')}", getattr(args, option)]
    return [str(one) for one in made] + own


def _row(text, folder, subject, samples):
    """What is said of a trained variant (dict)."""
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    method = METHODS["IDN"].for_weights(folder / subject.weights)
    message = method.build(subject.scale, (SIDE, SIDE))
    counted = count(message)
    return {
        "variant": text or PAPERS,
        "parameters": counted["parameters"],
        "gmac": counted["macs"] * SIZE / subject.scale**2 / 1e9,
        "psnr": summary["psnr"],
        "loss": list(summary["stages"].values())[-1]["loss"],
        "seconds": _seconds(method, subject.scale, folder / subject.weights, samples),
        "iterations_per_second": list(summary["stages"].values())[-1]["iterations_per_second"],
        "folder": folder.name,
        trained.HERE.replace(" ", "_"): True,
    }


def _seconds(method, scale, weights, samples):
    """Seconds per image (float): the mean over the images of the fastest of REPEATS forwards after one to warm up."""
    net = method.load_net(method.build(scale), weights)
    total = 0.0
    for sample in samples:
        runtime.forward(net, method.take(sample), method.blob)
        times = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            evaluation.super_resolve(net, sample, method)
            times.append(time.perf_counter() - began)
        total += min(times)
    return total / len(samples)


def _write(args, rows, command):
    """Write and print the comparison."""
    about = {
        "command": command, "date": provenance.now(), "scale": args.scale, "stage": STAGE,
        "iterations": args.iters, "seed": 1, "versions": provenance.versions(),
    }  # fmt: skip
    write_json(args.out / f"{NAME}.json", {"meta": about, "rows": rows})
    text = table(about, rows)
    write_text(args.out / f"{NAME}.md", text)
    paths = plot(about, rows, args.out)
    print(f"{text}\nwritten: {args.out / NAME}.json, .md, {', '.join(Path(path).name for path in paths)}")


def table(about, rows):
    """The comparison (str, Markdown), the first row being what the others are compared with."""
    head = ["Variant", "Parameters", "GMAC", "PSNR (dB)", "difference", "seconds per image", "training loss"]
    body = [
        [
            row["variant"], f"{row['parameters']:,}", markdown.number(row["gmac"], 2), markdown.number(row["psnr"], 3),
            markdown.number(row["psnr"] - rows[0]["psnr"], 3, signed=True), markdown.number(row["seconds"], 4),
            markdown.number(row["loss"], 3),
        ]
        for row in rows
    ]  # fmt: skip
    said = (
        f"IDN x{about['scale']}, each variant {about['iterations']:,} iterations of the stage {about['stage']} from "
        "random weights with one seed, trained here. So few iterations rank how fast variants learn, not how good they "
        "become. GMAC for a result of 1280x720 pixels."
    )
    return f"# Variants of IDN\n\n{said}\n\n{markdown.table(head, body, text_columns=1)}\n"


def plot(about, rows, folder):
    """Draw PSNR over GMAC into `folder` (Path); gives the paths."""
    with style.figure(6.4, 4) as figure:
        axes = figure.subplots()
        for number, row in enumerate(rows):
            look = style.curve(number)
            axes.plot([row["gmac"]], [row["psnr"]], **{**look, "linestyle": "none"}, label=row["variant"])
        axes.set(
            xlabel="GMAC for a result of 1280x720", ylabel="validation PSNR (dB)",
            title=f"IDN x{about['scale']} after {about['iterations']:,} iterations, trained here",
        )  # fmt: skip
        axes.legend(fontsize=8)
        axes.margins(0.1)
        return style.save_both(figure, folder, NAME)
