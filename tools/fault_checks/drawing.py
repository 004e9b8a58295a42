"""Small pictures with known pixels, in every format that people enlarge, encoded here or by the usual libraries.

Each function gives Pictures: the bytes of a file and what a person sees in it. Where a format has several ways to
store the same thing (depths, palettes, planes, tiles, white as zero) each way is one Picture.
"""

import io
import struct
import zlib
from dataclasses import dataclass, replace
from typing import Optional

import cv2
import numpy as np
import tifffile
from PIL import Image, features

ORIENTATION = 0x0112  # EXIF's and TIFF's tag


@dataclass(frozen=True)
class Picture:
    """A file and what it shows.

    Attributes
    ----------
    name : str
        Of the file.
    content : bytes
    pixels : ndarray, (H, W) or (H, W, 3) RGB, uint8 or uint16
        As a person sees them; None where nobody can say.
    alpha : ndarray, (H, W), or None
    tolerance : float
        Levels of 8 bits by which a reader may differ.
    optional : bool
        A reader may refuse it.
    pages : int
        How many pictures the file holds; `pixels` are the first one's.
    palette : bool
        A gray picture stored as a palette, which a reader may give in colour.
    """

    name: str
    content: bytes
    pixels: Optional[np.ndarray]
    alpha: Optional[np.ndarray] = None
    tolerance: float = 0
    optional: bool = False
    pages: int = 1
    palette: bool = False

    @property
    def stem(self):
        """The name without its ending (str)."""
        return self.name.rpartition(".")[0]


