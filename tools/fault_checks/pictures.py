"""Pictures with known pixels: the right ones must come out, whatever the format and whichever tool reads it."""

import io
import json
import re

import h5py
import numpy as np
from PIL import Image, ImageCms
from scipy.ndimage import maximum_filter, minimum_filter

import matlab_compat as matlab
from tools.fault_checks import drawing, judge
from tools.fault_checks.case import trial
from tools.fault_checks.enlarging import SCALE, enlarge_each

# colours are compared where at least this share is opaque: below it 8 bits of a premultiplied colour say little
OPAQUE = 0.25


def judged(lab, pictures, *options):
    """Enlarge Pictures in one go; yields a Result for each."""
    files = {}
    for number, picture in enumerate(pictures):
        suffix = picture.name.rpartition(".")[2]
        files[picture.name] = lab.write(f"drawn/{number:03d}_{picture.stem}.{suffix}", picture.content)
    answers = enlarge_each(lab, list(files.values()), *options)
    for picture in pictures:
        answer = answers[files[picture.name]]
        yield lab.result(picture.name, [*answer.faults, *compared(picture, answer)], answer.run)


def compared(picture, answer):
    """Faults (list of str) of what the tool gave for a Picture, beside an enlargement of its pixels made here."""
    if answer.output is None:
        return [] if picture.optional or answer.faults else [f"refused: {answer.line}"]
    if picture.pixels is None:
        return []  # nobody can say what it shows
    found = drawing.read_png(answer.output)
    right, inside = enlarged(picture.pixels)
    alpha = None if picture.alpha is None else _nearer(found[1], picture.alpha)
    visible = _well_inside(picture.alpha)
    faults = differences(found, (right, alpha), picture.tolerance, picture.palette,
                         inside if visible is None else inside & visible)
    space = drawing.profile_space(answer.output.read_bytes())
    if space not in (None, b"GRAY" if found[0].ndim == 2 else b"RGB "):
        faults.append(f"a profile of {space.decode('ascii', 'replace')} in a {_kind(*found)} picture")
    return faults


def enlarged(pixels):
    """Pixels (H, W) or (H, W, 3) of uint8 or uint16 enlarged by bicubic, and where nothing was clipped (bool).

    Not clipped between rows and columns as MATLAB does with integers: the tool enlarges in floating point. Where a
    colour leaves the range, the result depends on whether RGB or YCbCr is clipped, and both are right.
    """
    top = np.iinfo(pixels.dtype).max
    full = matlab.imresize(pixels.astype(np.float64) / top, SCALE)
    inside = ((full >= 0) & (full <= 1)).reshape(*full.shape[:2], -1).all(axis=-1)
    return np.round(full.clip(0, 1) * top).astype(pixels.dtype), inside


def _nearer(found, alpha):
    """Alpha (H, W) enlarged in floating point or, as MATLAB does with integers, clipped between rows and columns."""
    both = enlarged(alpha)[0], matlab.imresize(alpha, SCALE)
    if found is None or found.shape != both[0].shape:
        return both[0]
    return min(both, key=lambda one: np.abs(found.astype(float) - one).max())


def _well_inside(alpha):
    """Where an enlarged picture's colours come from visible pixels of one alpha: (m H, m W) bool; None without alpha.

    Elsewhere alpha weighs the colours; the kind `halo` looks at these.
    """
    if alpha is None:
        return None
    least = minimum_filter(alpha, 7, mode="nearest")
    most = maximum_filter(alpha, 7, mode="nearest")
    inside = (least >= OPAQUE * np.iinfo(alpha.dtype).max) & (least == most)
    return inside.repeat(SCALE, axis=0).repeat(SCALE, axis=1)


def differences(found, expected, tolerance, palette=False, where=None):
    """Faults (list of str) of pixels and alpha (arrays) against those expected, in levels of 8 bits.

    Parameters
    ----------
    found, expected : (ndarray, ndarray or None)
        Pixels and alpha.
    tolerance : float
    palette : bool
        Gray may come as RGB.
    where : ndarray of bool, optional
        Whose colours are compared; alpha is everywhere.
    """
    (pixels, alpha), (right, right_alpha) = found, expected
    if palette and right.ndim == 2 and pixels.ndim == 3:
        right = right[..., None].repeat(3, axis=2)
    if (pixels.shape, pixels.dtype, alpha is None) != (right.shape, right.dtype, right_alpha is None):
        return [f"{_kind(pixels, alpha)}, expected {_kind(right, right_alpha)}"]
    level = 257 if right.dtype == np.uint16 else 1
    off = np.abs(pixels.astype(float) - right) / level
    faults = []
    if right_alpha is not None:
        far = np.abs(alpha.astype(float) - right_alpha).max() / level
        if far > max(tolerance, 1):
            faults.append(f"alpha differs by {far:.1f} levels")
    off = off if where is None else off[where]  # colours under transparent pixels mean nothing
    if off.size and off.max() > tolerance + 1:
        faults.append(f"pixels differ by {off.max():.1f} levels, expected at most {tolerance + 1:g}")
    return faults


