"""Measure the released networks on Set5 and Set14 without this project's code, into measured.json.

    $ .venv/bin/python -m pip install pyrtools
    $ .venv/bin/python tests/tools/golden/measure.py DATA WEIGHTS

DATA holds Set5 and Set14, WEIGHTS idn, vdsr and lapsrn, as tools/fetch.py lays them out. Takes about ten minutes on
one core.

Everything is written again from the papers and the files of weights: imresize as one dense matrix for each axis, the
networks as sums of shifted matrix products in numpy, MatConvNet's files run by the layers that they list. SSIM is
scikit-image's, the steerable pyramid of IFC is pyrtools'. Of Caffe only the message format of its files is used.
"""

import json
import math
import os
import platform
import sys
from importlib import metadata
from pathlib import Path

os.environ.setdefault("GLOG_minloglevel", "2")

import numpy as np
import pyrtools
from caffe.proto import caffe_pb2
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image
from scipy.io import loadmat
from skimage.metrics import structural_similarity

HERE = Path(__file__).resolve().parent
PACKAGES = ("numpy", "pillow", "pyrtools", "scikit-image", "scipy")


# --- pictures ---------------------------------------------------------------------------------------------------


def luma(path, scale):
    """Y of an image as MATLAB rounds it, cut to whole multiples of the scale: (H, W), float64, whole numbers."""
    pixels = np.asarray(Image.open(path)).astype(np.float64)
    if pixels.ndim == 3:
        pixels = rounded(16 + pixels @ np.array([65.481, 128.553, 24.966]) / 255)
    rows, columns = (side // scale * scale for side in pixels.shape)
    return pixels[:rows, :columns]


def rounded(x):
    """Whole numbers 0..255, halves upwards."""
    return np.clip(np.floor(x + 0.5), 0, 255)


def resized(image, scale):
    """Bicubic imresize with antialiasing; borders repeat the outermost pixel."""
    for _ in range(2):
        image = (axis_matrix(len(image), round(len(image) * scale), scale) @ image).T
    return image


def axis_matrix(length, result, scale):
    """Row x holds the weights of every input pixel for output pixel x."""
    stretch = min(scale, 1)
    matrix = np.zeros((result, length))
    for x in range(result):
        centre = (x + 0.5) / scale - 0.5
        taps = np.arange(np.floor(centre - 2 / stretch), np.ceil(centre + 2 / stretch) + 1)
        weights = cubic(stretch * (centre - taps))
        np.add.at(matrix[x], np.clip(taps, 0, length - 1).astype(int), weights / weights.sum())
    return matrix


def cubic(x):
    """Keys' kernel with a = -1/2."""
    x = np.abs(x)
    inner, outer = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, inner, np.where(x <= 2, outer, 0))


# --- layers: (C, H, W) in and out, single precision --------------------------------------------------------------


def convolved(x, weights, bias, groups=1):
    """Correlation with zeros around, size kept; weights (out, in / groups, k, k)."""
    if groups > 1:
        parts = zip(np.split(x, groups), np.split(weights, groups), np.split(bias, groups))
        return np.concatenate([convolved(*part) for part in parts])
    kernel, (_, rows, columns) = weights.shape[-1], x.shape
    reach = kernel // 2
    wide = np.pad(x, ((0, 0), (reach, reach), (reach, reach)))
    out = np.zeros((len(weights), rows * columns), np.float32)
    for i in range(kernel):
        for j in range(kernel):
            shifted = wide[:, i : i + rows, j : j + columns].reshape(len(x), -1)
            out += np.ascontiguousarray(weights[:, :, i, j]) @ shifted
    return out.reshape(-1, rows, columns) + bias[:, None, None]


def spread(x, weights, bias, stride):
    """Transposed convolution without a crop: side stride (n - 1) + k; weights (in, out, k, k)."""
    kernel, (_, rows, columns) = weights.shape[-1], x.shape
    out = np.zeros((weights.shape[1], stride * (rows - 1) + kernel, stride * (columns - 1) + kernel), np.float32)
    for i in range(kernel):
        for j in range(kernel):
            part = (np.ascontiguousarray(weights[:, :, i, j].T) @ x.reshape(len(x), -1)).reshape(-1, rows, columns)
            out[:, i : i + stride * rows : stride, j : j + stride * columns : stride] += part
    return out + bias[:, None, None]


