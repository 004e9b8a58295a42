"""Files, names and servers of strangers: nothing outside its folder, nothing run, nothing passed on."""

import contextlib
import http.server
import json
import os
import re
import struct
import tarfile
import threading
import zlib
from io import BytesIO

import numpy as np
from PIL import Image

from data_prep.fetch import choose
from tools.fault_checks import drawing, judge
from tools.fault_checks.case import trial
from tools.fault_checks.enlarging import enlarge_each


class _Site(http.server.BaseHTTPRequestHandler):
    """A mirror that answers every question with the same picture, or a redirect."""

    picture, redirect = b"", None

    def do_GET(self):
        self.send_response(302 if self.redirect else 200)
        if self.redirect:
            self.send_header("Location", self.redirect)
        self.send_header("Content-Length", "0" if self.redirect else str(len(self.picture)))
        self.end_headers()
        self.wfile.write(b"" if self.redirect else self.picture)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def _serving(**settings):
    """A server on this machine alone (yields its address)."""
    site = type("Site", (_Site,), settings)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def _files(folder):
    return {path for path in folder.rglob("*") if path.is_file() or path.is_symlink()}


@trial("mirror-links")
def mirror_links(lab):
    """Links in a mirror or in the data folder lead nowhere, and other pictures than the pinned ones are refused"""
    picture = drawing.jpegs(drawing.Scene(lab.rng))[0].content
    secret = lab.write("secret.txt", "nobody else's business")
    names = [entry.destination for entry in choose(["BSD100"])]
    for name in names[1:]:
        lab.write(f"mirror/{name}", picture)
    (lab.folder / "mirror" / names[0]).symlink_to(secret)
    run = lab.tool("fetch", "BSD100", "--mirror", lab.folder / "mirror", "--data-dir", lab.folder / "got",
                   "--weights-dir", lab.folder / "w")
    faults = judge.refused(run)
    faults += ["something was put into the data folder"] if _files(lab.folder / "got") else []
    yield lab.result("a link in a folder that serves as mirror", faults, run)
    for place in ("inside", "outside"):
        data = lab.folder / f"linked_{place}"
        (data / "BSD100").mkdir(parents=True)
        victim = lab.write(f"victim_{place}.jpg", "mine")
        (data / names[0].replace("data/", "", 1)).with_suffix(".jpg.part").symlink_to(victim)
        with _serving(picture=picture) as address:
            run = lab.tool("fetch", "BSD100", "--mirror", address, "--data-dir", data, "--weights-dir", data)
        faults = judge.broken(run)[:1] if run.status < 0 else []
        faults += ["a link in the data folder was written through"] if victim.read_text() != "mine" else []
        yield lab.result(f"a link where a download is begun ({place})", faults, run)


@trial("redirects")
def redirects(lab):
    """A server that redirects elsewhere: no other scheme, no endless loop"""
    secret = lab.write("secret.txt", "nobody else's business")
    targets = (f"file://{secret}", "ftp://127.0.0.1/x", "gopher://127.0.0.1/x", "//", "http://[", "data:,x", "/again")
    for target in targets:
        with _serving(picture=b"x", redirect=target) as address:
            run = lab.tool("fetch", "BSD100", "--mirror", address, "--data-dir", lab.folder / "d", "--weights-dir",
                           lab.folder / "w", "--retries", 0)
        faults = judge.refused(run)
        read = [p for p in _files(lab.folder / "d") if b"nobody" in p.read_bytes()]
        faults += ["read a file of this machine"] if read else []
        yield lab.result(f"redirect to {target.replace(str(lab.folder), 'FOLDER')}", faults, run)


def _foreign(scene):
    """Files in formats that the docs do not name: dict of what they are to bytes."""
    image = Image.fromarray(scene.rgb)
    found = {
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\nshowpage\n%%EOF\n",
        "PostScript with a preview": b"\xc5\xd0\xd3\xc6" + struct.pack("<6I", 32, 60, 0, 0, 0, 0) + b"\xff\xff\0\0"
        + b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EOF\n",
        "PDF": b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n",
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><rect width="9" height="9"/></svg>',
        "XPM": b'/* XPM */\nstatic char * x[] = {\n"2 1 2 1",\n"a c #000000",\n"b c #ffffff",\n"ab"};\n',
        "HDR": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 8 +X 8\n" + bytes(8 * 8 * 4),
        "Windows metafile": b"\xd7\xcd\xc6\x9a\0\0" + struct.pack("<4hH", 0, 0, 20, 20, 96) + bytes(50),
        "text": b"just some words\n" * 20, "a program": b"\x7fELF" + bytes(200), "nothing": b"",
    }
    for kind in ("PCX", "TGA", "SGI", "DDS", "ICO", "IM", "MSP", "PALM", "XBM", "SPIDER", "BLP", "ICNS", "DIB", "QOI"):
        stream = BytesIO()
        with contextlib.suppress(Exception):  # what this Pillow does not write is not tried
            mode = {"MSP": "1", "XBM": "1", "SPIDER": "F", "BLP": "P", "PALM": "P"}.get(kind)
            (image.convert(mode) if mode else image).save(stream, kind)
            found[kind] = stream.getvalue()
    return found


