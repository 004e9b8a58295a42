"""Names: bytes that are no text, blanks, signs; two inputs for one output; outputs that cannot be."""

import os
import re
import stat
import threading

import numpy as np

from tools.fault_checks import drawing, judge
from tools.fault_checks.case import Skipped, trial

ODD = (b"caf\xe9", b"\xff\xfe", "\u0444\u043e\u0442\u043e".encode(), "\u7167\u7247".encode(), b"a b", b"a  b", b"it's",
       b'say "x"', b"back\\slash", b"semi;colon", b"star*", b"%d%s", b"new\nline", b"tab\there", b"-dash", b"--scale",
       b"{x}", b"$HOME", b"`id`", b"\x1b[31mred", b"#1", b"dot.", b"..x", b"\xf0\x9f\x98\x80", b"e\xcc\x81",
       b"x" * 200)


def _odd_names(lab, short):
    """Some of the odd names (list of str), the bytes that are no text always among them."""
    drawn = list(lab.rng.permutation(np.array(ODD[2:], object)))[: lab.cases(short, len(ODD))]
    random = bytes(b for b in lab.rng.integers(1, 256, 12).astype(np.uint8).tobytes() if b not in b"/.")
    return [os.fsdecode(name) for name in (*ODD[:2], *drawn, b"r" + random)]


def _readable(name):
    return os.fsencode(name[:24]).decode("utf-8", "backslashreplace").encode("unicode_escape").decode()


def _sized(path):
    return path.exists() and path.stat().st_size > 0


@trial("names-pictures")
def names_pictures(lab):
    """Pictures with odd names: alone, in a folder with others, and a second time"""
    picture = drawing.plain_png(drawing.Scene(lab.rng).rgb)
    names = _odd_names(lab, 8)
    for name in names:
        lab.write(f"in/{name}.png", picture)
    target = lab.folder / "out"
    for again in (False, True):
        run = lab.tool("upscale", lab.folder / "in", "-o", target, "--scale", 2, "--method", "Bicubic")
        yield lab.result(f"a folder of them{', again' * again}", judge.done(run), run)
        for name in names:
            faults = [] if _sized(target / f"{name}.png") else ["was not enlarged"]
            yield lab.result(f"{_readable(name)} in a folder{', again' * again}", faults, run)
    for name in names[: lab.cases(4, len(names))]:
        path = lab.write(f"one/{name}.png", picture)
        out = lab.folder / f"large{name}.png"
        run = lab.tool("upscale", path, "-o", out, "--scale", 2, "--method", "Bicubic")
        faults = judge.done(run) + ([] if _sized(out) else ["was not enlarged"])
        yield lab.result(f"{_readable(name)} alone", faults, run)


@trial("names-tools")
def names_tools(lab):
    """Folders, pictures and weights with odd names in benchmark, prepare_data, train, import_weights, matlab_compat"""
    scene = drawing.Scene(lab.rng, 72, 78)
    picture = drawing.plain_png(scene.rgb)
    mat = lab.material.vdsr_mat().read_bytes()
    for number, name in enumerate(_odd_names(lab, 1)[0 if lab.long else 1 :]):
        path = lab.write(f"data{name}/set{name}/{name}.png", picture)
        data, said = path.parents[1], _readable(name)
        run = lab.tool("benchmark", "--tables", 2, "--datasets", f"set{name}", "--scales", 2, "--methods", "Bicubic",
                       "--data-dir", data, "--weights-dir", lab.folder, "--out", lab.folder / f"bench{name}")
        faults = judge.done_or_refused(run)
        report = lab.folder / f"bench{name}/benchmark.json"
        if not run.status and not report.exists():
            faults.append("benchmark.json is missing")
        yield lab.result(f"benchmark: {said}", faults, run)
        run = lab.tool("prepare_data", "--scale", 3, "--stage", "val", "--data-dir", data, "--set", f"set{name}",
                       "--out", lab.folder / f"hdf5{name}", "--workers", 1)
        yield lab.result(f"prepare_data: {said}", judge.done_or_refused(run), run)
        own = lab.write(f"mat{number}/{name}.mat", mat)
        run = lab.tool("import_weights", own, "--network", "vdsr")
        faults = judge.done(run) + ([] if _sized(own.with_suffix(".caffemodel")) else ["nothing was written"])
        yield lab.result(f"import_weights: {said}", faults, run)
        arguments = lab.material.training(lab.folder / "x", "--stage", "pretrain", "--iters", 1)
        arguments[arguments.index("--out") + 1] = lab.folder / f"run{name}"
        run = lab.tool("train", *arguments)
        yield lab.result(f"train: {said}", judge.done_or_refused(run), run)
        out = lab.folder / f"read{name}.png"
        run = lab.python("-m", "matlab_compat", "imresize", path, out,
                         "--scale", "2")
        yield lab.result(f"matlab_compat: {said}", judge.done(run) + ([] if _sized(out) else ["not written"]), run)