def _kind(pixels, alpha):
    colour = "gray" if pixels.ndim == 2 else "RGB"
    return f"{pixels.shape[1]}x{pixels.shape[0]} {colour}{'' if alpha is None else ' with alpha'} {pixels.dtype}"


@trial("plain")
def plain(lab):
    """The plainest PNG of random sizes, against an enlargement computed here"""
    scenes = [drawing.Scene(lab.rng, *map(int, lab.rng.integers(1, 40, 2))) for _ in range(lab.cases(8, 100))]
    drawn = [
        (f"{i:03d}_{name}", pixels)
        for i, s in enumerate(scenes)
        for name, pixels in zip(("rgb", "gray", "rgb16", "gray16"), (s.rgb, s.gray, s.rgb16, s.gray16))
    ]
    files = {name: lab.write(f"drawn/{name}.png", drawing.plain_png(pixels)) for name, pixels in drawn}
    answers = enlarge_each(lab, list(files.values()))
    for name, pixels in drawn:
        answer = answers[files[name]]
        faults = list(answer.faults)
        if answer.output is None:
            faults.append(f"refused: {answer.line}")
        else:
            right, inside = enlarged(pixels)
            faults += differences(drawing.read_png(answer.output), (right, None), 0, where=inside)
        yield lab.result(f"{pixels.shape[1]}x{pixels.shape[0]} {name}", faults, answer.run)


def _scenes(lab):
    return [drawing.Scene(lab.rng) for _ in range(lab.cases(1, 6))]


def _of(lab, draw):
    for number, scene in enumerate(_scenes(lab)):
        pictures = draw(scene)
        yield from judged(lab, [drawing.renamed(one, f"s{number}_{one.name}") for one in pictures])


@trial("png")
def png(lab):
    """PNG of every colour type and depth, palettes, transparent colours"""
    yield from _of(lab, drawing.pngs)


@trial("tiff")
def tiff(lab):
    """TIFF: depths, alpha of both kinds, planes, tiles, white as zero, compressions"""
    yield from _of(lab, drawing.tiffs)


@trial("netpbm")
def netpbm(lab):
    """PGM, PPM with any maximum, PBM"""
    yield from _of(lab, lambda scene: drawing.netpbms(scene, lab.rng, lab.cases(4, 60)))


@trial("other-formats")
def other_formats(lab):
    """BMP with masks and alpha, GIF, WebP, JPEG with CMYK, JPEG 2000, AVIF"""
    yield from _of(lab, lambda s: [*drawing.bmps(s), *drawing.gifs(s), *drawing.webps(s), *drawing.jpegs(s),
                                   *drawing.newer(s)])


@trial("orientation")
def orientation(lab):
    """EXIF and TIFF orientations 1 to 8 in each format that carries one"""
    yield from _of(lab, drawing.oriented)


@trial("pages")
def pages(lab):
    """Several pages or frames: the first is taken, and that is said once with their number"""
    for count in map(int, lab.rng.integers(2, 9, lab.cases(1, 5))):
        for picture in drawing.paged(drawing.Scene(lab.rng), count):
            path = lab.write(picture.name, picture.content)
            target = lab.folder / f"{picture.name}_out.png"
            run = lab.tool("upscale", path, "-o", target, "--scale", SCALE, "--method", "Bicubic")
            faults = judge.done(run)
            said = [line for line in run.lines + run.out.splitlines()
                    if re.search(rf"\b{count} (pages|frames|pictures|images)|of {count}\b", line)]
            if not run.status and len(said) != 1:
                faults.append(f"said {len(said)} times that the file has {count} pages, expected once")
            if target.exists():
                right, inside = enlarged(picture.pixels)
                faults += differences(drawing.read_png(target), (right, None), 0, where=inside)
            yield lab.result(f"{picture.name} with {count}", faults, run)
            target.unlink(missing_ok=True)


