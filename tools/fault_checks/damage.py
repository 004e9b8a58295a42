"""Damaged pictures: each must be enlarged or refused in one line, and those beside it must be done."""

import re

import numpy as np

from tools.fault_checks import drawing, judge
from tools.fault_checks.case import Trial, trial
from tools.fault_checks.enlarging import enlarge_each

# what lies in a header, by format: damage there is what decoders are least ready for
HEADERS = {"png": 60, "jpg": 200, "tif": 8, "bmp": 54, "gif": 40, "webp": 48, "jp2": 160, "avif": 300, "pgm": 20}
# formats whose readers can tell that the end is missing
WHOLE = frozenset(("png", "jpg", "tif", "bmp", "gif", "pgm"))


def sources(scene):
    """A few sound pictures of each format (dict of ending to list of Picture)."""
    found = {
        "png": drawing.pngs(scene), "jpg": drawing.jpegs(scene), "tif": drawing.tiffs(scene),
        "bmp": drawing.bmps(scene),
        "gif": [*drawing.gifs(scene), *drawing.paged(scene, 3)[1:2]], "webp": drawing.webps(scene),
        "jp2": [p for p in drawing.newer(scene) if p.name.endswith("jp2")],
        "pgm": drawing.netpbms(scene, np.random.default_rng(0), 0),
    }
    avif = [p for p in drawing.newer(scene) if p.name.endswith("avif")]
    return {**found, "avif": avif} if avif else found


