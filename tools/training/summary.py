"""summary.json: what a finished run was and gave; tools/readme.py reads it."""

import json
import math

from data_prep.digests import file_sha256
from data_prep.files import write_json
from tools.common import memory, provenance
from tools.methods import trained
from tools.training import deviations


def of(run, command):
    """Sum up a finished run.

    Parameters
    ----------
    run : Run
        Of tools/training/run.py, at its end.
    command : str
        As the user typed it.

    Returns
    -------
    dict
        `hours` is the time in iterations, without validation; it counts what was run again after a kill once.
        `peak_memory_mb` is None unless this process trained: a run that was killed after its last iteration is summed
        up by the next call.
    """
    rows = run.log.rows
    stages = _stages(rows)
    psnr = rows[-1].get("psnr") if rows else None  # without rows: log.csv is gone
    bicubic = run.validation.bicubic
    device = run.placement.device
    return {
        "command": command,
        "date": provenance.now(),
        "device": provenance.device_name(device),
        "gpu": _gpu_options(run.options, device, run.ranks.size),
        "processes": run.ranks.size,
        "versions": {**provenance.versions(), "caffe": provenance.caffe_version()},
        "method": run.subject.method.name,
        "scale": run.options.scale,
        "net": run.subject.options,
        **_late(run.subject),
        "schedule": _schedule(run),
        "result": f"the weights after the last iteration of {list(run.plan.settings)[-1]}",
        "deviates_from_the_paper": deviations.of(run.plan.outcome(), run.options, run.subject),
        "stages": stages,
        "hours": sum(s["iterations"] / s["iterations_per_second"] for s in stages.values()) / 3600,
        "psnr": psnr,
        "bicubic": bicubic,
        "notes": _notes({"psnr": psnr, "bicubic": bicubic}),
        "validation": {
            "name": run.validation.name, "images": len(run.validation.samples), "sha256": run.validation.sha256
        },
        "peak_memory_mb": memory.peak_mb() if run.trained else None,
        "pairs": {name: database.pairs for name, database in run.databases.items()},
        "images": {name: database.images for name, database in run.databases.items()},
        "weights_sha256": file_sha256(run.result),
    }  # fmt: skip


def record(path, average=False):
    """What goes beside the weights (dict), of the summary `path` (Path); tools/methods/trained.py reads it.

    With `average` it is for the average of the last snapshots.
    """
    found = json.loads(path.read_text(encoding="utf-8"))
    if not average:
        return found
    made = found.pop("average")
    return {**found, "result": made["what"], "psnr": made["psnr"], "weights_sha256": made["weights_sha256"]}


def add_average(path, made):
    """Add what average.of gave (dict) to the summary `path` (Path), where nothing else changes."""
    found = json.loads(path.read_text(encoding="utf-8"))
    found["notes"] = [note for note in found.get("notes", []) if not note.startswith("average.psnr: ")]
    found["notes"] += _notes({"average.psnr": made["psnr"]})
    psnr = made["psnr"] if math.isfinite(made["psnr"]) else None
    write_json(path, {**found, "average": {**made, "psnr": psnr}})


def _late(subject):
    """Where the net's output lies on the result (dict), of methods that differ in it."""
    return {trained.LATE: subject.method.first_late(subject.scale)} if subject.method.late else {}


def _schedule(run):
    """What decided lengths and rates, and what came out (dict); its lines are a text for --schedule."""
    plan = run.plan
    found = {"what": plan.label(), "lines": plan.text().splitlines()}
    if plan.hours:
        seconds = plan.hours.used() if run.trained else plan.hours.before
        found["hours"] = {"asked": run.options.hours, "used": round(seconds / 3600, 5)}
    return found


def _stages(rows):
    """Of each stage its last row: {stage: what it gave}."""
    return {
        row["stage"]: {
            "iterations": row["iteration"],
            "loss": row["loss"],
            "psnr": row.get("psnr"),
            "iterations_per_second": row["iterations_per_second"],
        }
        for row in rows
    }


def _notes(psnrs):
    """What a reader must know of figures (dict of float or None) that JSON cannot hold: list of str."""
    infinite = "infinite, an image of the validation set comes out without any error (a flat one does)"
    none = "not a number, as the values that the net gives; BatchNorm's averages do not fit its weights yet"
    return [
        f"{name}: {none if math.isnan(value) else infinite}; null here"
        for name, value in psnrs.items()
        if value is not None and (math.isnan(value) or value == math.inf)
    ]


def _gpu_options(options, device, gpus):
    """How the GPU computed (dict); empty on the CPU."""
    if not device.on_gpu:
        return {}
    return {
        "tf32": options.tf32, "deterministic": options.deterministic, "autotune": options.autotune,
        "graphs": options.graphs, "gpus": gpus,
    }  # fmt: skip