@trial("halo")
def halo(lab):
    """A shape of one colour on transparent pixels of another: no other colour may come out where one sees any"""
    for number in range(lab.cases(3, 24)):
        side = int(lab.rng.integers(24, 60))
        inside, hidden = lab.rng.choice([0, 40, 128, 255], 2, replace=False)
        y, x = np.mgrid[0:side, 0:side] - side / 2
        shape = x**2 + y**2 < (side / 3) ** 2
        colour = np.where(shape[..., None], inside, hidden).astype(np.uint8).repeat(3, axis=2)
        alpha = np.where(shape, 255, 0).astype(np.uint8)
        deep = number % 3 == 1
        gray = number % 3 == 2
        pixels = colour[..., 0] if gray else colour.astype(np.uint16) * 257 if deep else colour
        alpha = alpha.astype(np.uint16) * 257 if deep else alpha
        path = lab.write(f"{number}.png", drawing.plain_png(pixels, alpha))
        answer = enlarge_each(lab, [path])[path]
        faults = list(answer.faults)
        if answer.output is None:
            faults.append(f"refused: {answer.line}")
        else:
            found, seen = drawing.read_png(answer.output)
            level = 257 if deep else 1
            off = np.abs(found.astype(float) - float(inside) * level).reshape(*seen.shape, -1).max(axis=-1) / level
            worst = off[seen > 8 * level].max()
            faults += [f"a halo of {worst:.0f} levels"] if worst > 4 else []
        case = f"{side}x{side}, {inside} on {hidden}{', 16 bits' * deep}{', gray' * gray}"
        yield lab.result(case, faults, answer.run)


def _profile(space):
    """An ICC profile (bytes) for a colour space, such as b"GRAY": enough to be told apart."""
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    made[12:20] = (b"prtr" if space == b"CMYK" else b"mntr") + space
    return bytes(made)


@trial("profiles")
def profiles(lab):
    """Colour profiles: one that fits goes along in every format, one of another colour space does not"""
    s = drawing.Scene(lab.rng)
    drawn = {
        "rgb.jpg": (Image.fromarray(s.rgb), b"RGB "), "rgb.tif": (Image.fromarray(s.rgb), b"RGB "),
        "rgb.png": (Image.fromarray(s.rgb), b"RGB "), "rgb.webp": (Image.fromarray(s.rgb), b"RGB "),
        "gray.png": (Image.fromarray(s.gray), b"GRAY"), "gray.jpg": (Image.fromarray(s.gray), b"GRAY"),
        "cmyk.jpg": (Image.fromarray(s.rgb).convert("CMYK"), b"CMYK"),
    }
    for name, (image, space) in drawn.items():
        profile = _profile(space)
        path = lab.folder / name
        image.save(path, icc_profile=profile)
        for suffix in ("png", "jpg", "tif", "webp") if lab.long or name in ("rgb.png", "gray.jpg") else ("png",):
            target = lab.folder / f"{name}_out.{suffix}"
            run = lab.tool("upscale", path, "-o", target, "--scale", SCALE, "--method", "Bicubic")
            faults = judge.done(run)
            if target.exists():
                # WebP has no gray: a gray profile cannot stand there
                lost = space == b"CMYK" or (space == b"GRAY" and suffix == "webp")
                faults += _profile_faults(target, None if lost else profile)
            yield lab.result(f"{name} to .{suffix}", faults, run)


def _profile_faults(target, expected):
    with Image.open(target) as image:
        found, gray = image.info.get("icc_profile"), image.mode in ("L", "LA", "1", "I;16")
    if found is None:
        return [] if expected is None else ["the profile is lost"]
    fits = (b"GRAY",) if gray else (b"RGB ",)
    if found[16:20] not in fits:
        return [f"a profile of {found[16:20].decode()} in a {'gray' if gray else 'RGB'} picture"]
    return [] if expected in (None, found) else ["another profile than the picture's"]