class Scene:
    """Pixels to draw from: smooth, of a random size, different at every depth.

    Parameters
    ----------
    rng : numpy Generator
    height, width : int, optional
        Default: 18 to 40.
    """

    def __init__(self, rng, height=None, width=None):
        height, width = height or int(rng.integers(18, 40)), width or int(rng.integers(18, 40))
        y, x = np.mgrid[0:height, 0:width]
        slopes = rng.uniform(1, 3, (3, 2)) * rng.choice([-1, 1], (3, 2))
        waves = np.stack([a * x + b * y for a, b in slopes], axis=-1)
        waves = 60 * np.sin(waves / 25) + rng.uniform(90, 160, 3)
        self.rgb16 = np.round(waves * 257 + rng.integers(0, 200, 3)).clip(0, 65535).astype(np.uint16)
        self.rgb = (self.rgb16 // 257).astype(np.uint8)
        self.gray16 = self.rgb16[..., 1].copy()
        self.gray = self.rgb[..., 1].copy()
        self.alpha = (90 + 160 * (x + y) / (height + width)).astype(np.uint8)
        self.alpha16 = self.alpha.astype(np.uint16) * 257
        self.bits = ((x // 3 + y // 3) % 2).astype(np.uint8)
        self.index = ((x // 4 + y // 5) % 4).astype(np.uint8)
        self.nibbles = ((x + y) % 16).astype(np.uint8)
        self.palette = rng.integers(0, 256, (4, 3)).astype(np.uint8)
        self.height, self.width = height, width


# --- PNG -----------------------------------------------------------------------------------------------------


def chunk(name, body):
    """A PNG chunk (bytes)."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(size, depth, colour, rows, chunks=b"", tail=b""):
    """A PNG (bytes) of packed rows (list of bytes); `size` is (width, height), `chunks` go before the pixels."""
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + chunks + chunk(b"IDAT", pixels) + tail + chunk(b"IEND", b"")


def rows_of(samples):
    """Rows (list of bytes) of an array (H, W, ...) of uint8 or uint16, as PNG and netpbm store them."""
    return [np.ascontiguousarray(row).astype(row.dtype.newbyteorder(">")).tobytes() for row in samples]


def packed(samples, depth):
    """Rows (list of bytes) of values of 1, 2 or 4 bits, (H, W) uint8."""
    bits = np.unpackbits(samples[..., None], axis=-1)[..., -depth:]
    return [np.packbits(row).tobytes() for row in bits.reshape(len(samples), -1)]


def plain_png(pixels, alpha=None, chunks=b""):
    """The plainest PNG (bytes) of pixels (H, W) or (H, W, 3) and alpha (H, W) or None."""
    stored = pixels if alpha is None else np.dstack([pixels, alpha])
    colour = {(2, False): 0, (3, False): 2, (2, True): 4, (3, True): 6}[pixels.ndim, alpha is not None]
    height, width = pixels.shape[:2]
    return png((width, height), 8 * pixels.itemsize, colour, rows_of(stored), chunks)


def pngs(s):
    """Every colour type and depth of PNG (list of Picture)."""
    size, found = (s.width, s.height), []

    def add(name, colour, depth, rows, pixels, alpha=None, chunks=b""):
        found.append(Picture(f"png_{name}.png", png(size, depth, colour, rows, chunks), pixels, alpha))

    for name, pixels, alpha in (
        ("rgb8", s.rgb, None), ("rgb16", s.rgb16, None), ("gray8", s.gray, None), ("gray16", s.gray16, None),
        ("rgba8", s.rgb, s.alpha), ("rgba16", s.rgb16, s.alpha16), ("la8", s.gray, s.alpha),
        ("la16", s.gray16, s.alpha16),
    ):
        found.append(Picture(f"png_{name}.png", plain_png(pixels, alpha), pixels, alpha))
    for depth, values in ((1, s.bits), (2, s.index), (4, s.nibbles)):
        top = 2**depth - 1
        white = (values * (255 // top)).astype(np.uint8)
        add(f"gray{depth}", 0, depth, packed(values, depth), white)
        clear = struct.pack(">H", 1)
        add(f"gray{depth}_key", 0, depth, packed(values, depth), white, opaque_but(values == 1), chunk(b"tRNS", clear))
    table = chunk(b"PLTE", s.palette.tobytes())
    for depth in (2, 4, 8):
        rows = rows_of(s.index) if depth == 8 else packed(s.index, depth)
        add(f"palette{depth}", 3, depth, rows, s.palette[s.index], None, table)
    clear = np.array([255, 100, 0, 255], np.uint8)
    transparent = table + chunk(b"tRNS", clear.tobytes())
    add("palette_alpha", 3, 8, rows_of(s.index), s.palette[s.index], clear[s.index], transparent)
    add("palette_short_alpha", 3, 8, rows_of(s.index), s.palette[s.index],
        np.array([30, 255, 255, 255], np.uint8)[s.index], table + chunk(b"tRNS", b"\x1e"))
    samples = {"rgb8": s.rgb, "rgb16": s.rgb16, "gray8": s.gray, "gray16": s.gray16}
    for name, pixels in samples.items():
        colour = 2 if pixels.ndim == 3 else 0
        key = np.atleast_1d(pixels[s.height // 2, s.width // 2])
        same = (pixels.reshape(s.height, s.width, -1) == key).all(axis=-1)
        alpha = opaque_but(same, pixels.dtype)
        body = struct.pack(f">{len(key)}H", *map(int, key))
        add(f"{name}_key", colour, 8 * pixels.itemsize, rows_of(pixels), pixels, alpha, chunk(b"tRNS", body))
    return found


def opaque_but(clear, dtype=np.uint8):
    """Alpha (H, W): 0 where `clear`, else the largest value of the class."""
    return np.where(clear, 0, np.iinfo(dtype).max).astype(dtype)


# --- TIFF ----------------------------------------------------------------------------------------------------


def tiff(stored, **options):
    """A TIFF (bytes) of an array as it is stored."""
    stream = io.BytesIO()
    tifffile.imwrite(stream, stored, **options)
    return stream.getvalue()


def tiffs(s):
    """Depths, alpha of both kinds, planes, tiles, strips, compressions, white as zero (list of Picture)."""
    found = []

    def add(name, stored, pixels, alpha=None, tolerance=0, optional=False, **options):
        options = {"photometric": "rgb" if pixels is None or pixels.ndim == 3 else "minisblack", **options}
        found.append(Picture(f"tif_{name}.tif", tiff(stored, **options), pixels, alpha, tolerance, optional))

    free, premultiplied = {"extrasamples": ["unassalpha"]}, {"extrasamples": ["assocalpha"]}
    for deep, rgb, gray, alpha in (("8", s.rgb, s.gray, s.alpha), ("16", s.rgb16, s.gray16, s.alpha16)):
        top = np.iinfo(rgb.dtype).max
        share = alpha / top
        add(f"rgb{deep}", rgb, rgb)
        add(f"gray{deep}", gray, gray)
        add(f"rgba{deep}", np.dstack([rgb, alpha]), rgb, alpha, **free)
        add(f"la{deep}", np.dstack([gray, alpha]), gray, alpha, **free)
        by_alpha = np.round(rgb * share[..., None]).astype(rgb.dtype)
        add(f"rgba{deep}_premultiplied", np.dstack([by_alpha, alpha]), rgb, alpha, 4, **premultiplied)
        by_alpha = np.round(gray * share).astype(gray.dtype)
        add(f"la{deep}_premultiplied", np.dstack([by_alpha, alpha]), gray, alpha, 4, **premultiplied)
        add(f"white_is_zero{deep}", (top - gray).astype(gray.dtype), gray, photometric="miniswhite")
        add(f"planes{deep}", np.ascontiguousarray(rgb.transpose(2, 0, 1)), rgb, planarconfig="separate")
        add(f"zlib{deep}", rgb, rgb, compression="zlib", predictor=True)
        add(f"tiles{deep}", np.tile(rgb, (2, 3, 1)), np.tile(rgb, (2, 3, 1)), tile=(16, 16))
        add(f"tiles_gray{deep}", gray, gray, tile=(16, 32), compression="zlib")
        add(f"strips{deep}", gray, gray, rowsperstrip=1)
        add(f"big{deep}", rgb, rgb, bigtiff=True)
        add(f"bigendian{deep}", rgb, rgb, byteorder=">")
    table = np.zeros((3, 256), np.uint16)
    table[:, :4] = s.palette.T.astype(np.uint16) * 257
    add("palette", s.index, s.palette[s.index], photometric="palette", colormap=table)
    add("signed16", (s.gray16 // 2).astype(np.int16), None, photometric="minisblack", optional=True)
    add("float", s.gray.astype(np.float32) / 255, None, photometric="minisblack", optional=True)
    add("deep32", s.gray16.astype(np.uint32) << 16, None, photometric="minisblack", optional=True)
    found += [
        saved(f"tif_{how}.tif", Image.fromarray(s.rgb), s.rgb, compression=how)
        for how in ("tiff_lzw", "packbits", "tiff_adobe_deflate")
    ]
    bits = Image.fromarray(s.bits * 255).convert("1")
    found += [saved(f"tif_bits_{how}.tif", bits, s.bits * 255, compression=how) for how in ("raw", "group3", "group4")]
    found.append(saved("tif_cmyk.tif", Image.fromarray(s.rgb).convert("CMYK"), s.rgb, tolerance=4, optional=True))
    found.append(saved("tif_jpeg.tif", Image.fromarray(s.rgb), s.rgb, tolerance=40, compression="jpeg", optional=True))
    found.append(saved("tif_lab.tif", Image.fromarray(s.rgb).convert("LAB"), s.rgb, tolerance=40, optional=True))
    return found


def saved(name, image, pixels, alpha=None, tolerance=0, optional=False, pages=1, **options):
    """A Picture that Pillow writes, in the format of the name's ending."""
    stream = io.BytesIO()
    kind = Image.registered_extensions()["." + name.rpartition(".")[2]]
    image.save(stream, kind, **options)
    return Picture(name, stream.getvalue(), pixels, alpha, tolerance, optional, pages)


# --- netpbm --------------------------------------------------------------------------------------------------


def netpbm(pixels, maximum, text=False):
    """A PGM or PPM (bytes) of values 0..maximum, (H, W) or (H, W, 3)."""
    kind = (2 if text else 5) + (pixels.ndim == 3)
    head = b"P%d\n# drawn\n%d %d\n%d\n" % (kind, pixels.shape[1], pixels.shape[0], maximum)
    if text:
        return head + b"\n".join(b" ".join(b"%d" % v for v in row.ravel()) for row in pixels) + b"\n"
    return head + pixels.astype(">u2" if maximum > 255 else "u1").tobytes()


def netpbms(s, rng, random=4):
    """Fixed and random maxima, binary and text, PBM (list of Picture)."""
    found = []
    maxima = [1, 3, 15, 100, 255, 256, 1023, 4095, 65535, *map(int, rng.integers(2, 65535, random))]
    for maximum in maxima:
        top = 255 if maximum <= 255 else 65535
        for name, deep in (("pgm", s.gray16), ("ppm", s.rgb16)):
            values = np.round(deep * (maximum / 65535)).astype(np.uint16)
            seen = np.round(values * (top / maximum)).astype(np.uint8 if top == 255 else np.uint16)
            text = maximum in (100, 1023)
            label = f"pnm_{maximum}{'_text' if text else ''}.{name}"
            found.append(Picture(label, netpbm(values, maximum, text), seen, tolerance=1 if maximum < 256 else 0.01))
    found = list({one.name: one for one in found}.values())
    head = b"P4\n%d %d\n" % (s.width, s.height)
    found.append(Picture("pnm_bits.pbm", head + b"".join(packed(1 - s.bits, 1)), s.bits * 255))
    return found


# --- others --------------------------------------------------------------------------------------------------


def bmp(pixels, bits, header=40, masks=(), compression=0):
    """A BMP (bytes) of rows that are packed already: `pixels` is (H, bytes of a row), uint8, from top to bottom."""
    height, row = pixels.shape
    width = row * 8 // bits
    body = np.pad(pixels[::-1], ((0, 0), (0, -row % 4))).tobytes()
    info = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, compression, len(body), 2835, 2835, 0, 0)
    info += b"".join(struct.pack("<I", mask) for mask in masks)
    if header > 40:
        info += b"BGRs"
        info += b"\0" * (header - len(info))
    start = 14 + len(info)
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + info + body


def bmps(s):
    """16, 24 and 32 bits, masks, alpha, palettes (list of Picture)."""
    bgr = s.rgb[..., ::-1]
    flat = (s.height, -1)
    rgba = np.dstack([bgr, s.alpha]).reshape(flat)
    unused = np.dstack([bgr, np.zeros_like(s.gray)]).reshape(flat)
    red, green, blue = (s.rgb[..., k].astype(np.uint16) for k in range(3))
    five = (red >> 3) << 10 | (green >> 3) << 5 | blue >> 3
    six = (red >> 3) << 11 | (green >> 2) << 5 | blue >> 3
    words = [values.astype("<u2").view(np.uint8).reshape(flat) for values in (five, six)]
    alpha_masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    return [
        Picture("bmp_32_alpha.bmp", bmp(rgba, 32, 108, alpha_masks, 3), s.rgb, s.alpha),
        Picture("bmp_32_unused.bmp", bmp(unused, 32), s.rgb),
        Picture("bmp_555.bmp", bmp(words[0][:, : 2 * s.width], 16), s.rgb, tolerance=9),
        Picture("bmp_565.bmp", bmp(words[1], 16, 40, (0xF800, 0x7E0, 0x1F), 3), s.rgb, tolerance=9),
        saved("bmp_24.bmp", Image.fromarray(s.rgb), s.rgb),
        saved("bmp_gray.bmp", Image.fromarray(s.gray), s.gray),
        saved("bmp_bits.bmp", Image.fromarray(s.bits * 255).convert("1"), s.bits * 255),
    ]


def indexed(s, shift=0):
    """The scene's four colours as a palette image (PIL.Image)."""
    image = Image.fromarray((s.index + shift) % 4)
    image = image.convert("P")
    image.putdata(((s.index + shift) % 4).ravel().tolist())
    image.putpalette(s.palette.tobytes() + b"\0" * (768 - 12))
    return image


def gifs(s):
    """Palettes, gray, interlaced, transparent (list of Picture)."""
    colours = s.palette[s.index]
    return [
        saved("gif_palette.gif", indexed(s), colours),
        saved("gif_interlaced.gif", indexed(s), colours, interlace=1),
        replace(saved("gif_gray.gif", Image.fromarray(s.gray), s.gray), palette=True),
        saved("gif_transparent.gif", indexed(s), colours, opaque_but(s.index == 1), transparency=1),
    ]


def webps(s):
    """Colour and alpha, lossless and not (list of Picture)."""
    rgba = Image.fromarray(np.dstack([s.rgb, s.alpha]))
    return [
        saved("webp_rgb.webp", Image.fromarray(s.rgb), s.rgb, lossless=True),
        saved("webp_rgba.webp", rgba, s.rgb, s.alpha, lossless=True, exact=True),
        saved("webp_lossy.webp", Image.fromarray(s.rgb), s.rgb, tolerance=14, quality=100),
    ]


def jpegs(s):
    """Baseline, progressive, gray, CMYK (list of Picture)."""
    rgb = Image.fromarray(s.rgb)
    fine = {"quality": 100, "subsampling": 0, "tolerance": 5}
    return [
        saved("jpg_rgb.jpg", rgb, s.rgb, **fine),
        saved("jpg_progressive.jpeg", rgb, s.rgb, progressive=True, **fine),
        saved("jpg_gray.jpg", Image.fromarray(s.gray), s.gray, quality=100, tolerance=4),
        saved("jpg_cmyk.jpg", rgb.convert("CMYK"), s.rgb, **{**fine, "tolerance": 8}),
    ]


def newer(s):
    """JPEG 2000 and AVIF where this Pillow has them (list of Picture)."""
    rgb, rgba = Image.fromarray(s.rgb), Image.fromarray(np.dstack([s.rgb, s.alpha]))
    found = [
        saved("jp2_rgb.jp2", rgb, s.rgb, irreversible=False),
        saved("jp2_rgba.jp2", rgba, s.rgb, s.alpha, irreversible=False),
        saved("jp2_gray.jp2", Image.fromarray(s.gray), s.gray, irreversible=False),
    ]
    if has_avif():
        fine = {"quality": 100, "subsampling": "4:4:4", "tolerance": 7}
        found += [saved("avif_rgb.avif", rgb, s.rgb, **fine), saved("avif_rgba.avif", rgba, s.rgb, s.alpha, **fine)]
    return found


def has_avif():
    """Whether this Pillow writes AVIF (bool)."""
    return bool(features.check("avif"))


def shown(img, orientation):
    """Pixels (H, W, ...) as a viewer turns them for EXIF orientation 1 to 8."""
    turned = {
        1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud,
        5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a, -1), 7: lambda a: np.rot90(a.swapaxes(0, 1), 2),
        8: lambda a: np.rot90(a, 1),
    }
    return np.ascontiguousarray(turned[orientation](img))


def oriented(s):
    """Each orientation in each format that carries one (list of Picture)."""
    found = []
    lossless = {"png": {}, "webp": {"lossless": True}}
    lossy = {"jpg": {"quality": 100, "subsampling": 0}}
    if has_avif():
        lossy["avif"] = {"quality": 100, "subsampling": "4:4:4"}
    for number in range(1, 9):
        exif = Image.Exif()
        exif[ORIENTATION] = number
        for suffix, options in {**lossless, **lossy}.items():
            tolerance = 8 if suffix in lossy else 0
            picture = saved(f"turn{number}_{suffix}.{suffix}", Image.fromarray(s.rgb), shown(s.rgb, number),
                            tolerance=tolerance, exif=exif, **options)
            found.append(picture)
        tag = [(ORIENTATION, "H", 1, number, True)]
        for name, stored in (("rgb", s.rgb), ("gray", s.gray), ("rgb16", s.rgb16), ("gray16", s.gray16)):
            content = tiff(stored, photometric="rgb" if stored.ndim == 3 else "minisblack", extratags=tag)
            found.append(Picture(f"turn{number}_{name}.tif", content, shown(stored, number)))
    return found


def paged(s, pages):
    """Files with several pages or frames (list of Picture); the first is the scene."""
    others = [Image.fromarray(np.roll(s.rgb, k, axis=1)) for k in range(1, pages)]
    first = Image.fromarray(s.rgb)
    more = {"save_all": True, "append_images": others, "pages": pages}
    stack = np.stack([s.rgb, *map(np.asarray, others)])
    frames = {**more, "append_images": [indexed(s, k) for k in range(1, pages)]}
    return [
        Picture("pages.tif", tiff(stack, photometric="rgb"), s.rgb, pages=pages),
        saved("frames.gif", indexed(s), s.palette[s.index], duration=100, **frames),
        saved("frames.webp", first, s.rgb, lossless=True, **more),
        saved("frames.png", first, s.rgb, duration=100, **more),
    ]


def everything(s, rng):
    """All still pictures of a scene but for those with an orientation (list of Picture)."""
    return [*pngs(s), *tiffs(s), *netpbms(s, rng), *bmps(s), *gifs(s), *webps(s), *jpegs(s), *newer(s)]


def renamed(picture, name):
    """The Picture under another name."""
    return replace(picture, name=name)


def profile_space(content):
    """Colour space (bytes, such as b"RGB ") of a PNG's ICC profile; None where it has none."""
    at = content.find(b"iCCP", 33)
    if at < 0:
        return None
    (length,) = struct.unpack(">I", content[at - 4 : at])
    body = content[at + 4 : at + 4 + length]
    return zlib.decompress(body[body.index(b"\0") + 2 :])[16:20]


def read_png(path):
    """What a tool wrote: pixels (H, W) or (H, W, 3) RGB, alpha (H, W) or None, both at their depth."""
    content = path.read_bytes()
    at = content.find(b"iCCP", 33)
    if at > 0:  # judged elsewhere; a wrong one must not make this reader talk
        (length,) = struct.unpack(">I", content[at - 4 : at])
        content = content[: at - 4] + content[at + 8 + length :]
    depth, colour = content[24:26]
    if depth <= 8:  # OpenCV has a limit for the width
        with Image.open(io.BytesIO(content)) as image:
            img = np.asarray(image)
        return (img, None) if colour in (0, 2) else (img[..., 0] if colour == 4 else img[..., :3], img[..., -1])
    img = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    alpha = img[..., 3] if img.ndim == 3 and img.shape[2] == 4 else None
    if img.ndim == 3:
        img = img[..., 0] if colour in (0, 4) else img[..., 2::-1]
    return img, alpha
