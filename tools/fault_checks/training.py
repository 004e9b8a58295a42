"""Training: kills, numbers out of range, divergence, locked and odd databases."""

import contextlib
import os
import shutil
import signal

import h5py
import numpy as np

from tools.fault_checks import drawing, judge
from tools.fault_checks.case import trial
from tools.fault_checks.damage import damaged
from tools.fault_checks.lab import copied
from tools.fault_checks.process import temporary_files

WHOLE = ("--iters", 43, "--snapshot", 10, "--test-interval", 12)
RESULT = "idn/IDN_x3.caffemodel"


def _reference(lab):
    """An uninterrupted run: its folder and Run."""
    out = lab.folder / "whole"
    return out, lab.tool("train", *lab.material.training(out, *WHOLE))


def _complete(lab, out, whole):
    """Faults (list of str) of a finished run folder beside that of the uninterrupted run."""
    faults = judge.strict_json(out / "summary.json")
    if not (out / RESULT).exists():
        faults.append(f"{RESULT} is missing")
    elif (out / RESULT).read_bytes() != (whole / RESULT).read_bytes():
        faults.append("the weights differ from an uninterrupted run's")
    faults += [f"left behind: {path.relative_to(lab.folder)}" for path in temporary_files(out)]
    logs = [folder / "log.csv" for folder in (out, whole)]
    rows = [path.read_text().count("\n") if path.exists() else 0 for path in logs]
    if rows[0] != rows[1]:
        faults.append(f"log.csv has {rows[0]} lines, expected {rows[1]}")
    return faults


@trial("training-kills")
def training_kills(lab):
    """Trainings killed at random moments and while a file is written: the same command gives the same bits"""
    whole, run = _reference(lab)
    yield lab.result("uninterrupted", judge.done(run) + _complete(lab, whole, whole), run)
    for number in range(lab.cases(5, 60)):
        out = lab.folder / f"killed{number}"
        how = number % 3
        began = lab.begin("train", *lab.material.training(out, *WHOLE))
        if how == 0:
            seconds = float(lab.rng.uniform(0.3, 1.0)) * run.seconds
            began.sleep(seconds)
            case = f"SIGKILL after {seconds:.2f} s"
        else:  # while something is being written
            count = int(lab.rng.integers(1, 8))
            began.until_writing(out, count)
            case = f"SIGKILL at temporary file {count}"
        began.send(signal.SIGKILL if how < 2 else signal.SIGTERM)
        case = case.replace("SIGKILL", "SIGTERM") if how == 2 else case
        ended = began.wait(60)
        faults = [f"still running after the kill: {line}" for line in ended.children]
        if how == 2:
            faults += [f"after SIGTERM: {said}" for said in judge.noise(ended.err)]
        again = lab.tool("train", *lab.material.training(out, *WHOLE))
        yield lab.result(case, faults + judge.done(again) + _complete(lab, out, whole), again)
        shutil.rmtree(out, ignore_errors=True)


@trial("training-end")
def training_end(lab):
    """A training that was killed between its last stage and its summary: the next call writes what is missing"""
    whole, _ = _reference(lab)
    for missing in (("summary.json",), (RESULT,), ("summary.json", RESULT), ("learning_curve.png",)):
        out = lab.folder / f"cut{len(missing)}{missing[0][:3]}"
        shutil.copytree(whole, out)
        for name in missing:
            (out / name).unlink()
        run = lab.tool("train", *lab.material.training(out, *WHOLE))
        faults = judge.done(run) + _complete(lab, out, whole)
        if "learning_curve.png" in missing and not (out / "learning_curve.png").exists():
            faults.append("learning_curve.png is missing")
        yield lab.result(f"without {' and '.join(missing)}", faults, run)
    for name, cut in (("log.csv", 0.5), ("finetune/settings.json", 0.5), ("summary.json", 0.5), (RESULT, 0.5)):
        out = lab.folder / f"half_{name.replace('/', '_')}"
        shutil.copytree(whole, out)
        os.truncate(out / name, int((out / name).stat().st_size * cut))
        run = lab.tool("train", *lab.material.training(out, *WHOLE))
        yield lab.result(f"half of {name}", judge.done_or_refused(run, name.rpartition("/")[2], str(out)), run)