@trial("other-readers")
def other_readers(lab):
    """The same pictures through prepare_data, benchmark and matlab_compat: what the plain PNG gives"""
    scene = drawing.Scene(lab.rng, 72, 78)
    every = [p for p in drawing.everything(scene, lab.rng) if p.pixels is not None and not p.optional]
    every = [p for p in every if not p.name.endswith((".gif", ".avif"))]  # formats that MATLAB's readers need not take
    fixed = [p for p in every if p.name in ("pnm_1023_text.pgm", "pnm_100_text.ppm", "tif_white_is_zero16.tif")]
    chosen = fixed + list(lab.rng.choice(np.array(every, object), min(len(every), lab.cases(7, 60)), replace=False))
    for number, picture in enumerate(chosen):
        folder = f"set{number}"
        path = lab.write(f"{folder}/odd/{picture.name}", picture.content)
        twin = lab.write(f"{folder}/plain/{picture.stem}.png", drawing.plain_png(picture.pixels))
        yield _same_pixels(lab, picture, path)
        if number < lab.cases(4, 60):
            yield _same_scores(lab, picture, path.parent, twin.parent)
            if picture.pixels.ndim == 3:  # gray ones are left out of training, as the authors did
                yield _same_patches(lab, picture, path.parent, twin.parent)


def _same_pixels(lab, picture, path):
    target = lab.folder / f"{path.name}.read.png"
    run = lab.python("-m", "matlab_compat", "imresize", path, target, "--scale", "1")
    faults = judge.done(run, quiet=True)
    if target.exists():
        pixels, alpha = drawing.read_png(target)
        expected = (picture.pixels, picture.alpha if alpha is not None else None)
        # gray with alpha may come as RGBA: matlab_compat writes what OpenCV can
        gray_alpha = picture.alpha is not None and picture.pixels.ndim == 2
        found = (pixels, alpha if picture.alpha is not None else None)
        faults += differences(found, expected, picture.tolerance, gray_alpha)
        faults += ["alpha in a picture that has none"] if alpha is not None and picture.alpha is None else []
    return lab.result(f"matlab_compat: {picture.name}", faults, run)


def _same_scores(lab, picture, odd, plain_folder):
    rows = []
    for folder in (odd, plain_folder):
        out = lab.folder / f"scores_{folder.parent.name}_{folder.name}"
        run = lab.tool(
            "benchmark", "--tables", 2, "--datasets", folder.name, "--scales", 2, "--methods", "Bicubic",
            "--data-dir", folder.parent, "--weights-dir", lab.folder, "--out", out,
        )
        faults = judge.done(run)
        if faults:
            return lab.result(f"benchmark: {picture.name}", faults, run)
        found = json.loads((out / "benchmark.json").read_text())["rows"][0]["psnr"]
        rows.append(np.inf if found is None else found)  # of a picture of one colour
    far = 0 if rows[0] == rows[1] else abs(rows[0] - rows[1])
    may = 0.02 if picture.tolerance < 1 else 3
    faults = [f"PSNR {rows[0]:.3f}, its plain PNG {rows[1]:.3f}"] if far > may else []
    return lab.result(f"benchmark: {picture.name}", faults, run)


def _same_patches(lab, picture, odd, plain_folder):
    labels = []
    for folder in (odd, plain_folder):
        out = lab.folder / f"patches_{folder.parent.name}_{folder.name}"
        run = lab.tool("prepare_data", "--scale", 3, "--stage", "val", "--data-dir", folder.parent, "--set",
                       folder.name, "--out", out, "--workers", 1)
        faults = judge.done(run)
        if faults:
            return lab.result(f"prepare_data: {picture.name}", faults, run)
        with h5py.File(out / "x3/val/00000.h5") as file:
            labels.append(file["label"][:])
    far = 255 * float(np.abs(labels[0] - labels[1]).max()) if labels[0].shape == labels[1].shape else np.inf
    faults = [f"patches differ by {far:.1f} levels"] if far > picture.tolerance + 1 else []
    return lab.result(f"prepare_data: {picture.name}", faults, run)


