"""The benchmark's row of a job: the means over its images."""

import statistics

import numpy as np

from tools.methods import evaluation, trained


def row(job, scores, repeats=0, pictures=False):
    """The benchmark row of a job: means over its images.

    Parameters
    ----------
    job : Job
    scores : list of dict
        What `score` returned; empty for a gap.
    repeats : int
        Forwards behind each seconds_median.
    pictures : bool
        Whether its pictures were written.

    Returns
    -------
    dict
        dataset, scale, method, images, psnr (dB), ssim, ifc, seconds, seconds_median (None where not measured),
        repeats, gap (None or the reason), protocol, tile (side and overlap or None), random_weights, infinite (names
        of means that are infinite; JSON has no infinity, so that they are None), pictures, notes (list of str),
        per_image.
    """
    notes = ["random weights: for the time only"] if job.random and scores else []
    scores, about_the_mean = _without_infinity(scores)
    notes += [f"{one['image']}: {one['note']}" for one in scores if "note" in one] + about_the_mean
    means = {name: _mean(scores, name) for name in (*evaluation.METRICS, "seconds", "seconds_median")}
    return {
        "dataset": job.dataset,
        "scale": job.scale,
        "method": job.method.name,
        "images": len(scores),
        **means,
        "repeats": repeats if means["seconds_median"] is not None else 0,
        "gap": job.gap,
        "protocol": job.protocol.name,
        "tile": job.tile and list(job.tile),
        "random_weights": job.random,
        "trained_here": bool(trained.label(job.weights)),
        "infinite": ["psnr"] * bool(about_the_mean),
        "pictures": pictures,
        "notes": notes,
        "per_image": scores,
    }


def _without_infinity(scores):
    """The scores with None and a note for every infinite PSNR, and what is to be said about the mean (list of str)."""
    finite = [one["psnr"] for one in scores if one.get("psnr") not in (None, np.inf)]
    equal = sum(one.get("psnr") == np.inf for one in scores)
    if not equal:
        return scores, []
    rest = f"over the other {len(finite)} it is {statistics.fmean(finite):.4f} dB" if finite else "there are no others"
    said = f"the mean PSNR is infinite, as {equal} of {len(scores)} images equal their ground truth; {rest}"
    return [_noted(one) if one.get("psnr") == np.inf else one for one in scores], [said]


def _noted(one):
    said = [one["note"]] if "note" in one else []
    return {**one, "psnr": None, "note": "; ".join([*said, "equals its ground truth, so that the PSNR is infinite"])}


def _mean(scores, name):
    """Mean over all images, or None when one of them has no value: a mean of the rest would mislead."""
    values = [one.get(name) for one in scores]
    return None if not values or None in values else statistics.fmean(values)
