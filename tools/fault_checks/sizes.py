"""Sizes: pictures that claim much, pictures that are large, and a limit that holds."""

import struct
import zlib

import numpy as np

from tools.fault_checks import drawing, judge
from tools.fault_checks.case import trial

LIMIT, SLACK = 300, 1.1  # MB that upscale may take, and by what share it may go over
CLAIMS = ((65_000, 65_000), (2**31 - 1, 1), (1, 2**31 - 1), (2**31 - 1, 2**31 - 1), (100_000, 100_000), (0, 10),
          (10, 0))


def claiming(width, height, rng):
    """Tiny files that claim a size: dict of name to bytes."""
    few = zlib.compress(bytes(100))

    def png(depth, colour):
        head = drawing.chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
        return b"\x89PNG\r\n\x1a\n" + head + drawing.chunk(b"IDAT", few) + drawing.chunk(b"IEND", b"")

    small = drawing.Scene(rng, 8, 8)
    tif = bytearray(drawing.tiff(small.gray, photometric="minisblack"))
    _set_tag(tif, 256, width)
    _set_tag(tif, 257, height)
    bmp = bytearray(drawing.bmp(np.zeros((4, 16), np.uint8), 32))
    bmp[18:26] = struct.pack("<ii", width, height)
    files = {
        "gray8.png": png(8, 0), "rgb16.png": png(16, 2), "bits.png": png(1, 0), "claim.tif": bytes(tif),
        "claim.bmp": bytes(bmp),
        "claim.ppm": b"P6\n%d %d\n255\n" % (width, height) + bytes(100),
        "claim16.pgm": b"P5\n%d %d\n65535\n" % (width, height) + bytes(100),
    }
    if width < 65536 and height < 65536:
        jpg = bytearray(drawing.jpegs(small)[0].content)
        at = jpg.index(b"\xff\xc0") + 5
        jpg[at : at + 4] = struct.pack(">HH", height, width)
        gif = bytearray(drawing.gifs(small)[0].content)
        gif[6:10] = struct.pack("<HH", width, height)
        files.update({"claim.jpg": bytes(jpg), "claim.gif": bytes(gif)})
    if width < 16384 and height < 16384:
        files["claim.webp"] = drawing.webps(small)[0].content
    jp2 = bytearray(drawing.newer(small)[0].content)
    at = jp2.index(b"\xff\x51") + 6
    jp2[at : at + 8] = struct.pack(">II", width, height)
    at = jp2.index(b"ihdr") + 4
    jp2[at : at + 8] = struct.pack(">II", height, width)
    files["claim.jp2"] = bytes(jp2)
    return files


def _set_tag(data, wanted, value):
    """Set the value of a TIFF tag (little-endian, one value) to a 32-bit number."""
    start = struct.unpack_from("<I", data, 4)[0]
    for entry in range(start + 2, start + 2 + 12 * struct.unpack_from("<H", data, start)[0], 12):
        if struct.unpack_from("<H", data, entry)[0] == wanted:
            struct.pack_into("<HII", data, entry + 2, 4, 1, value)


@trial("claimed-sizes")
def claimed_sizes(lab):
    """Tiny files that claim billions of pixels: one line, within --memory, at once"""
    sizes = [CLAIMS[0], *lab.rng.permutation(np.array(CLAIMS[1:]))[: lab.cases(2, 6)].tolist()]
    sizes += [tuple(map(int, lab.rng.integers(20_000, 65_000, 2))) for _ in range(lab.cases(0, 10) or 0)]
    for width, height in sizes:
        files = claiming(width, height, lab.rng)
        names = list(files) if (width, height) == CLAIMS[0] or lab.long else list(lab.rng.permutation(list(files))[:4])
        for name in names:
            path = lab.write(f"{width}x{height}_{name}", files[name])
            run = lab.tool("upscale", path, "-o", lab.folder / "out.png", "--scale", 2, "--method", "Bicubic",
                           "--memory", f"{LIMIT}M", timeout=60)
            # the size of a GIF's screen is no more than a hint: viewers show the frame whatever it says
            right = judge.done_or_refused if name.endswith("gif") else judge.refused
            faults = right(run, path.name) + judge.within(run, LIMIT * SLACK)
            (lab.folder / "out.png").unlink(missing_ok=True)
            yield lab.result(f"{name} of {width}x{height}", faults, run)


def blank(width, height, depth=1):
    """A gray PNG (bytes) of that size in stripes, drawn without holding it."""
    packer = zlib.compressobj(6)
    row = b"\0" + bytes([0b10101010]) * (width * depth // 8)
    body = b"".join(packer.compress(row * 64) for _ in range(height // 64))
    body += packer.compress(row * (height % 64)) + packer.flush()
    head = drawing.chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + drawing.chunk(b"IDAT", body) + drawing.chunk(b"IEND", b"")


@trial("real-sizes")
def real_sizes(lab):
    """Pictures of hundreds of millions of pixels: done or refused in one line, within --memory"""
    sizes = [(20_000, 20_000, 1)]
    sizes += [(16_000, 16_000, 8), (30_000, 30_000, 8), (60_000, 60_000, 1), (200_000, 3_000, 8)] if lab.long else []
    for width, height, depth in sizes:
        path = lab.write(f"{width}x{height}.png", blank(width, height, depth))
        run = lab.tool("upscale", path, "-o", lab.folder / "out.png", "--scale", 2, "--method", "Bicubic",
                       "--memory", f"{LIMIT}M", timeout=600 if lab.long else 60)
        faults = judge.done_or_refused(run, path.name, "--memory") + judge.within(run, LIMIT * SLACK)
        yield lab.result(f"{width}x{height} at {depth} bits", faults, run)
        path.unlink()
        (lab.folder / "out.png").unlink(missing_ok=True)


@trial("memory-limit")
def memory_limit(lab):
    """--memory holds for Bicubic and for nets, and what is too little is refused in one line"""
    weights = lab.material.weights()
    rows = np.add.outer(np.arange(5_000), np.arange(7_000)).astype(np.uint8)
    path = lab.write("large.png", drawing.plain_png(np.dstack([rows, rows // 2, 255 - rows])))
    rows = rows[:2_000, :2_000]
    alpha = lab.write("alpha.png", drawing.plain_png(np.dstack([rows, rows // 2, rows]), np.maximum(rows, 40)))
    small = lab.write("small.png", drawing.plain_png(np.ascontiguousarray(np.dstack([rows] * 3)[:200, :260])))
    for name, source, method, limits in (
        ("Bicubic", path, [], (LIMIT, 600) if lab.long else (LIMIT,)), ("Bicubic", alpha, [], (LIMIT,)),
        ("IDN", small, ["--weights", weights], (400, 700)),
    ):
        for limit in limits:
            scale = 3 if method else 2
            run = lab.tool("upscale", source, "-o", lab.folder / "out.png", "--scale", scale, "--method", name, *method,
                           "--memory", f"{limit}M", "--force", timeout=120)
            faults = judge.done_or_refused(run, source.name, "--memory") + judge.within(run, limit * SLACK)
            yield lab.result(f"{name}, {source.name}, {limit} MB", faults, run)
    for text in ("1", "1K", "10M", "0.001G", "0", "-5M", "nan", "inf", "1e3", "99999999999T", "M", ""):
        run = lab.tool("upscale", small, "-o", lab.folder / "out2.png", "--scale", 3, "--method", "Bicubic",
                       f"--memory={text}", "--force")
        yield lab.result(f"--memory={text}", judge.done_or_refused(run, "--memory", small.name), run)
