"""Learning curves of one run or several."""

import math

from prototxt.solver import STAGES
from tools.figures import style

LARGEST = 1e12  # of an iteration's number, or of a figure that can be drawn


def plot(rows, path, *, title, bicubic=None):
    """Draw loss and validation PSNR of one run over the iterations of all its stages.

    Parameters
    ----------
    rows : list of dict
        See `read`; at least one.
    path : Path
        A PNG or SVG; written atomically.
    title : str
    bicubic : float, optional
        PSNR of bicubic interpolation on the same images, drawn as a line.
    """
    with style.figure(6.4, 5.2) as figure:
        _draw(figure, _stages(rows), title, bicubic)
        style.save(figure, path)


def plot_runs(runs, folder, stem, *, title, bicubic=None):
    """Draw several runs over each other into `folder`/`stem`.png and .svg; gives their paths.

    Parameters
    ----------
    runs : dict of str to list of dict
        Name of each run and its rows, see `read`; at least one row each.
    folder : Path
    stem, title : str
    bicubic : float, optional
        As of `plot`.
    """
    curves = []
    for name, rows in runs.items():
        x, joined = [], []
        for _, places, part in _stages(rows):
            x += [*places, places[-1]]
            joined += [*part, {"loss": float("nan")}]  # a gap: the next stage has another loss
        curves.append((name, x, joined))
    with style.figure(6.4, 5.2) as figure:
        _draw(figure, curves, title, bicubic)
        return style.save_both(figure, folder, stem)


def over_stages(rows):
    """Rows of a run with the iterations counted from its start: list of (int, dict)."""
    return [pair for _, places, part in _stages(rows) for pair in zip(places, part)]


def plot_gaps(lines, folder, stem, *, title):
    """Draw how far validation PSNRs stay below a figure into `folder`/`stem`.png and .svg; gives their paths.

    Parameters
    ----------
    lines : list of (str, list of (int, float))
        Name of each line; iteration and distance (dB), nan where there is none.
    folder : Path
    stem, title : str
    """
    with style.figure(6.4, 4.2) as figure:
        axes = figure.subplots()
        for number, (name, points) in enumerate(lines):
            if points:
                axes.plot(*zip(*points), markersize=3, label=name, **style.curve(number))
        axes.set(xscale="log", yscale="log", xlabel="iteration", ylabel="PSNR below the paper's (dB)", title=title)
        axes.grid(True, which="both")
        axes.legend()
        return style.save_both(figure, folder, stem)


def _stages(rows):
    """[(stage, iterations counted from the start of the run, its rows)] in the order of training."""
    found, offset = [], 0
    for stage in (s for s in STAGES if any(r["stage"] == s for r in rows)):
        part = [r for r in rows if r["stage"] == stage]
        x = [offset + r["iteration"] for r in part]
        found.append((stage, x, part))
        offset = x[-1]
    return found


def _draw(figure, curves, title, bicubic):
    losses, psnrs = figure.subplots(2, 1, sharex=True)
    for number, (name, x, rows) in enumerate(curves):
        look = style.curve(number)
        losses.plot(x, [_drawable(r["loss"]) for r in rows], label=name, linewidth=1, **{**look, "marker": None})
        tested = [(at, _drawable(r["psnr"])) for at, r in zip(x, rows) if "psnr" in r]
        if tested:
            psnrs.plot(*zip(*tested), markersize=3, label=name, **look)
    if bicubic is not None and math.isfinite(bicubic):  # infinite: a flat image
        psnrs.axhline(bicubic, color=style.GRAY, linestyle=":", label=f"bicubic, {bicubic:.2f} dB")
    losses.set(yscale="log", ylabel="training loss (of the stage)", title=title)
    psnrs.set(xlabel="iteration", ylabel="validation PSNR (dB)")
    losses.grid(True, which="both")
    for axes in (losses, psnrs):
        if axes.get_legend_handles_labels()[0]:
            axes.legend()


def _drawable(figure):
    """A figure, or nan, which leaves a gap, for one that no axis reaches: that of a training that diverged."""
    return figure if abs(figure) < LARGEST else math.nan