@trial("long-rows")
def long_rows(lab):
    """Rows of more than a million pixels, and many tiles or strips"""
    width = 1_050_000
    row = (np.arange(2 * width) // 1000 % 200 + 20).astype(np.uint8).reshape(2, width)
    side = int(lab.rng.integers(400, 700))
    square = (np.add.outer(np.arange(side), np.arange(side)) // 8 % 230).astype(np.uint8)
    colour = np.dstack([square, square // 2, 255 - square])
    pictures = [
        drawing.Picture("wide.png", drawing.plain_png(row), row),
        drawing.Picture("wide.pgm", drawing.netpbm(row, 255), row),
        drawing.Picture("wide.tif", drawing.tiff(row, photometric="minisblack"), row),
        drawing.Picture("high.tif", drawing.tiff(np.ascontiguousarray(row.T), photometric="minisblack"), row.T.copy()),
        drawing.Picture("tiles.tif", drawing.tiff(colour, photometric="rgb", tile=(16, 16)), colour),
        drawing.Picture("strips.tif", drawing.tiff(colour, photometric="rgb", rowsperstrip=1), colour),
    ]
    yield from judged(lab, pictures)


@trial("matlab-outputs")
def matlab_outputs(lab):
    """matlab_compat writes what it was given, or says that the format cannot hold it"""
    s = drawing.Scene(lab.rng)
    sources = {
        "rgb16": drawing.plain_png(s.rgb16), "gray16": drawing.plain_png(s.gray16),
        "rgba": drawing.plain_png(s.rgb, s.alpha), "rgba16": drawing.plain_png(s.rgb16, s.alpha16),
        "rgb": drawing.plain_png(s.rgb),
    }
    for name, content in sources.items():
        path = lab.write(f"{name}.png", content)
        for suffix in ("jpg", "bmp", "tif", "webp", "png") if lab.long else ("jpg", "bmp"):
            target = lab.folder / f"{name}_out.{suffix}"
            run = lab.python("-m", "matlab_compat", "imresize", path, target, "--scale", "1")
            faults = judge.done_or_refused(run, target.name)
            if not run.status and target.exists():
                faults += _kept(target, s.rgb if "rgb" in name else s.gray, "a" in name[3:4])
            yield lab.result(f"{name}.png to .{suffix}", faults, run)
    path = lab.write("float.tif", drawing.tiff(s.gray.astype(np.float32) / 255, photometric="minisblack"))
    target = lab.folder / "float.png"
    run = lab.python("-m", "matlab_compat", "imresize", path, target, "--scale", "1")
    yield lab.result("float.tif", judge.done_or_refused(run, path.name), run)
    for scale in ("1e9", "1e300", "nan", "inf", "-1", "0", "1e-9", "1/0", "1e9,1"):
        run = lab.python("-m", "matlab_compat", "imresize", lab.folder / "rgb.png", target, f"--scale={scale}")
        yield lab.result(f"--scale {scale}", judge.done_or_refused(run), run)
    for size in ("0x0", "1000000000x1000000000", "5x", "ax4", "-x-", "99999999999999999999x3"):
        run = lab.python("-m", "matlab_compat", "imresize", lab.folder / "rgb.png", target, f"--size={size}")
        yield lab.result(f"--size {size}", judge.refused(run), run)


def _kept(path, right, alpha):
    """Faults of a written 8- or 16-bit picture: its pixels at 8 bits, and whether alpha is there."""
    picture = drawing.cv2.imread(str(path), drawing.cv2.IMREAD_UNCHANGED)
    found = picture // 257 if picture.dtype == np.uint16 else picture
    faults = [] if not alpha or (picture.ndim == 3 and picture.shape[2] == 4) else ["alpha is lost without a word"]
    found = found[..., 2::-1] if found.ndim == 3 else found
    if found.shape != right.shape:
        return [*faults, f"shape {found.shape}, expected {right.shape}"]
    far = int(np.abs(found.astype(int) - right).max())
    return faults + ([f"pixels differ by {far} levels"] if far > 40 else [])


LOAD = "import sys, caffe.io, numpy; numpy.save(sys.argv[2], caffe.io.load_image(sys.argv[1]))"


@trial("pycaffe-images")
def pycaffe_images(lab):
    """caffe.io.load_image, as pycaffe's users call it"""
    s = drawing.Scene(lab.rng)
    for picture in [*drawing.jpegs(s), *drawing.pngs(s)[:1]]:
        path = lab.write(picture.name, picture.content)
        run = lab.python("-c", LOAD, path, lab.folder / "read.npy")
        faults = judge.done(run)
        if not run.status:
            read = np.load(io.BytesIO((lab.folder / "read.npy").read_bytes()))
            right = picture.pixels if picture.pixels.ndim == 3 else picture.pixels[..., None].repeat(3, axis=2)
            same = read.shape == right.shape
            far = float(np.abs(255 * read - right).max()) if same else np.inf
            faults += [f"pixels differ by {far:.0f} levels"] if far > picture.tolerance + 3 else []
        yield lab.result(picture.name, faults, run)
