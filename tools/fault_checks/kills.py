"""Benchmarks and enlargements that are killed: nothing stays, and the same command goes on."""

import json
import signal

import numpy as np

from tools.fault_checks import drawing, judge
from tools.fault_checks.case import trial
from tools.fault_checks.process import temporary_files

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


def _left(lab):
    return [f"left behind: {path.relative_to(lab.folder)}" for path in temporary_files(lab.folder)]


@trial("benchmark-kills")
def benchmark_kills(lab):
    """benchmark killed: no process of its goes on, the same command completes its rows, nothing stays

    Every second case is one of rows with times, which have processes of their own, the others of rows with scores
    alone, whose figures must be those of an uninterrupted run.
    """
    kinds = {
        "times": ("--tables", 4, "--random-weights", "--methods", "FSRCNN", "ESPCN", "SRCNN", "--datasets", "Large",
                  "--scales", 3, "--repeats", 3),
        "scores": ("--tables", 2, 3, "--methods", "Bicubic", "--datasets", "Large", "--scales", 2, 3, 4),
    }  # fmt: skip

    def asked(kind, out):
        return (*kinds[kind], "--data-dir", lab.material.data(), "--weights-dir", lab.folder, "--out", out)

    whole, right = {}, {}
    for kind in kinds:
        out = lab.folder / f"whole_{kind}"
        whole[kind] = lab.tool("benchmark", *asked(kind, out))
        yield lab.result(f"uninterrupted, {kind}", judge.done(whole[kind]), whole[kind])
        right[kind] = _rows(out, kind) if not whole[kind].status else None
    for number in range(lab.cases(4, 40)):
        kind = list(kinds)[number // 2 % 2]
        out = lab.folder / f"killed{number}"
        began = lab.begin("benchmark", *asked(kind, out))
        how = SIGNALS[(0, 0, 1, 0, 2, 0)[number % 6]]
        if number % 2:
            count = int(lab.rng.integers(1, 6))
            began.until_writing(lab.folder, count)
            case = f"{kind}, {how.name} at temporary file {count}"
        else:
            seconds = float(lab.rng.uniform(0.3, 1.0)) * whole[kind].seconds
            began.sleep(seconds)
            case = f"{kind}, {how.name} after {seconds:.2f} s"
        began.send(how)
        ended = began.wait(60)
        faults = [f"still running after it: {line}" for line in ended.children]
        faults += [f"after it: {said}" for said in judge.noise(ended.err)] if how != signal.SIGKILL else []
        again = lab.tool("benchmark", *asked(kind, out))
        faults += judge.done(again) + judge.strict_json(out / "benchmark.json") + _left(lab)
        if not again.status and _rows(out, kind) != right[kind]:
            faults.append("other rows than uninterrupted")
        yield lab.result(case, faults, again)
        for path in temporary_files(lab.folder):
            path.unlink(missing_ok=True)


def _rows(out, kind):
    """What a benchmark measured that must be the same after a stop: {(scale, method): figures, or that it is timed}."""
    found = {}
    for row in json.loads((out / "benchmark.json").read_text())["rows"]:
        if not row["gap"]:
            figures = row["seconds"] > 0 if kind == "times" else [row["psnr"], row["ssim"], row["ifc"]]
            found[row["scale"], row["method"]] = figures
    return found


@trial("upscale-kills")
def upscale_kills(lab):
    """upscale killed in a folder of pictures: whole pictures or none, the same command completes them, nothing stays"""
    rng = np.random.default_rng(1)
    for number in range(6):
        noise = rng.integers(0, 256, (300, 420, 3)).astype(np.uint8)
        lab.write(f"in/{number}.png", drawing.plain_png(noise))

    def asked(out):
        return (lab.folder / "in", "-o", out, "--scale", 3, "--method", "Bicubic", "--compare")

    whole = lab.tool("upscale", *asked(lab.folder / "whole"))
    right = {path.name: path.read_bytes() for path in (lab.folder / "whole").iterdir()}
    yield lab.result("uninterrupted", judge.done(whole), whole)
    for number in range(lab.cases(5, 60)):
        out = lab.folder / f"killed{number}"
        began = lab.begin("upscale", *asked(out))
        how = SIGNALS[number % 3]
        count = int(lab.rng.integers(1, 12))
        began.until_writing(out, count)
        began.send(how)
        ended = began.wait(60)
        faults = [f"after it: {said}" for said in judge.noise(ended.err)] if how != signal.SIGKILL else []
        faults += [f"left by {how.name}: {name}" for name in ended.left] if how != signal.SIGKILL else []
        again = lab.tool("upscale", *asked(out))
        made = {path.name: path.read_bytes() for path in out.iterdir()}
        faults += judge.done(again) + _left(lab)
        wrong = sorted(name for name in right if made.get(name) != right[name])
        faults += [f"another picture than uninterrupted: {', '.join(wrong[:3])}"] if wrong else []
        yield lab.result(f"{how.name} at temporary file {count}", faults, again)
        for path in temporary_files(lab.folder):
            path.unlink(missing_ok=True)
