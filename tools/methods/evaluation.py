"""The paper's test protocol: from one image to its PSNR, SSIM and IFC.

The protocol is the one of the authors' released test script (paper, section 4.1 and 4.3):

1. Y of MATLAB's rgb2ycbcr on the 8-bit image (a gray image is its own Y), cut to a multiple of the scale m;
2. LR = imresize(Y, 1/m) in single precision, values 0..1, not rounded to 8 bits;
3. the net's output plus the bicubic enlargement of LR (the base), from row and column m-1 on, because
   the transposed convolution gives m(n-1)+1 pixels for n;
4. rounded to 8 bits, m pixels shaved off every side, compared on 0..255.

Training uses the same functions for its validation PSNR, so that a learning curve and a benchmark row can
be put side by side.
"""

from dataclasses import dataclass

import numpy as np

import matlab_compat as matlab
from tools.common.errors import UserError
from tools.nets import tiles
from tools.nets.runtime import forward

METRICS = ("psnr", "ssim", "ifc")
# SSIM's window: a smaller compared region has no SSIM at all
SSIM_WINDOW = 11


@dataclass(frozen=True)
class Sample:
    """One test image at one scale, ready for a net.

    Attributes
    ----------
    name : str
        The image's file name, for messages and result files.
    scale : int
        m, the enlargement.
    hr : ndarray, (m H, m W), uint8
        Y of the ground truth, 16..235 for a colour image.
    lr : ndarray, (H, W), float32
        The net's input, about 0..1.
    base : ndarray, (m H, m W), float32
        Bicubic enlargement of `lr`.
    """

    name: str
    scale: int
    hr: np.ndarray
    lr: np.ndarray
    base: np.ndarray


def luma(img):
    """Y of an image.

    Parameters
    ----------
    img : ndarray, (H, W) or (H, W, 3), uint8
        Gray or RGB.

    Returns
    -------
    ndarray, (H, W), uint8
        A gray image as it is, else Y of BT.601, 16..235 (MATLAB's rgb2ycbcr).
    """
    return img if img.ndim == 2 else matlab.rgb2ycbcr(img)[..., 0]