@trial("foreign-formats")
def foreign_formats(lab):
    """Other formats under a picture's name: refused in one line, and no program is started for them"""
    trace = lab.folder / "started"
    for name in ("gs", "gswin64c", "convert", "inkscape", "rsvg-convert"):
        path = lab.write(f"bin/{name}", f"#!/bin/sh\necho {name} >> {trace}\nexit 1\n")
        path.chmod(0o755)
    env = {"PATH": f"{lab.folder / 'bin'}:{os.environ.get('PATH', '')}"}
    foreign = _foreign(drawing.Scene(lab.rng, 20, 20))
    harmless = {kind: lab.write(f"drawn/{kind.replace(' ', '_')}.png", content) for kind, content in foreign.items()
                if "Post" not in kind}
    for path, answer in enlarge_each(lab, list(harmless.values()), env=env).items():
        faults = [*answer.faults, *["was enlarged"] * (answer.output is not None)]
        yield lab.result(f"upscale: {path.stem.replace('_', ' ')}", faults, answer.run)
    for kind, content in foreign.items():
        if kind in harmless and not lab.long:
            continue
        for tool in ("upscale", "matlab_compat") if lab.long or "Post" in kind else ("upscale",):
            path = lab.write("photo.png", content)
            out = lab.folder / "out.png"
            if tool == "upscale":
                run = lab.tool("upscale", path, "-o", out, "--scale", 2, "--method", "Bicubic", env=env)
            else:
                run = lab.python("-m", "matlab_compat", "imresize", path, out, "--scale", "2", env=env)
            faults = judge.refused(run, path.name)
            if trace.exists():
                faults.append(f"started {trace.read_text().split()[0]}")
                trace.unlink()
            out.unlink(missing_ok=True)
            yield lab.result(f"{tool}: {kind}", faults, run)


@trial("mat-bombs")
def mat_bombs(lab):
    """.mat files that claim terabytes or hold objects: one line, little memory, nothing run"""
    head = b"MATLAB 5.0 MAT-file, nobody".ljust(124) + struct.pack("<H2s", 0x0100, b"IM")

    def matrix(dims, body, kind=7, name=b"model"):
        flags = struct.pack("<IIII", 6, 8, 6, 0)
        shape = struct.pack("<II", 5, 4 * len(dims)) + struct.pack(f"<{len(dims)}i", *dims) + bytes(-4 * len(dims) % 8)
        label = struct.pack("<II", 1, len(name)) + name + bytes(-len(name) % 8)
        inside = flags + shape + label + struct.pack("<II", kind, body) + bytes(64)
        return struct.pack("<II", 14, len(inside)) + inside

    zeros = zlib.compress(bytes(200_000_000), 9)
    bombs = {
        "a matrix of terabytes": head + matrix((2**31 - 1, 2**31 - 1), 2**31 - 8),
        "a matrix of gigabytes": head + matrix((30_000, 30_000), 2**31 - 8, 9),
        "negative sizes": head + matrix((-1, -5), 64),
        "200 MB of zeros, compressed": head + struct.pack("<II", 15, len(zeros)) + zeros,
        "an element longer than the file": head + struct.pack("<II", 14, 2**32 - 1) + bytes(100),
        "a header alone": head, "another version": head.replace(b"\x00\x01IM", b"\x00\x02IM") + bytes(600),
        "a pickle": b"\x80\x04cos\nsystem\n(S'touch pwned'\ntR.",
    }
    for name, content in bombs.items():
        path = lab.write("bomb.mat", content)
        run = lab.tool("import_weights", path, "--network", "vdsr", "-o", lab.folder / "x.caffemodel")
        faults = judge.refused(run, path.name) + judge.within(run, 900)
        yield lab.result(name, faults, run)


