#!/usr/bin/env python3
"""Train IDN as the paper did: pre-train, train with MAE, fine-tune with MSE on larger sub-images.

    tools/train.py --scale 3                          # the whole schedule: 720,000 iterations
    tools/train.py --scale 3 --gpu 0
    tools/train.py --scale 3 --gpu 0,1                # data parallel; the batch of 64 is shared out
    tools/train.py --scale 3 --iters 3000             # the same schedule, scaled down
    tools/train.py --scale 3 --stage finetune --weights weights/idn/IDN_x3.caffemodel

`--iters N` shares N iterations among the stages as the full schedule does (100,000 : 600,000 : 20,000), or
gives them all to the one `--stage`. Run the same command again after an interruption: it resumes from the newest
whole snapshot, and a finished stage is not run again. The result is OUT/idn/IDN_x<scale>.caffemodel, so that
OUT serves as a weights folder for tools/benchmark.py; OUT/summary.json says how it was made.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import fcntl
import hashlib
import json
import os
import sys
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from data_prep import hdf5, sources
from data_prep.files import atomic_path, write_text
from prototxt import idn, solver
from tools import caffe_runtime, cli, evaluation, learning_log, memory, parallel, provenance, training
from tools.cli import UserError

ROOT = Path(__file__).resolve().parent.parent
STAGES = tuple(solver.ITERATIONS)


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
    return training.Settings(
        scale=args.scale,
        stage=stage,
        iterations=iterations,
        stepsize=max(1, round(250_000 * iterations / solver.ITERATIONS[stage])),
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
        found[name] = training.Source(list_file, database.shards, database.pairs, made_of)
    return found


def validation_samples(folder, scale):
    """Prepared validation images and bicubic's PSNR on them: (list of evaluation.Sample, float)."""
    samples = [
        evaluation.prepare(sources.read_image(path), scale, name=path.name)
        for path in sources.list_images(folder)
    ]
    scores = [
        evaluation.score(s.hr, evaluation.quantise(s.base), scale, ("psnr",))["psnr"] for s in samples
    ]
    return samples, sum(scores) / len(scores)


def record(folder, settings, start, data):
    """Keep what the stage was started with; refuse to go on with something else.

    `start` (str) is the SHA-256 of the first weights or "random", `data` (dict) what the training pairs are made of.

    Raises
    ------
    UserError
        The folder holds a stage that was started with other options or weights; the text names them.
    """
    path = Path(folder) / "settings.json"
    wanted = {**asdict(settings), "start": start, "data": data}
    if path.exists():
        found = json.loads(path.read_text())
        changed = [k for k in wanted if found.get(k) != wanted[k]]
        if changed:
            listed = ", ".join(f"{k} {found.get(k)} then, {wanted[k]} now" for k in changed)
            raise UserError(
                f"{folder}: was started with other settings ({listed}); give the same ones to go on, or another --out"
            )
        return
    write_text(path, json.dumps(wanted, indent=1) + "\n")


@contextmanager
def claimed(folder):
    """Hold the run's folder (Path; made when missing) for this process; ends with the process, however it ends.

    Raises
    ------
    UserError
        Another training holds it: two would mix their snapshots and logs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"{folder}: another training is at work in this folder; wait for it, or give another --out"
            ) from None
        yield
    finally:
        os.close(lock)


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
    caffe_runtime.read_caffemodel(path)
    return path, sha256(path)


def summary(args, argv, device, bicubic, databases, rows):
    """What a finished run was and gave, for results/: a dict that `tools/readme.py` reads.

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
    images = sources.list_images(args.val_images)
    return {
        "command": provenance.command("tools/train.py", argv),
        "date": provenance.now(),
        "device": provenance.processor() if device.name == "cpu" else provenance.gpu_name(device.gpus[0]),
        "gpu": gpu_options(args, device),
        "versions": {**provenance.versions(), "caffe": provenance.caffe_version()},
        "scale": args.scale,
        "stages": stages,
        "hours": sum(s["iterations"] / s["iterations_per_second"] for s in stages.values()) / 3600,
        "psnr": rows[-1]["psnr"],
        "bicubic": bicubic,
        "validation": {
            "name": args.val_images.name, "images": len(images), "sha256": sources.image_set_hash(images)
        },
        "peak_memory_mb": memory.peak_mb(),
        "pairs": {name: source.pairs for name, source in databases.items()},
        "weights_sha256": sha256(args.out / "idn" / f"IDN_x{args.scale}.caffemodel"),
    }  # fmt: skip