def smallest_side(scale):
    """Smallest side (pixels) of a test image that leaves one SSIM window at this scale."""
    needed = SSIM_WINDOW + 2 * scale
    return -(-needed // scale) * scale


def check_size(shape, scale, name="image"):
    """Raise UserError unless an image of `shape` (H, W, ...) is large enough for the test at `scale`."""
    height, width = shape[:2]
    least = smallest_side(scale)
    if min(height, width) < least:
        raise UserError(
            f"{name}: {width}x{height} pixels is too small for the test at x{scale}, which needs {least} a side; "
            "leave it out of the set"
        )


def prepare(img, scale, *, edge="replicate", name="image"):
    """Make the net's input and the bicubic base of one ground-truth image.

    Parameters
    ----------
    img : ndarray, (H, W) or (H, W, 3), uint8
        Gray or RGB ground truth.
    scale : int
        The enlargement m.
    edge : {"replicate", "symmetric"}
        Borders of imresize: older MATLAB (the paper's figures fit it) or newer.
    name : str
        For messages and result files.

    Returns
    -------
    Sample

    Raises
    ------
    UserError
        When too little of the image is left to compare.

    Notes
    -----
    Source: the authors' released test script; paper, section 4.1.
    """
    check_size(img.shape, scale, name)
    hr = matlab.modcrop(luma(img), scale)
    lr = matlab.imresize(matlab.im2single(hr), 1 / scale, edge=edge)
    base = matlab.imresize(lr, scale, edge=edge)
    return Sample(name, scale, hr, lr, base)


def add_base(residual, sample):
    """Add the bicubic base to IDN's residual image.

    Parameters
    ----------
    residual : ndarray, (m(H-1)+1, m(W-1)+1), float32
        The net's output for `sample.lr`.
    sample : Sample

    Returns
    -------
    ndarray, (m H, m W), float32
        About 0..1. The first m-1 rows and columns, which the transposed convolution does not reach, are the
        base alone; they lie outside the compared region.

    Raises
    ------
    UserError
        When the residual has another size: the net is made for another scale.
    """
    skip = sample.scale - 1
    check_output(residual, [side - skip for side in sample.base.shape], sample)
    result = sample.base.copy()
    result[skip:, skip:] += residual
    return result


def check_output(output, shape, sample):
    """Raise UserError unless a net's `output` (ndarray) for `sample` (Sample) is of `shape` (H, W)."""
    if output.shape != tuple(shape):
        raise UserError(
            f"{sample.name}: the net's output is {output.shape[1]}x{output.shape[0]} pixels, expected "
            f"{shape[1]}x{shape[0]} at x{sample.scale}; take the deploy net of this scale"
        )


def super_resolve(net, sample, method=None, tile=None):
    """A net's result for one sample.

    Parameters
    ----------
    net : caffe.Net
    sample : Sample
    method : registry.Method, optional
        Default: IDN, whose residual the base is added to.
    tile : (int, int), optional
        Side and overlap of tiles, for a method that takes the enlarged image.

    Returns
    -------
    ndarray, (m H, m W), float32
        About 0..1, as `add_base` describes.
    """
    if method is None:
        return add_base(forward(net, sample.lr), sample)
    return method.finish(tiles.forward(net, method.take(sample), method.blob, tile), sample)


def score(hr, sr, scale, metrics=METRICS):
    """Score one 8-bit result against its ground truth.

    Parameters
    ----------
    hr, sr : ndarray, (m H, m W), uint8
        Whole images; the border is shaved here.
    scale : int
    metrics : sequence of str
        Of "psnr" (dB, peak 255; inf for equal images), "ssim", "ifc".

    Returns
    -------
    dict of str to float or None
        One entry a metric. "ifc" is None when the region is too small for its pyramid, and "note" then says so.
    """
    hr, sr = matlab.shave(hr, scale), matlab.shave(sr, scale)
    scores = {}
    if "psnr" in metrics:
        scores["psnr"] = float(matlab.psnr(hr, sr))
    if "ssim" in metrics:
        scores["ssim"] = float(matlab.ssim(hr, sr))
    if "ifc" in metrics:
        scores.update(ifc(hr.astype(np.float64), sr.astype(np.float64)))
    return scores


def ifc(reference, result):
    """IFC of two images (H, W), float64, that PSNR or SSIM takes, where they are large enough.

    Returns
    -------
    dict
        "ifc", None when the images are too small for IFC's pyramid; "note" then says so.
    """
    try:
        return {"ifc": float(matlab.ifc(reference, result))}
    except ValueError as error:
        # as the pair is comparable, what IFC refuses is its size
        return {"ifc": None, "note": str(error)}


def evaluate_image(net, img, scale, *, edge="replicate", metrics=METRICS):
    """The whole protocol for one image and IDN: prepare, super-resolve, round to 8 bits, score.

    Parameters are those of `prepare` and `score`; returns what `score` returns.
    """
    sample = prepare(img, scale, edge=edge)
    return score(sample.hr, matlab.im2uint8(super_resolve(net, sample)), scale, metrics)


def validation_psnr(net, samples, method=None, tile=None):
    """Mean PSNR of a net over prepared samples.

    Parameters
    ----------
    net : caffe.Net
        Deploy net of the samples' scale; it may share its weights with a net in training.
    samples : sequence of Sample
        Made once by `prepare`.
    method, tile : optional
        As of `super_resolve`.

    Returns
    -------
    float
        dB; nan as soon as the net's output is not finite, so that a diverged training shows as such.
    """
    values = []
    for sample in samples:
        result = super_resolve(net, sample, method, tile)
        if not np.isfinite(result).all():
            return float("nan")
        values.append(score(sample.hr, matlab.im2uint8(result), sample.scale, ("psnr",))["psnr"])
    return float(np.mean(values))


def colour(img, sr, scale, *, edge="replicate"):
    """A picture of a result: Y from the net, Cb and Cr bicubic, all cut to the compared region.

    Parameters
    ----------
    img : ndarray, (H, W) or (H, W, 3), uint8
        The ground truth that `prepare` took.
    sr : ndarray, (m H', m W'), uint8
        The result's Y.

    Returns
    -------
    ndarray, uint8
        RGB, or gray for a gray image; 2 m pixels less than `sr` in both directions, as the authors save it.

    Notes
    -----
    Source: the authors' released test script; Cb and Cr are shrunk and enlarged as 8-bit images.
    """
    luma_part = matlab.shave(sr, scale)
    if img.ndim == 2:
        return luma_part
    chroma = matlab.modcrop(matlab.rgb2ycbcr(img)[..., 1:], scale)
    chroma = matlab.imresize(matlab.imresize(chroma, 1 / scale, edge=edge), scale, edge=edge)
    return matlab.ycbcr2rgb(np.dstack([luma_part, matlab.shave(chroma, scale)]))