@trial("names-weights")
def names_weights(lab):
    """Weights with odd names: the second run says that all is done"""
    weights = lab.material.weights("espcn_x2_deploy").read_bytes()
    path = lab.write("in.png", drawing.plain_png(drawing.Scene(lab.rng).rgb))
    for number, name in enumerate([*_odd_names(lab, 2), "\u0432\u0435\u0441", "\u6743\u91cd"]):
        own = lab.write(f"weights/{name}.caffemodel", weights)
        asked = (path, "-o", lab.folder / f"out{number}.png", "--scale", 2, "--method", "ESPCN", "--weights", own)
        runs = [lab.tool("upscale", *asked) for _ in range(2)]
        faults = judge.done(runs[0]) + [f"again: {fault}" for fault in judge.done(runs[1])]
        if not runs[1].status and "done before" not in runs[1].out:
            faults.append("the second run does not say that it was done before")
        yield lab.result(_readable(name), faults, runs[1])


@trial("two-inputs-one-output")
def two_inputs_one_output(lab):
    """Inputs whose outputs would have one name, outputs among the inputs, inputs that can be read once only"""
    one, two = (drawing.plain_png(drawing.Scene(lab.rng, 48, 51).rgb) for _ in range(2))
    size = len(one)
    for number, names in enumerate((("pic.png", "pic.bmp"), ("a.png", "a_compare.png"), ("a.png", "a.png.png"),
                                    ("A.png", "a.png"), ("b_compare.png", "b_compare.bmp", "b.png"))):
        folder = lab.folder / f"in{number}"
        for name, content in zip(names, (one, two, one)):
            lab.write(f"in{number}/{name}", content)
        for force in ([], ["--force"]):
            out = lab.folder / f"out{number}{'force' if force else ''}"
            run = lab.tool("upscale", folder, "-o", out, "--scale", 2, "--method", "Bicubic", "--compare", *force)
            faults = judge.done_or_refused(run)
            # each input gives two pictures, none of which may take another's place
            made = len(list(out.glob("*"))) if out.exists() else 0
            if not run.status and made != 2 * len(names):
                faults.append(f"{made} pictures of {len(names)} inputs, expected {2 * len(names)}")
            yield lab.result(f"upscale --compare: {', '.join(names)}{' ' + force[0] if force else ''}", faults, run)
    for name, content in (("pic.png", one), ("pic.bmp", two)):
        lab.write(f"data/mine/{name}", content)
    run = lab.tool("benchmark", "--tables", 2, "--datasets", "mine", "--scales", 2, "--methods", "Bicubic",
                   "--save-images", "--data-dir", lab.folder / "data", "--weights-dir", lab.folder, "--out",
                   lab.folder / "bench")
    faults = judge.done_or_refused(run)
    made = list((lab.folder / "bench").rglob("*.png"))
    if not run.status and len(made) < 2:
        faults.append(f"{len(made)} picture of two inputs")
    yield lab.result("benchmark --save-images: pic.png, pic.bmp", faults, run)
    folder = lab.folder / "same"
    lab.write("same/a.png", one)
    lab.write("same/b.png", two)
    for _ in range(3):
        run = lab.tool("upscale", folder, "-o", folder, "--scale", 2, "--method", "Bicubic")
    sizes = {path.name: drawing.read_png(path)[0].shape[0] for path in folder.iterdir()}
    faults = judge.broken(run)
    if len(sizes) > 4 or max(sizes.values()) > 96:
        faults.append(f"outputs were enlarged again: {sizes}")
    if (folder / "a.png").stat().st_size != size:
        faults.append("an input was overwritten")
    yield lab.result("upscale: the output folder is the input folder, three times", faults, run)
    yield from _read_once(lab)