def leaky(x, slope):
    """ReLU that keeps `slope` of what is negative."""
    return np.where(x > 0, x, np.float32(slope) * x)


# --- networks: each gives the function from (LR, bicubic base) to the result, all about 0..1 ------------------------


def idn(path, scale):
    """IDN (Hui et al., equations 1 to 12) with the released .caffemodel."""
    message = caffe_pb2.NetParameter()
    message.ParseFromString(Path(path).read_bytes())
    arrays = {
        layer.name: [np.array(blob.data, np.float32).reshape(blob.shape.dim) for blob in layer.blobs]
        for layer in message.layer
        if layer.blobs
    }

    def unit(x, name, groups=1):
        return leaky(convolved(x, *arrays[name], groups), 0.05)

    def run(low, base):
        b = unit(unit(low[None], "conv1"), "conv2")
        for k in range(3, 7):
            above = unit(unit(unit(b, f"conv{k}_1"), f"conv{k}_2", 4), f"conv{k}_3")
            below = unit(unit(unit(above[16:], f"conv{k}_4"), f"conv{k}_5", 4), f"conv{k}_6")
            b = unit(below + np.concatenate([b, above[:16]]), f"down{k - 2}")
        residual = spread(b, *arrays["upsample"], scale)[0, 8:-8, 8:-8]
        result = base.copy()
        result[scale - 1 :, scale - 1 :] += residual
        return result

    return run


def vdsr(path, scale):
    """VDSR (Kim et al.) with the authors' .mat: lists of weights (3, 3, in, out) and biases."""
    model = loadmat(path, squeeze_me=True, struct_as_record=False)["model"]
    layers = [(filters(w, b), np.atleast_1d(b).astype(np.float32)) for w, b in zip(model.weight, model.bias)]

    def run(low, base):
        x = base[None]
        for k, (weights, bias) in enumerate(layers, 1):
            x = convolved(x, weights, bias)
            x = leaky(x, 0) if k < len(layers) else x
        return base + x[0]

    return run


def filters(value, bias):
    """MATLAB's (k, k, in, out), which loses axes of one, as (out, in, k, k)."""
    value = value.reshape(*value.shape[:2], -1, np.size(bias))
    return np.ascontiguousarray(value.transpose(3, 2, 0, 1), np.float32)


def lapsrn(path, scale):
    """LapSRN (Lai et al.): the layers of the authors' DagNN file, one after the other."""
    net = loadmat(path, squeeze_me=True, struct_as_record=False)["net"]
    values = {param.name: param.value for param in net.params}

    def run(low, base):
        blobs = {"LR": low[None]}
        for layer in net.layers:
            if not layer.type.endswith("loss"):
                inputs = [blobs[name] for name in np.atleast_1d(layer.inputs)]
                blobs[layer.outputs] = dag_layer(layer, inputs, [values[n] for n in np.atleast_1d(layer.params)])
        return blobs["level1_output"][0]

    return run


def dag_layer(layer, inputs, values):
    """One layer of MatConvNet's DagNN; its transposed filters are (k, k, out, in)."""
    if layer.type == "dagnn.Sum":
        return sum(inputs)
    if layer.type == "dagnn.ReLU":
        return leaky(inputs[0], layer.block.leak)
    bias = np.atleast_1d(values[1]).astype(np.float32) if len(values) > 1 else np.zeros(1, np.float32)
    if layer.type == "dagnn.Conv":
        return convolved(inputs[0], filters(values[0], bias), bias)
    assert layer.type == "dagnn.ConvTranspose", layer.type
    weights = filters(values[0], inputs[0][:, 0, 0])
    top, bottom, left, right = map(int, layer.block.crop)  # MATLAB's uint8
    out = spread(inputs[0], weights, bias, int(layer.block.upsample[0]))
    return out[:, top : out.shape[1] - bottom, left : out.shape[2] - right]


# --- measuring ------------------------------------------------------------------------------------------------------