@trial("training-diverges")
def training_diverges(lab):
    """Learning rates that blow up, in the last iteration too: one line, and no weights that are not numbers"""
    for case, more in {
        "--lr 1e30": ("--lr", "1e30", "--iters", 9), "--lr 1e30, one iteration": ("--lr", "1e30", "--iters", 1),
        "--lr 1e38, two": ("--lr", "1e38", "--iters", 2), "--lr 1e6, three": ("--lr", "1e6", "--iters", 3),
        "--lr inf": ("--lr", "inf", "--iters", 2), "--lr nan": ("--lr", "nan", "--iters", 2),
        "--beta1 1": ("--beta1", "1", "--iters", 3), "--beta1 nan": ("--beta1", "nan", "--iters", 3),
        "--beta1 -1": ("--beta1", "-1", "--iters", 3), "--lr 1e-50": ("--lr", "1e-50", "--iters", 2),
    }.items():
        out = lab.folder / f"run{case.replace(' ', '')}"
        run = lab.tool("train", *lab.material.training(out, "--stage", "pretrain", *more))
        sane = case == "--lr 1e-50"
        faults = judge.done_or_refused(run) if sane else judge.refused(run)
        if (out / RESULT).exists() and not sane:
            faults.append("weights were left under the name of a result")
        if (out / "summary.json").exists():
            faults += judge.strict_json(out / "summary.json")
        yield lab.result(case, faults, run)


@trial("training-numbers")
def training_numbers(lab):
    """Batches, iterations and seeds that are huge, negative or no numbers"""
    asked = [
        ("--seed", "-1"), ("--seed", 2**31), ("--seed", 2**63), ("--seed", 2**64), ("--seed", "1.5"),
        ("--batch", 2**31), ("--batch", 2**63), ("--batch", 100_000_000), ("--batch", 30_000), ("--iters", 2**31),
        ("--iters", 2**63), ("--iters", 0), ("--iters", -5), ("--snapshot", 2**31), ("--snapshot", 2**63),
        ("--test-interval", 2**31), ("--test-interval", 2**63), ("--gpu", "99"), ("--gpu", "a"), ("--gpu", ","),
    ]
    for name, value in asked if lab.long else asked:
        out = lab.folder / f"run{name}{value}"
        base = ["--stage", "pretrain", "--iters", 2]
        arguments = lab.material.training(out, *base)
        if name in arguments:
            arguments[arguments.index(name) + 1] = value
            arguments = [f"{name}={value}" if word == name else word for word in arguments]
            arguments.remove(value)
        else:
            arguments.append(f"{name}={value}")
        began = lab.begin("train", *arguments)
        # iterations without end are no fault: what begins to train has accepted the number
        started = began.until(lambda out=out: (out / "log.csv").exists(), 25) if name == "--iters" else False
        began.send(signal.SIGINT) if started else None
        run = began.wait(60)
        faults = judge.broken(run) if started else judge.done_or_refused(run)
        yield lab.result(f"{name} {value}", faults, run)
    yield _reproducible(lab)


def _reproducible(lab):
    """A seed below zero is refused, or gives the same weights twice."""
    found = []
    for number in range(2):
        out = lab.folder / f"seed{number}"
        run = lab.tool("train", *lab.material.training(out, "--stage", "pretrain", "--iters", 2, "--seed=-1"))
        if (out / RESULT).exists():
            found.append((out / RESULT).read_bytes())
    faults = judge.done_or_refused(run)
    if len(set(found)) > 1:
        faults.append("two runs of one seed gave different weights")
    return lab.result("--seed -1 twice", faults, run)


@trial("training-memory")
def training_memory(lab):
    """Too little memory for the batch: one line that says what fits"""
    out = lab.folder / "run"
    for megabytes in (700, 1200):
        run = lab.tool("train", *lab.material.training(out, "--stage", "pretrain", "--iters", 2, "--batch", 4000),
                       memory=megabytes << 20)
        yield lab.result(f"--batch 4000 with {megabytes} MB of address space", judge.done_or_refused(run), run)