def _read_once(lab):
    """A pipe for a picture, as <(...) gives it: the same result as from the file, or one line."""
    picture = drawing.oriented(drawing.Scene(lab.rng, 30, 40))
    picture = next(p for p in picture if p.name == "turn6_jpg.jpg")
    path = lab.write("turned.jpg", picture.content)
    whole = lab.tool("upscale", path, "-o", lab.folder / "whole.png", "--scale", 2, "--method", "Bicubic")
    pipe = lab.folder / "pipe.jpg"
    os.mkfifo(pipe)
    writer = threading.Thread(target=_feed, args=(pipe, picture.content), daemon=True)
    writer.start()
    run = lab.tool("upscale", pipe, "-o", lab.folder / "once.png", "--scale", 2, "--method", "Bicubic", timeout=30)
    faults = judge.broken(whole) + judge.done_or_refused(run, "pipe.jpg")
    if not run.status and (lab.folder / "once.png").read_bytes() != (lab.folder / "whole.png").read_bytes():
        faults.append("another result than from the file")
    yield lab.result("upscale: a pipe instead of a file", faults, run)


def _feed(pipe, content):
    """Write a file's bytes to whoever opens the pipe first; later readers get nothing."""
    try:
        with pipe.open("wb") as stream:
            stream.write(content)
        with pipe.open("wb"):
            pass
    except OSError:
        pass


@trial("outputs-that-cannot-be")
def outputs_that_cannot_be(lab):
    """Outputs that are folders, devices, links, have wrong endings or hold too little"""
    s = drawing.Scene(lab.rng)
    sources = {
        "in.png": drawing.plain_png(s.rgb), "alpha.png": drawing.plain_png(s.rgb, s.alpha),
        "deep.png": drawing.plain_png(s.rgb16),
        "cmyk.tif": next(p.content for p in drawing.tiffs(s) if p.name == "tif_cmyk.tif"),
    }
    for name, content in sources.items():
        lab.write(name, content)
    (lab.folder / "folder.png").mkdir()
    (lab.folder / "afile").write_text("x")
    device = lab.folder / "null"
    asked = [
        ("in.png", "folder.png/"), ("in.png", "new.png/"), ("in.png", "folder.png"), ("in.png", "afile"),
        ("in.png", "afile/x.png"), ("in.png", ""), ("in.png", "x.xyz"), ("in.png", "x.gif"), ("in.png", "."),
        ("in.png", "in.png"), ("alpha.png", "x.jpg"), ("alpha.png", "x.bmp"), ("deep.png", "x.jpg"),
        ("deep.png", "x.webp"),
        ("in.png", "x" * 300 + ".png"), ("cmyk.tif", "c.jpg"), ("in.png", "/proc/x/y.png"),
    ]
    try:
        os.mknod(device, 0o20666, os.makedev(1, 3))  # a /dev/null of our own, so that no fault takes the machine's
        device.write_bytes(b"")
        asked.append(("in.png", "null"))
    except OSError:
        pass
    for source, target in asked:
        run = lab.tool("upscale", source, "-o", target, "--scale", 2, "--method", "Bicubic")
        faults = judge.done_kept_or_refused(run)
        if source == "cmyk.tif" and "alpha" in run.err:
            faults.append("speaks of an alpha channel that is not there")
        if target == "in.png" and (lab.folder / "in.png").read_bytes() != sources["in.png"]:
            faults.append("the input was overwritten")
        if target == "null" and not _is_device(device):
            faults.append("the device was replaced by a file")
        yield lab.result(f"upscale {source} -o {target[:40] or repr(target)}", faults, run)
    yield from _devices(lab, device)


