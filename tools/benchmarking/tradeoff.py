"""PSNR over parameters or time, the paper's Figure 1."""

from tools.benchmarking import paper
from tools.benchmarking.tables import shown_method
from tools.figures import style


def points(psnr_report, seconds_reports, dataset, scale):
    """What is plotted.

    Parameters
    ----------
    psnr_report : dict
        Of tables.read_report.
    seconds_reports : list of dict
        Likewise; a method's time is that of the last report that has one.
    dataset : str
    scale : int

    Returns
    -------
    dict of str to list of (str, float, float)
        "measured", "timed", "paper": method, seconds per image, PSNR in dB.
    """
    psnr, seconds = _by_method(psnr_report, dataset, scale), {}
    for report in seconds_reports:
        rows = _by_method(report, dataset, scale)
        seconds.update({method: row for method, row in rows.items() if row["seconds"] is not None})
    found = {"measured": [], "timed": [], "paper": []}
    for method in dict.fromkeys([*psnr, *seconds]):
        printed = paper.figures(dataset, scale, method)
        if printed["psnr"] is not None and printed["seconds"] is not None:
            found["paper"].append((method, printed["seconds"], printed["psnr"]))
        time = _time(seconds.get(method))
        ours = psnr.get(method, {}).get("psnr")
        if time is not None and ours is not None:
            found["measured"].append((shown_method(psnr[method]), time, ours))
        elif time is not None and printed["psnr"] is not None:
            found["timed"].append((method, time, printed["psnr"]))
    return found


def _by_method(report, dataset, scale):
    return {row["method"]: row for row in report["rows"] if (row["dataset"], row["scale"]) == (dataset, scale)}


def _time(row):
    if row is None:
        return None
    return row["seconds"] if row.get("seconds_median") is None else row["seconds_median"]


def plot(found, title, device, folder):
    """Draw `points` into `folder`/tradeoff.png and .svg (Path); gives their paths."""
    looks = {
        "measured": dict(marker="o", color=style.OURS, label="measured here"),
        "timed": dict(marker="o", color=style.OURS, facecolor="none", label="time here, PSNR of the paper"),
        "paper": dict(marker="x", color=style.PAPERS, label="paper"),
    }
    # ours above its point, the paper's below: the two stay apart where the points meet
    places = {"measured": (5, 5), "timed": (5, 5), "paper": (5, -11)}
    with style.figure(6.4, 4) as figure:
        axes = figure.subplots()
        for kind, look in looks.items():
            if found[kind]:
                axes.scatter(*zip(*[(time, psnr) for _, time, psnr in found[kind]]), s=45, **look)
            for name, time, psnr in found[kind]:
                axes.annotate(
                    name, (time, psnr), places[kind], textcoords="offset points", fontsize=8, color=look["color"]
                )
        axes.set_xscale("log")
        axes.set(xlabel=f"seconds per image (here: {device}; paper: TITAN X)", ylabel="PSNR (dB)", title=title)
        axes.margins(0.12)  # room for the names
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncol=3)
        return style.save_both(figure, folder, "tradeoff")
