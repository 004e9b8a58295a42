"""Write the golden files of this folder.

    $ .venv/bin/python tests/matlab_compat/golden/make_golden.py

imresize_octave-VERSION.npz: `definition.m`, run by GNU Octave (octave-cli must be installed).
ifc_pyrtools-VERSION.npz: IFC with pyrtools' steerable pyramid and plain loops (pip install pyrtools).
"""

import itertools
import json
import math
import subprocess
import tempfile
from importlib import metadata
from pathlib import Path

import numpy as np
from scipy import io

HERE = Path(__file__).resolve().parent
METHODS = ("nearest", "box", "bilinear", "bicubic", "lanczos2", "lanczos3")
SCALES = (1 / 3, 0.3, 0.9, 1, 1.7, 3, (0.6, 1.4), (2, 0.5))


def picture(rows, columns, seed):
    """A smooth uint8 picture with edges and some noise, so that every kernel over- and undershoots."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :columns]
    img = 127 + 90 * np.sin(y / 3) * np.cos(x / 4) + 60 * (x > columns / 2) + rng.normal(0, 15, (rows, columns))
    return np.clip(img, 0, 255).astype(np.uint8)


def images():
    """One small picture in every class."""
    byte = picture(11, 9, 1)
    word = byte.astype(np.uint16) * np.uint16(257)
    return {
        "uint8": byte,
        "uint16": word,
        "int16": (word.astype(np.int32) - 32768).astype(np.int16),
        "single": (byte / 255).astype(np.float32),
        "double": byte / 255,
        "logical": byte > 127,
    }


def cases():
    """Every kernel with every scale, both edges, antialiasing on and off; the other classes with the bicubic."""
    for method, scale, edge, smooth in itertools.product(METHODS, SCALES, ("replicate", "symmetric"), (True, False)):
        yield case("uint8", scale, method, edge, smooth)
        if scale in (0.3, 1.7):
            yield case("double", scale, method, edge, smooth)
    for name, scale in itertools.product(("uint16", "int16", "single", "logical"), (1 / 3, 0.9, 1.7)):
        yield case(name, scale, "bicubic", "replicate", True)


def case(image, scale, method, edge, antialiasing):
    """What `definition.m` needs to know; the size by MATLAB's rule, ceil(scale * size)."""
    pair = scale if isinstance(scale, tuple) else (scale, scale)
    rows, columns = (math.ceil(factor * length) for factor, length in zip(pair, images()[image].shape))
    return {
        "image": image,
        "rows": rows,
        "columns": columns,
        "scale": [float(factor) for factor in pair],
        "method": method,
        "edge": edge,
        "antialiasing": antialiasing,
    }


def imresize_golden():
    """Run definition.m and store images, cases and results."""
    listed = list(cases())
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in.mat"), Path(folder, "out.mat")
        cells = np.empty(len(listed), object)
        cells[:] = listed
        io.savemat(source, {"images": images(), "cases": cells}, format="5")
        subprocess.run(["octave-cli", "-q", "--no-init-file", HERE / "definition.m", source, target], check=True)
        answer = io.loadmat(target)
    # loadmat gives logicals as uint8
    results = {f"result_{i}": value for i, value in enumerate(answer["results"].ravel())}
    path = HERE / f"imresize_octave-{answer['octave_version'][0]}.npz"
    np.savez_compressed(path, cases=json.dumps(listed), **results, **{f"image_{k}": v for k, v in images().items()})
    print(f"{path.name}: {len(listed)} cases, {path.stat().st_size} bytes")


def ifc_golden():
    """IFC of a picture against blurred, noisy and scaled copies, by pyrtools and loops."""
    ref = picture(80, 93, 2)
    wide, rng = ref.astype(float), np.random.default_rng(3)
    blurred = (wide + np.roll(wide, 1, 0) + np.roll(wide, 1, 1)) / 3
    noise = rng.normal(0, 6, ref.shape)
    outs = [blurred, wide + noise, 0.7 * wide + 20 + noise / 3, 255 - wide + noise / 3]
    outs = [np.clip(np.round(out), 0, 255).astype(np.uint8) for out in outs]
    values = [plain_ifc(ref.astype(float), out.astype(float)) for out in outs]
    path = HERE / f"ifc_pyrtools-{metadata.version('pyrtools')}.npz"
    np.savez_compressed(path, ref=ref, outs=np.stack(outs), values=values)
    print(f"{path.name}: {[float(value) for value in values]}")


def plain_ifc(ref, out):
    """The criterion, one block at a time."""
    import pyrtools

    pyramids = [
        pyrtools.pyramids.SteerablePyramidSpace(img, height=4, order=5, edge_type="reflect1").pyr_coeffs
        for img in (ref, out)
    ]
    total = 0.0
    for level, band in itertools.product(range(4), (0, 3)):
        total += plain_band(*(pyramid[(level, band)] for pyramid in pyramids), 2 ** (4 - level) + 1)
    return total / ref.size


def plain_band(y, yn, window):
    """One sub-band: the mixture's covariance from all 3x3 blocks, then every whole block by itself."""
    rows, columns = (length // 3 * 3 for length in y.shape)
    y, yn = y[:rows, :columns], yn[:rows, :columns]
    vectors = np.array([y[i : i + 3, j : j + 3].T.ravel() for i in range(rows - 2) for j in range(columns - 2)])
    covariance = np.cov(vectors.T, bias=True)
    inverse, eigenvalues = np.linalg.inv(covariance), np.linalg.eigvalsh(covariance)
    reach = window // 2
    wide, wide_n = (np.pad(band, reach, mode="reflect") for band in (y, yn))
    frame = math.ceil(reach / 3)
    total = 0.0
    for i, j in itertools.product(range(frame, rows // 3 - frame), range(frame, columns // 3 - frame)):
        vector = y[3 * i : 3 * i + 3, 3 * j : 3 * j + 3].T.ravel()
        spread = vector @ inverse @ vector / 9
        spot = (slice(3 * i + 1, 3 * i + 1 + window), slice(3 * j + 1, 3 * j + 1 + window))
        gain, noise = plain_channel(wide[spot], wide_n[spot])
        total += np.log2(1 + gain**2 * spread * eigenvalues / (noise + 1e-10)).sum()
    return total


def plain_channel(x, y):
    """Gain and noise of y = gain * x + noise in one window."""
    covariance = ((x - x.mean()) * (y - y.mean())).sum()
    power_x, power_y = x.var() * x.size, y.var() * y.size
    if covariance < 0:
        return 0.0, power_y
    gain = covariance / (power_x + 1e-15)
    return gain, max((power_y - gain * covariance) / x.size, 1e-15)


if __name__ == "__main__":
    imresize_golden()
    ifc_golden()