def damaged(content, rng, header):
    """A file's bytes with random damage: (what was done, bytes).

    Parameters
    ----------
    content : bytes
    rng : numpy Generator
    header : int
        Bytes at the start that get more than their share.
    """
    data, how = bytearray(content), int(rng.integers(0, 7))
    in_header = min(header, len(data))
    if how == 0:
        end = int(rng.integers(1, max(2, int(len(data) * 0.9))))
        return f"cut after {end} of {len(data)} bytes", bytes(data[:end])
    if how in (1, 2):
        spots = rng.integers(0, in_header, 1 if how == 1 else 4)
        for spot in spots:
            data[spot] = int(rng.integers(0, 256))
        return f"bytes {', '.join(map(str, sorted(set(map(int, spots)))))} changed", bytes(data)
    if how == 3:  # the largest numbers where sizes and offsets may stand
        spot = int(rng.integers(0, max(1, in_header - 4)))
        data[spot : spot + 4] = rng.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f"])
        return f"bytes {spot} to {spot + 3} are {data[spot : spot + 4].hex()}", bytes(data)
    if how == 4:
        spots = rng.integers(0, len(data), max(1, len(data) // 100))
        for spot in spots:
            data[spot] ^= 1 << int(rng.integers(0, 8))
        return f"{len(spots)} bits turned", bytes(data)
    start = int(rng.integers(0, len(data)))
    if how == 5:
        length = int(rng.integers(1, max(2, len(data) // 4)))
        data[start : start + length] = bytes(length)
        return f"{length} zeros from {start}", bytes(data)
    length = int(rng.integers(1, 64))
    del data[start : start + length]
    return f"{length} bytes from {start} taken out", bytes(data)


def _of_format(suffix):
    def run(lab):
        pictures = sources(drawing.Scene(lab.rng)).get(suffix, [])
        files = {}
        for number in range(lab.cases(28, 400) if pictures else 0):
            picture = pictures[int(lab.rng.integers(0, len(pictures)))]
            what, content = damaged(picture.content, lab.rng, HEADERS[suffix])
            path = lab.write(f"drawn/{number:04d}_{picture.stem}.{picture.name.rpartition('.')[2]}", content)
            files[path] = (f"{picture.name}: {what}", what, picture)
        for start in range(0, len(files), 100):
            some = list(files)[start : start + 100]
            for path, answer in enlarge_each(lab, some).items():
                case, what, picture = files[path]
                faults = list(answer.faults)
                if answer.output and what.startswith("cut") and suffix in WHOLE and picture.pages == 1:
                    faults.append("cut short, and enlarged as if it were whole")
                yield lab.result(case, faults, answer.run)

    run.__doc__ = f"{suffix.upper()} files with random damage: cut, bytes changed, bits turned, parts zeroed, taken out"
    return Trial(f"damaged-{suffix}", run, False)


damaged_png, damaged_jpg, damaged_tif, damaged_bmp, damaged_gif = map(_of_format, list(HEADERS)[:5])
damaged_webp, damaged_jp2, damaged_avif, damaged_pgm = map(_of_format, list(HEADERS)[5:])


@trial("tiff-directories")
def tiff_directories(lab):
    """TIFF whose directory lies: entries with other types, counts, values and offsets"""
    scene, files = drawing.Scene(lab.rng), {}
    pictures = drawing.tiffs(scene)
    for number in range(lab.cases(28, 400)):
        picture = pictures[int(lab.rng.integers(0, len(pictures)))]
        what, content = _lying_directory(bytearray(picture.content), lab.rng)
        path = lab.write(f"drawn/{number:04d}_{picture.stem}.tif", content)
        files[path] = f"{picture.name}: {what}"
    for path, answer in enlarge_each(lab, list(files)).items():
        yield lab.result(files[path], answer.faults, answer.run)


def _lying_directory(data, rng):
    order = "little" if data[:2] == b"II" else "big"
    if data[2:4] not in (b"*\0", b"\0*"):
        return "left as it is (64-bit offsets)", bytes(data)
    start = int.from_bytes(data[4:8], order)
    count = int.from_bytes(data[start : start + 2], order)
    entry = start + 2 + 12 * int(rng.integers(0, count))
    tag = int.from_bytes(data[entry : entry + 2], order)
    field, length = ((2, 2), (4, 4), (8, 4))[int(rng.integers(0, 3))]
    value = int(rng.choice([0, 1, 2, 5, 7, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, int(rng.integers(0, 2**31))]))
    data[entry + field : entry + field + length] = (value % 256**length).to_bytes(length, order)
    name = {2: "type", 4: "count", 8: "value"}[field]
    return f"{name} of tag {tag} is {value % 256**length}", bytes(data)


@trial("damage-beside-sound")
def damage_beside_sound(lab):
    """Sound pictures beside a damaged one are done: upscale, prepare_data --skip-bad"""
    scene = drawing.Scene(lab.rng, 80, 84)
    # truncated headers and impossible sizes that decoders answer with errors of many kinds
    by_format = sources(scene)
    bad = []
    for number in range(lab.cases(6, 60)):
        suffix = list(by_format)[number % len(by_format)]
        if suffix in ("avif", "gif"):  # not among the endings that count as training images
            suffix = "tif"
        picture = by_format[suffix][0]
        bad.append((suffix, *damaged(picture.content[: int(len(picture.content) * 0.8)], lab.rng, HEADERS[suffix])))
    sound = [drawing.plain_png(scene.rgb), drawing.plain_png(255 - scene.rgb)]
    for number, (suffix, what, content) in enumerate(bad):
        folder = lab.folder / f"data{number}/mine"
        first = lab.write(f"data{number}/mine/a.png", sound[0])
        damaged_one = lab.write(f"data{number}/mine/b.{suffix}", content)
        last = lab.write(f"data{number}/mine/c.png", sound[1])
        out = lab.folder / f"large{number}"
        run = lab.tool("upscale", folder, "-o", out, "--scale", 2, "--method", "Bicubic")
        faults = judge.broken(run)
        faults += [f"{p.name} was not done" for p in (first, last) if not (out / p.name).exists()]
        yield lab.result(f"upscale beside a damaged .{suffix}: {what}", faults, run)
        run = lab.tool("prepare_data", "--scale", 3, "--stage", "val", "--data-dir", folder.parent, "--set", "mine",
                       "--out", lab.folder / f"hdf5_{number}", "--workers", 1, "--skip-bad")
        faults = judge.done(run)
        if not run.status and not re.search(r"images [23]\b", run.out):
            faults.append(f"the sound images were not taken: {run.out.splitlines()[1:2]}")
        if len(run.lines) > 1:
            faults.append(f"{len(run.lines)} lines on standard error, expected one")
        yield lab.result(f"prepare_data --skip-bad beside a damaged .{suffix}: {what}", faults, run)
        out = lab.folder / f"out{number}.png"
        run = lab.python("-m", "matlab_compat", "imresize", damaged_one, out, "--scale", "2")
        faults = judge.done_or_refused(run, damaged_one.name)
        yield lab.result(f"matlab_compat on a damaged .{suffix}: {what}", faults, run)