def measured(folder, scale, network):
    """Mean PSNR, SSIM and IFC of a set by the test of IDN's authors."""
    scores = []
    for path in sorted(folder.iterdir()):
        truth = luma(path, scale)
        low = resized(truth / 255, 1 / scale)
        base = resized(low, scale)
        result = network(low.astype(np.float32), base.astype(np.float32))
        inside = (slice(scale, -scale), slice(scale, -scale))
        truth, result = truth[inside], rounded(255 * result.astype(np.float64))[inside]
        scores.append((psnr(truth, result), ssim(truth, result), ifc(truth, result)))
    return dict(zip(("psnr", "ssim", "ifc"), np.round(np.mean(scores, axis=0), 6).tolist()))


def psnr(truth, result):
    """Of 8-bit values, in dB."""
    return 10 * np.log10(255**2 / np.mean((truth - result) ** 2))


def ssim(truth, result):
    """With the 11x11 Gaussian of Wang et al., where it lies inside the image."""
    window = dict(gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    similar = structural_similarity(truth, result, data_range=255, full=True, **window)[1]
    return similar[5:-5, 5:-5].mean()


def ifc(truth, result):
    """Sheikh, Bovik and de Veciana's criterion in bits per pixel, on two of six orientations at four scales."""
    pyramids = [
        pyrtools.pyramids.SteerablePyramidSpace(image, height=4, order=5, edge_type="reflect1").pyr_coeffs
        for image in (truth, result)
    ]
    bands = [(level, side) for level in range(4) for side in (0, 3)]
    return sum(information(*(p[band] for p in pyramids), 2 ** (4 - band[0]) + 1) for band in bands) / truth.size


def information(y, yn, window):
    """Bits that a sub-band shares with its distorted copy: Gaussian mixture over 3x3 blocks, a gain for each window."""
    rows, columns = (side // 3 * 3 for side in y.shape)
    y, yn = y[:rows, :columns], yn[:rows, :columns]
    vectors = sliding_window_view(y, (3, 3)).reshape(-1, 9)
    covariance = np.cov(vectors.T, bias=True)
    reach = window // 2
    frame = math.ceil(reach / 3)
    blocks = y.reshape(rows // 3, 3, columns // 3, 3).swapaxes(1, 2)[frame:-frame, frame:-frame].reshape(-1, 9)
    spread_of = np.einsum("ni,ij,nj->n", blocks, np.linalg.inv(covariance), blocks) / 9
    inner = slice(1 + 3 * frame, -3 * frame, 3)
    padded = (np.pad(band, reach, mode="reflect") for band in (y, yn))
    x, z = (sliding_window_view(band, (window, window))[inner, inner].reshape(len(blocks), -1) for band in padded)
    x, z = x - x.mean(1, keepdims=True), z - z.mean(1, keepdims=True)
    both, own, other = (x * z).sum(1), (x * x).sum(1), (z * z).sum(1)
    gain = np.where(both < 0, 0, both / (own + 1e-15))
    noise = np.where(both < 0, other, np.maximum((other - gain * both) / window**2, 1e-15))
    signal = (gain**2 * spread_of)[:, None] * np.linalg.eigvalsh(covariance)
    return np.log2(1 + signal / (noise[:, None] + 1e-10)).sum()


def main():
    """Measure everything; the file is written after every row, since all of it takes long."""
    data, weights = map(Path, sys.argv[1:])
    networks = {
        "Bicubic": (lambda path, scale: lambda low, base: base, "", (2, 3, 4), ("Set5", "Set14")),
        "IDN": (idn, "idn/IDN_x{}.caffemodel", (2, 3, 4), ("Set5", "Set14")),
        "VDSR": (vdsr, "vdsr/VDSR_Official.mat", (2, 3, 4), ("Set5",)),
        "LapSRN": (lapsrn, "lapsrn/LapSRN_x{}.mat", (2, 4), ("Set5",)),
    }
    versions = {"Python": platform.python_version(), **{name: metadata.version(name) for name in PACKAGES}}
    rows = []
    for dataset in ("Set5", "Set14"):
        for name, (build, file, scales, sets) in networks.items():
            for scale in scales if dataset in sets else ():
                scores = measured(data / dataset, scale, build(weights / file.format(scale), scale))
                rows.append({"dataset": dataset, "scale": scale, "method": name, **scores})
                print(rows[-1], flush=True)
                content = {"command": "tests/tools/golden/measure.py DATA WEIGHTS", "versions": versions, "rows": rows}
                (HERE / "measured.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