def sha256(path):
    """Hex SHA-256 of a file (str)."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


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
        return training.Device(caffe_runtime.use_device(None))
    gpus = caffe_runtime.gpu_numbers(args.gpu)
    for number in gpus[1:]:
        caffe_runtime.check_gpu(number)
    name = caffe_runtime.use_device(gpus[0])
    if len(gpus) > 1:
        parallel.check(gpus, args.batch)
        name = f"gpu {','.join(map(str, gpus))}"
    return training.Device(name, tuple(gpus), args.graphs)


def gpu_options(args, device):
    """How the GPU computed (dict), for the summary; empty on the CPU."""
    if device.name == "cpu":
        return {}
    return {"tf32": args.tf32, "deterministic": args.deterministic, "autotune": args.autotune, "graphs": args.graphs,
            "gpus": len(device.gpus)}  # fmt: skip


def parse(argv):
    parser = cli.Parser(__doc__)
    parser.add_argument("--scale", type=int, required=True, choices=cli.SCALES)
    parser.add_argument("--stage", choices=STAGES, help="one stage only (default: all three in turn)")
    parser.add_argument("--iters", type=int, help="iterations in all (default: the full schedule)")
    parser.add_argument("--gpu", default=os.environ.get("GPU"), help="number of the GPU, several: 0,1 (default: CPU)")
    parser.add_argument("--tf32", action="store_true", help="GPU: convolutions in TF32, not in float as the paper had")
    parser.add_argument("--deterministic", action="store_true", help="GPU: the same bits in every run, slower")
    parser.add_argument("--no-autotune", dest="autotune", action="store_false",
                        help="GPU: cuDNN's algorithms by its own guess, not by timing them")  # fmt: skip
    parser.add_argument("--no-graphs", dest="graphs", action="store_false", help="GPU: launch every kernel on its own")
    parser.add_argument("--weights", type=Path, help="start from this .caffemodel; of any scale, the shapes agree")
    parser.add_argument("--data-dir", type=Path, default=Path(os.environ.get("DATA") or ROOT / "data"))
    parser.add_argument("--hdf5-dir", type=Path, default=Path(os.environ.get("HDF5") or ROOT / "data" / "hdf5"),
                        help="databases of tools/prepare_data.py (default: data/hdf5)")  # fmt: skip
    parser.add_argument("--val-images", type=Path, help="folder for the validation PSNR (default: DATA/Set5)")
    parser.add_argument("--out", type=Path, help="the run's folder (default: runs/x<scale>)")
    parser.add_argument("--beta1", type=float, default=0.0, help="0 as the release ran (default), or 0.9")
    parser.add_argument("--lr", type=float, default=1e-4, help="of pretrain and train; finetune takes a tenth")
    parser.add_argument("--batch", type=int, default=idn.BATCH, help="pairs in an iteration (default: 64)")
    parser.add_argument("--seed", type=int, default=1, help="of the random weights (default: 1)")
    parser.add_argument("--snapshot", type=int, help="iterations between snapshots (default: 20,000 or a tenth)")
    parser.add_argument("--test-interval", type=int, help="... between validations (default: 5,000 or a tenth)")
    args = parser.parse_args(argv)
    for name in ("batch", "snapshot", "test_interval"):
        value = getattr(args, name)
        if value is not None and value < 1:
            parser.error(f"--{name.replace('_', '-')}: got {value}, expected at least 1")
    if not args.lr > 0:
        parser.error(f"--lr: got {args.lr}, expected more than 0")
    args.autotune = args.autotune and not args.deterministic
    args.val_images = args.val_images or args.data_dir / "Set5"
    args.out = args.out or ROOT / "runs" / f"x{args.scale}"
    return args


def main(argv=None):
    """Run the stages that are asked for and not finished; gives the exit status."""
    args = parse(argv)
    lengths = schedule(args.iters, args.stage)
    device = device_of(args)
    databases = check_databases(args, lengths)
    samples, bicubic = validation_samples(args.val_images, args.scale)
    if args.weights:
        caffe_runtime.read_caffemodel(args.weights)
    plan = ", ".join(f"{stage} {n:,}" for stage, n in lengths.items())
    print(f"IDN x{args.scale} on {device.name}: {plan} iterations; validation on {len(samples)} images of "
          f"{args.val_images}, bicubic {bicubic:.3f} dB", flush=True)  # fmt: skip
    with claimed(args.out):
        return run_stages(args, argv, lengths, device, databases, samples, bicubic)


def run_stages(args, argv, lengths, device, databases, samples, bicubic):
    """Run what is not finished of `lengths` ({stage: iterations}); gives the exit status."""
    log = learning_log.Log(args.out / "log.csv")
    ran = False
    for stage, iterations in lengths.items():
        settings = settings_of(args, stage, iterations)
        train, val = databases[solver.PHASE_OF_STAGE[stage]], databases["val"]
        step = training.Stage(
            settings,
            training.default_rhythm(iterations, args.snapshot, args.test_interval),
            args.out / stage,
            train, val, samples, log, device,
        )  # fmt: skip
        weights, start = start_of(stage, args, args.out)
        record(args.out / stage, settings, start, train.made_of)
        if step.final.exists():
            print(f"{stage}: finished before, {step.final}", flush=True)
            continue
        ran = True
        try:
            step.run(weights, say=lambda line: print(line, flush=True))
        except training.Interrupted as stop:
            print(f"{stop}; run the same command to go on", flush=True)
            return 130
        finally:
            if log.rows:
                learning_log.plot(
                    log.rows, args.out / "learning_curve.png", title=f"IDN x{args.scale}", bicubic=bicubic
                )
    result = args.out / "idn" / f"IDN_x{args.scale}.caffemodel"
    with atomic_path(result) as temporary:
        temporary.write_bytes(step.final.read_bytes())
    if ran:  # a later call that finds all finished leaves date and versions of the run as they are
        report = summary(args, sys.argv[1:] if argv is None else argv, device, bicubic, databases, log.rows)
        write_text(args.out / "summary.json", json.dumps(report, indent=1) + "\n")
    print(f"finished: {result}", flush=True)
    return 0


if __name__ == "__main__":
    cli.run(main)