def _is_device(path):
    return path.exists() and stat.S_ISCHR(path.stat().st_mode)


def _devices(lab, device):
    """A device as the output of other tools: it stays one."""
    if not _is_device(device):
        raise Skipped("a device of its own needs root")
    run = lab.tool("import_weights", lab.material.vdsr_mat(), "--network", "vdsr", "-o", device)
    yield lab.result("import_weights -o a device", judge.done_or_refused(run) + _kept(device), run)
    run = lab.python("-m", "prototxt.idn", "--scale", "3", "--phase", "deploy", "-o", device)
    yield lab.result("prototxt.idn -o a device", judge.done_or_refused(run) + _kept(device), run)
    run = lab.python("-m", "matlab_compat", "imresize", lab.folder / "in.png", device, "--scale", "2")
    yield lab.result("matlab_compat imresize to a device", judge.done_or_refused(run) + _kept(device), run)


def _kept(device):
    return [] if _is_device(device) else ["the device was replaced by a file"]


@trial("messages")
def messages(lab):
    """Mistakes whose line must be true and whole: .MAT in capitals, a variant that is none, folders for files"""
    path = lab.write("VDSR.MAT", lab.material.vdsr_mat().read_bytes())
    run = lab.tool("import_weights", path, "--network", "vdsr", "-o", lab.folder / "vdsr.caffemodel")
    yield lab.result("import_weights VDSR.MAT", judge.done(run), run)
    picture = lab.write("in.png", drawing.plain_png(drawing.Scene(lab.rng).rgb))
    run = lab.tool("upscale", picture, "-o", lab.folder / "o.png", "--scale", 2, "--method", "VDSR", "--weights", path)
    yield lab.result("upscale --weights VDSR.MAT", judge.done(run), run)
    for network in ("vdsr", "srcnn", "lapsrn", "drcn"):
        out = lab.folder / "x.caffemodel"
        run = lab.tool("import_weights", path, "--network", network, "--variant", "foo", "-o", out,
                       *["--scale", 4] * (network == "lapsrn"))
        faults = judge.refused(run, "variant", "foo")
        if re.search(r"(has|expected|of|and|or|:|,)\s*$", run.err):
            faults.append("the sentence ends in its middle")
        yield lab.result(f"import_weights --network {network} --variant foo", faults, run)
    for name, arguments in (
        ("import_weights", (lab.folder, "--network", "vdsr")), ("complexity", (lab.folder,)),
        ("learning_log", (picture, "-o", lab.folder / "c.png")), ("tables", (picture,)),
        ("benchmark", ("--from-json", picture)), ("benchmark", ("--from-json", lab.folder)),
        ("upscale", (picture, "-o", lab.folder / "p.png", "--scale", 2, "--weights", lab.folder)),
        ("upscale", (picture, "-o", lab.folder / "p.png", "--scale", 2, "--weights", picture)),
        ("prepare_data", ("--scale", 3, "--stage", "val", "--data-dir", picture, "--out", lab.folder / "h")),
        ("fetch", ("Set5", "--mirror", picture, "--data-dir", lab.folder / "d", "--weights-dir", lab.folder / "w")),
        ("html_report", ("--benchmark", picture, "--out", lab.folder / "r.html")),
    ):
        run = lab.tool(name, *arguments)
        yield lab.result(f"{name}: a folder or picture for something else", judge.refused(run), run)