@trial("foreign-text")
def foreign_text(lab):
    """Text of foreign pictures and names does not reach metadata or pages unescaped"""
    scene = drawing.Scene(lab.rng, 24, 24)
    evil = b"<script>alert(1)</script>"
    chunks = drawing.chunk(b"tEXt", b"Comment\0" + evil) + drawing.chunk(b"tEXt", b"Software\0" + evil)
    path = lab.write("text.png", drawing.plain_png(scene.rgb, None, chunks))
    jpeg = BytesIO()
    Image.fromarray(scene.rgb).save(jpeg, "JPEG", comment=evil)
    for source in (path, lab.write("comment.jpg", jpeg.getvalue())):
        for suffix in ("png", "jpg", "tif"):
            out = lab.folder / f"{source.stem}.out.{suffix}"
            run = lab.tool("upscale", source, "-o", out, "--scale", 2, "--method", "Bicubic")
            faults = judge.done(run)
            faults += ["the foreign text is in the output"] if out.exists() and evil in out.read_bytes() else []
            yield lab.result(f"upscale {source.name} to .{suffix}", faults, run)
    yield from _report(lab)


def _report(lab):
    """Every text of a benchmark.json and of a log replaced by markup."""
    mark = '"><script>alert(1)</script><img src=x onerror=alert(2)>'

    def marked(value, key=""):
        if isinstance(value, dict):
            return {k: marked(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [marked(v, key) for v in value]
        return value + mark if isinstance(value, str) and key not in ("method", "dataset") else value

    text = json.loads((lab.checkout / "results/benchmark/benchmark.json").read_text())
    clean = lab.folder / "clean"
    (lab.folder / "none").mkdir()
    picture = lab.write("p.png", drawing.plain_png(np.zeros((30, 30, 3), np.uint8)))
    base = ("--figures", lab.folder / "none", "--runs", lab.checkout / "results/training/x3_h100", "--data-dir",
            lab.folder, "--weights-dir", lab.folder, "--images", picture)
    for what, report in (("every text", marked(text)), ("a method's name", _first(text, "method", mark)),
                         ("a set's name", _first(text, "dataset", mark)), ("numbers", _first(text, "psnr", mark))):
        path = lab.write("evil.json", json.dumps(report))
        run = lab.tool("html_report", "--benchmark", path, "--out", clean / "r.html", *base)
        faults = judge.done_or_refused(run)
        made = clean / "r.html"
        if made.exists() and re.search(r"<script>alert\(1\)|<img src=x onerror", made.read_text()):
            faults.append("markup of the file is markup of the page")
        made.unlink(missing_ok=True)
        yield lab.result(f"html_report: markup in {what}", faults, run)
    lab.write("none/figures_of_others.json", "{}")
    ours = lab.checkout / "results/benchmark/benchmark.json"
    run = lab.tool("html_report", "--benchmark", ours, "--out", made, *base)
    yield lab.result("html_report: another program's JSON among the figures", judge.done_or_refused(run), run)


def _first(report, key, value):
    rows = [dict(row) for row in report["rows"]]
    rows[0][key] = value
    return {**report, "rows": rows}


@trial("foreign-source")
def foreign_source(lab):
    """Tarballs given as CAFFE_SOURCE: refused in one line, nothing outside the folder"""
    def tar(*members):
        stream = BytesIO()
        with tarfile.open(fileobj=stream, mode="w:gz") as archive:
            for name, content, kind in members:
                info = tarfile.TarInfo(name)
                info.size, info.type = len(content) if kind == tarfile.REGTYPE else 0, kind
                info.linkname = content.decode() if kind != tarfile.REGTYPE else ""
                archive.addfile(info, BytesIO(content))
        return stream.getvalue()

    mark = ("src/caffe/proto/caffe.proto", b"x", tarfile.REGTYPE)
    evil = {
        "names that leave the folder": tar(mark, ("../../pwned.h", b"x", tarfile.REGTYPE)),
        "an absolute name": tar(mark, (f"{lab.folder}/pwned.h", b"x", tarfile.REGTYPE)),
        "a link out of it": tar(mark, ("include/caffe/a.h", b"/etc/passwd", tarfile.SYMTYPE)),
        "a hard link out of it": tar(mark, ("include/caffe/a.h", b"/etc/passwd", tarfile.LNKTYPE)),
        "a device": tar(mark, ("include/caffe/a.h", b"", tarfile.CHRTYPE)),
        "not a tarball": b"nothing of the kind", "empty": b"", "cut short": tar(mark)[:60],
    }
    script = lab.checkout / "pycaffe/caffe_source.py"
    for name, content in evil.items():
        path = lab.write("caffe.tar.gz", content)
        before = _files(lab.folder)
        run = lab.start(script, "--unpack", lab.folder / "unpacked", env={"CAFFE_SOURCE": str(path),
                        "IDN_CACHE": str(lab.folder / "cache")}).wait(60)
        outside = [p for p in _files(lab.folder) - before if "unpacked" not in p.parts and "cache" not in p.parts]
        faults = judge.refused(run, path.name, status=run.status if run.status in (1, 2) else 2)
        faults += [f"written outside: {p.name}" for p in outside]
        yield lab.result(name, faults, run)