@trial("training-flat-picture")
def training_flat(lab):
    """Validation pictures of one colour: PSNR is infinite, and summary.json stays JSON"""
    for name, value in (("black", 0), ("white", 255), ("gray", 128)):
        flat = np.full((60, 66, 3), value, np.uint8)
        lab.write(f"{name}/flat.png", drawing.plain_png(flat))
        out = lab.folder / f"run_{name}"
        run = lab.tool("train", *lab.material.training(out, "--iters", 4, "--val-images", lab.folder / name))
        faults = judge.done(run)
        faults += judge.strict_json(out / "summary.json") if not run.status else []
        yield lab.result(f"validation on a {name} picture", faults, run)
        run = lab.tool("benchmark", "--tables", 2, 3, "--datasets", name, "--scales", 3, "--methods", "Bicubic",
                       "--data-dir", lab.folder, "--weights-dir", lab.folder, "--out", lab.folder / f"b{name}")
        faults = judge.done_or_refused(run)
        faults += judge.strict_json(lab.folder / f"b{name}/benchmark.json") if not run.status else []
        yield lab.result(f"benchmark on a {name} picture", faults, run)


@trial("shards")
def shards(lab):
    """prepare_data with sizes, seeds, strides and workers out of range"""
    data = lab.material.data()
    base = ["--scale", 3, "--stage", "val", "--data-dir", data]
    for number, more in enumerate((
        ("--shard-mb=inf",), ("--shard-mb=nan",), ("--shard-mb=0",), ("--shard-mb=-1",), ("--shard-mb=1e300",),
        ("--shard-mb=1e9",), ("--shard-mb=9000",), ("--shard-mb=1e-9",), (f"--seed={2**63}",), (f"--seed={2**64}",),
        ("--seed=-1",), ("--stride=0",), ("--stride=-1",), (f"--stride={2**63}",), ("--stride=100000",),
        ("--workers=0",), ("--workers=-1",), ("--workers=100000",), (f"--workers={2**63}",), ("--set=",),
        ("--set=none",), ("--set=../Set5",),
    )):
        run = lab.tool("prepare_data", *base, "--out", lab.folder / f"h{number}", *more, memory=8 << 30)
        yield lab.result(more[0], judge.done_or_refused(run), run)
    for value in ("inf", "abc", "-1", "", "1e400"):
        run = lab.tool("prepare_data", *base, "--out", lab.folder / f"v{value}", env={"SHARD_MB": value})
        yield lab.result(f"SHARD_MB={value}", judge.done_or_refused(run), run)


def _own_databases(lab, folder):
    """A copy of the databases whose lists name the copy's files; gives its path."""
    source, target = lab.material.databases(), lab.folder / folder
    shutil.copytree(source, target)
    for path in target.rglob("*.txt"):
        path.write_text(path.read_text().replace(str(source), str(target)))
    return target


@trial("databases")
def databases(lab):
    """Locked, damaged, missing and foreign HDF5 shards: one line that tells them apart"""
    def train(folder, **more):
        arguments = lab.material.training(lab.folder / f"run_{folder.name}", "--stage", "pretrain", "--iters", 2)
        arguments[arguments.index("--hdf5-dir") + 1] = folder
        return lab.tool("train", *arguments, **more)

    own = _own_databases(lab, "locked")
    shard = own / "x3/train/00000.h5"
    with h5py.File(shard, "r+"):
        run = train(own)
    faults = judge.done_or_refused(run, "lock")
    if run.status == 2 and "--force" in run.err:
        faults.append("advises to make a sound database again")
    yield lab.result("locked by a writer", faults, run)
    for number in range(lab.cases(6, 80)):
        own = _own_databases(lab, f"damaged{number}")
        shard = own / "x3/train/00000.h5"
        what, content = damaged(shard.read_bytes(), lab.rng, 2000)
        shard.unlink()
        shard.write_bytes(content)
        run = train(own)
        yield lab.result(what, judge.done_or_refused(run, shard.name, "train.txt", "diverged", "finite"), run)
        shutil.rmtree(own)
    changes = {
        "no shard": lambda folder: (folder / "x3/train/00000.h5").unlink(),
        "empty list": lambda folder: (folder / "x3/train.txt").write_text(""),
        "list of nothing": lambda folder: (folder / "x3/train.txt").write_text("nothing.h5\n"),
        "list that is no text": lambda folder: (folder / "x3/train.txt").write_bytes(b"\xff\xfe\0\0"),
        "a folder for a shard": lambda folder: ((folder / "x3/train/00000.h5").unlink(),
                                                (folder / "x3/train/00000.h5").mkdir()),
        "no validation": lambda folder: (folder / "x3/val.txt").unlink(),
        "values that are no numbers": _not_finite,
        "an empty shard": _empty,
    }
    for name, change in changes.items():
        own = _own_databases(lab, name.replace(" ", "_"))
        change(own)
        run = train(own)
        yield lab.result(name, judge.refused(run), run)


