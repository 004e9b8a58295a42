"""A training run: its schedule, databases, record and summary."""

import os
import sys
from contextlib import suppress

import numpy as np

from data_prep import hdf5
from data_prep.digests import file_sha256
from data_prep.files import write_json
from data_prep.images import image_set_hash, list_images, read_image
from prototxt import solver
from tools.common import memory, provenance
from tools.common.errors import UserError
from tools.figures import curves
from tools.methods import evaluation
from tools.nets import runtime
from tools.training import needed_memory, parallel, run_folder
from tools.training.log import Log
from tools.training.stage import LARGEST, Device, Interrupted, Settings, Source, Stage, default_rhythm

STAGES = tuple(solver.ITERATIONS)
CURVE = "learning_curve.png"


def schedule(iterations, stage):
    """Lengths of the stages.

    Parameters
    ----------
    iterations : int or None
        For the whole run; None: the paper's and the release's.
    stage : str or None
        The one stage to run; None: all three.

    Returns
    -------
    dict of str to int
        Each at least 1.

    Raises
    ------
    UserError
        Fewer iterations than stages.
    """
    stages = (stage,) if stage else STAGES
    full = {name: solver.ITERATIONS[name] for name in stages}
    if iterations is None:
        return full
    if iterations < len(stages):
        raise UserError(f"iters: got {iterations}, expected at least {len(stages)} (one for each stage)")
    lengths = {name: max(1, iterations * n // sum(full.values())) for name, n in full.items()}
    longest = max(lengths, key=lengths.get)
    lengths[longest] += iterations - sum(lengths.values())
    return lengths


def settings_of(args, stage, iterations):
    """training.Settings of one stage; the learning rate's step shrinks with the stage."""
    return Settings(
        scale=args.scale,
        stage=stage,
        iterations=iterations,
        stepsize=min(LARGEST, max(1, round(250_000 * iterations / solver.ITERATIONS[stage]))),
        beta1=args.beta1,
        base_lr=solver.BASE_LR[stage] * args.lr / solver.BASE_LR["train"],
        batch=args.batch,
        seed=args.seed,
    )


def check_databases(args, stages):
    """The HDF5 databases that `stages` need, checked before Caffe sees them: {"train" | "finetune" | "val": Source}.

    Raises
    ------
    DataError
        One is missing, damaged, or of another scale or stage; the text says how to make it.
    """
    needed = {solver.PHASE_OF_STAGE[stage] for stage in stages} | {"val"}
    found = {}
    for name in sorted(needed):
        list_file = args.hdf5_dir / f"x{args.scale}" / f"{name}.txt"
        database = hdf5.check_database(list_file, args.scale, name)
        made_of = {key: database.attributes[key] for key in ("source_sha256", "seed", "lr_stride")}
        found[name] = Source(list_file, database.shards, database.pairs, database.largest_bytes, made_of)
    return found


def check_memory(args, stages, databases, samples, device):
    """Raise UserError when one of `stages` would not fit into memory, or its batch not into Caffe's blobs."""
    for stage in stages:
        source = databases[solver.PHASE_OF_STAGE[stage]]
        needed_memory.check(args.scale, stage, args.batch, source, databases["val"], samples, bool(device.gpus))


def validation_samples(folder, scale):
    """Prepared validation images and bicubic's PSNR on them: (list of evaluation.Sample, float).

    The PSNR is infinite where bicubic makes no error, as in a flat image.
    """
    samples = [evaluation.prepare(read_image(path), scale, name=path.name) for path in list_images(folder)]
    scores = [evaluation.score(s.hr, evaluation.quantise(s.base), scale, ("psnr",))["psnr"] for s in samples]
    return samples, sum(scores) / len(scores)


def start_of(stage, args, out):
    """Weights a stage starts from (Path or None for random ones) and their SHA-256 for the record."""
    before = STAGES[STAGES.index(stage) - 1] if stage != STAGES[0] else None
    if args.weights and (args.stage == stage or before is None):
        path = args.weights
    elif before:
        path = out / before / "final.caffemodel"
        if not path.exists():
            raise UserError(
                f"{stage}: starts from {before}'s weights, but {path} does not exist; run --stage {before} first, or "
                "name a .caffemodel with --weights"
            )
    else:
        return None, "random"
    check_start(path)
    return path, file_sha256(path)


def check_start(path):
    """Raise UserError unless `path` is a .caffemodel whose values are finite."""
    model = runtime.read_caffemodel(path)
    for layer in (*model.layer, *model.layers):
        if not all(np.isfinite(blob.data).all() for blob in layer.blobs):
            raise UserError(f"{path}: layer {layer.name!r} holds values that are not finite; give other weights")


def summary(args, argv, device, bicubic, databases, rows, ran):
    """What a finished run was and gave, for results/: a dict that `tools/readme.py` reads.

    `ran` says whether this call trained; a run that was killed after its last iteration is summed up by the next.
    `hours` is the time in iterations, without validation; it counts what was run again after a kill once.
    """
    stages = {}
    for row in rows:  # the last row of a stage stays
        stages[row["stage"]] = {
            "iterations": row["iteration"],
            "loss": row["loss"],
            "psnr": row.get("psnr"),
            "iterations_per_second": row["iterations_per_second"],
        }
    psnr = rows[-1].get("psnr") if rows else None  # without rows: log.csv is gone
    images = list_images(args.val_images)
    return {
        "command": provenance.command("tools/train.py", argv),
        "date": provenance.now(),
        "device": provenance.processor() if device.name == "cpu" else provenance.gpu_name(device.gpus[0]),
        "gpu": gpu_options(args, device),
        "versions": {**provenance.versions(), "caffe": provenance.caffe_version()},
        "scale": args.scale,
        "stages": stages,
        "hours": sum(s["iterations"] / s["iterations_per_second"] for s in stages.values()) / 3600,
        "psnr": psnr,
        "bicubic": bicubic,
        "notes": notes({"psnr": psnr, "bicubic": bicubic}),
        "validation": {
            "name": args.val_images.name, "images": len(images), "sha256": image_set_hash(images)
        },
        "peak_memory_mb": memory.peak_mb() if ran else None,
        "pairs": {name: source.pairs for name, source in databases.items()},
        "weights_sha256": file_sha256(result_path(args)),
    }  # fmt: skip


def notes(psnrs):
    """What a reader must know of figures (dict of float or None) that JSON cannot hold: list of str."""
    return [
        f"{name}: infinite, an image of the validation set comes out without any error (a flat one does); null here"
        for name, value in psnrs.items()
        if value == float("inf")
    ]


def device_of(args):
    """Take the CPU or the GPUs of --gpu; gives a training.Device.

    Raises
    ------
    UserError
        A GPU cannot be used, or several cannot share the batch.
    """
    for name, asked in (("TF32", args.tf32), ("DETERMINISTIC", args.deterministic), ("BENCHMARK", args.autotune)):
        # read by the CUDA build when it makes its first convolution
        os.environ[f"CAFFE_CUDNN_{name}"] = "1" if asked else "0"
    if not args.gpu:
        return Device(runtime.use_device(None))
    gpus = runtime.gpu_numbers(args.gpu)
    for number in gpus[1:]:
        runtime.check_gpu(number)
    name = runtime.use_device(gpus[0])
    if len(gpus) > 1:
        parallel.check(gpus, args.batch)
        name = f"gpu {','.join(map(str, gpus))}"
    return Device(name, tuple(gpus), args.graphs)


def gpu_options(args, device):
    """How the GPU computed (dict), for the summary; empty on the CPU."""
    if device.name == "cpu":
        return {}
    return {"tf32": args.tf32, "deterministic": args.deterministic, "autotune": args.autotune, "graphs": args.graphs,
            "gpus": len(device.gpus)}  # fmt: skip


def run_stages(args, argv, lengths, device, samples, bicubic):
    """Run what is not finished of `lengths` ({stage: iterations}); gives the exit status."""
    run_folder.clean(args.out, STAGES)
    log = Log(args.out / "log.csv")
    databases, ran = {}, False
    for stage, iterations in lengths.items():
        # again, because the stages before may have taken days
        databases |= check_databases(args, [stage])
        step = stage_of(args, stage, iterations, databases, samples, log, device)
        weights, start = start_of(stage, args, args.out)
        run_folder.record(step.folder, step.settings, start, step.train.made_of)
        if step.final.exists():
            print(f"{stage}: finished before, {step.final}", flush=True)
            continue
        ran = True
        try:
            step.run(weights, say=lambda line: print(line, flush=True))
        except BaseException as error:
            with suppress(OSError):  # a full disk may be what has ended it: its own message says more
                draw(log, args, bicubic)
            if not isinstance(error, Interrupted):
                raise
            print(f"{error}; run the same command to go on", flush=True)
            return 130
        draw(log, args, bicubic)
    result = result_path(args)
    run_folder.publish(step.final, result)
    if not ran and not (args.out / CURVE).exists():  # killed before it was drawn
        draw(log, args, bicubic)
    if ran or not run_folder.is_summed_up(args.out, result):  # else date and versions stay those of the run
        report = summary(args, sys.argv[1:] if argv is None else argv, device, bicubic, databases, log.rows, ran)
        write_json(args.out / "summary.json", report)
    print(f"finished: {result}", flush=True)
    return 0


def result_path(args):
    """Where the finished weights go (Path), so that OUT serves as a weights folder."""
    return args.out / "idn" / f"IDN_x{args.scale}.caffemodel"


def stage_of(args, stage, iterations, databases, samples, log, device):
    """The training.Stage of one stage."""
    return Stage(
        settings_of(args, stage, iterations),
        default_rhythm(iterations, args.snapshot, args.test_interval),
        args.out / stage,
        databases[solver.PHASE_OF_STAGE[stage]], databases["val"], samples, log, device,
    )  # fmt: skip


def draw(log, args, bicubic):
    """Draw the curves of what `log` has."""
    if log.rows:
        curves.plot(log.rows, args.out / CURVE, title=f"IDN x{args.scale}", bicubic=bicubic)