def _not_finite(folder):
    with h5py.File(folder / "x3/train/00000.h5", "r+") as file:
        file["data"][:] = np.nan


def _empty(folder):
    with h5py.File(folder / "x3/train/00000.h5", "r+") as file:
        for name in ("data", "label", "bic"):
            with contextlib.suppress(KeyError):
                shape = (0, *file[name].shape[1:])
                del file[name]
                file.create_dataset(name, shape, np.float32)


@trial("blanks")
def blanks(lab):
    """Folders with blanks: databases into them and training from them, links to them"""
    picture = drawing.plain_png(drawing.Scene(lab.rng, 72, 78).rgb)
    for name in ("a b", "a  b ", "tab\there"):
        lab.write(f"{name}/Set5/x.png", picture)
        target = lab.folder / name / "hdf5"
        run = lab.tool("prepare_data", "--scale", 3, "--stage", "val", "--data-dir", lab.folder / name, "--out", target)
        yield lab.result(f"prepare_data into {name!r}", judge.done_or_refused(run), run)
    link = lab.folder / "link"
    link.symlink_to(lab.folder / "a b")
    data = lab.folder / "data" / "Set5"
    copied(lab.folder / "a b/Set5/x.png", data / "x.png")
    run = lab.tool("prepare_data", "--scale", 3, "--stage", "val", "--data-dir", data.parent, "--out", link / "other")
    faults = judge.done_or_refused(run)
    if run.status == 2 and list((lab.folder / "a b").rglob("*.h5")):
        faults.append("built it before it refused")
    yield lab.result("prepare_data --out a link to a folder with a blank", faults, run)
    out = lab.folder / "run with blank"
    run = lab.tool("train", *lab.material.training(out, "--stage", "pretrain", "--iters", 2))
    yield lab.result("train --out with a blank", judge.done(run), run)


@trial("preparing-kills")
def preparing_kills(lab):
    """prepare_data killed at random moments: the same command gives the same files and leaves nothing behind"""
    base = ["--scale", 3, "--stage", "train", "--data-dir", lab.material.data(), "--workers", 2, "--shard-mb", 0.2]
    whole = lab.tool("prepare_data", *base, "--out", lab.folder / "whole")
    right = {path.name: path.read_bytes() for path in (lab.folder / "whole/x3/train").glob("*.h5")}
    yield lab.result("uninterrupted", judge.done(whole), whole)
    for number in range(lab.cases(3, 40)):
        out = lab.folder / f"killed{number}"
        began = lab.begin("prepare_data", *base, "--out", out)
        seconds = float(lab.rng.uniform(0.3, 1.0)) * whole.seconds
        began.sleep(seconds)
        signals = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
        began.send(signals[number % 3])
        ended = began.wait(60)
        faults = [f"still running after the kill: {line}" for line in ended.children]
        if number % 3:  # after SIGKILL Python's own helper may speak, which nobody can keep from it
            faults += [f"after {signals[number % 3].name}: {said}" for said in judge.noise(ended.err)]
        again = lab.tool("prepare_data", *base, "--out", out)
        made = {path.name: path.read_bytes() for path in (out / "x3/train").glob("*.h5")}
        faults += judge.done(again)
        faults += ["other files than an uninterrupted run's"] if made != right else []
        faults += [f"left behind: {path.relative_to(lab.folder)}" for path in temporary_files(out)]
        yield lab.result(f"{signals[number % 3].name} after {seconds:.2f} s", faults, again)
