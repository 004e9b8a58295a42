"""The ways in which the compared methods were tested: from an image to what a net is given, and to its scores.

- idn: the IDN authors' script, tools/methods/evaluation.py. Everything on Y, the LR image is not rounded.
- clamp: the same with the interpolated image limited to 16/255..235/255, the range of Y of a colour image, before it
  goes into a net: how VDSR's authors tested (their public code for DRCN, of the same year, prepares images so). It
  matters for gray images and for overshoots at sharp edges.
- lr8: the first with the LR image rounded to 8 bits, as a file on disk would be (public VDSR test scripts).
- rgb: LapSRN's release. The RGB image is made smaller in double precision, Y goes through the net, bicubic Cb and
  Cr are put back, the RGB result is rounded to 8 bits, and Y of both 8-bit RGB images is compared as 0..1 doubles,
  with MATLAB's own ssim and IFC on 0..1.

A gray image is its own Y in all of them.
"""

from dataclasses import dataclass, replace
from typing import Callable

import numpy as np

import matlab_compat as matlab
from matlab_compat.ssim_toolbox import ssim_toolbox
from tools.methods import evaluation


@dataclass(frozen=True)
class Protocol:
    """A way to test.

    Attributes
    ----------
    name : str
    prepare : callable (img, scale, edge, name) -> evaluation.Sample
    pair : callable (img, sample, result, edge) -> (reference, result)
        Two images to score, from the ground truth and the method's Y (m H, m W), float32, about 0..1.
    score : callable (reference, result, scale, metrics) -> dict
        As evaluation.score.
    """

    name: str
    prepare: Callable
    pair: Callable
    score: Callable


def _prepare_idn(img, scale, edge, name):
    return evaluation.prepare(img, scale, edge=edge, name=name)


def _pair_8_bit(img, sample, result, edge):
    return sample.hr, matlab.im2uint8(result)


def _prepare_clamp(img, scale, edge, name):
    sample = evaluation.prepare(img, scale, edge=edge, name=name)
    return replace(sample, base=np.clip(sample.base, np.float32(16 / 255), np.float32(235 / 255)))


def _prepare_lr8(img, scale, edge, name):
    sample = evaluation.prepare(img, scale, edge=edge, name=name)
    lr = matlab.im2single(matlab.im2uint8(sample.lr))
    return replace(sample, lr=lr, base=matlab.imresize(lr, scale, edge=edge))


def _small(img, scale, edge):
    """LR image, (H, W) or YCbCr (H, W, 3), float64 in 0..1, of a ground truth by the rgb protocol."""
    hr = matlab.modcrop(matlab.im2double(img), scale)
    lr = matlab.imresize(hr, 1 / scale, edge=edge)
    return lr if lr.ndim == 2 else matlab.rgb2ycbcr(lr)


def _prepare_rgb(img, scale, edge, name):
    evaluation.check_size(img.shape, scale, name)
    small = _small(img, scale, edge)
    lr = np.ascontiguousarray(small if small.ndim == 2 else small[..., 0])
    base = matlab.imresize(lr, scale, edge=edge)
    hr = matlab.modcrop(evaluation.luma(img), scale)
    return evaluation.Sample(name, scale, hr, lr.astype(np.float32), base.astype(np.float32))


def _pair_rgb(img, sample, result, edge):
    reference = matlab.im2double(matlab.modcrop(img, sample.scale))
    if img.ndim == 2:
        return reference, matlab.im2double(matlab.im2uint8(result))
    enlarged = matlab.imresize(_small(img, sample.scale, edge), sample.scale, edge=edge)
    enlarged[..., 0] = result
    rgb = matlab.im2double(matlab.im2uint8(matlab.ycbcr2rgb(enlarged)))
    return matlab.rgb2ycbcr(reference)[..., 0], matlab.rgb2ycbcr(rgb)[..., 0]


def _score_rgb(reference, result, scale, metrics):
    reference, result = matlab.shave(reference, scale), matlab.shave(result, scale)
    scores = {}
    if "psnr" in metrics:
        scores["psnr"] = float(matlab.psnr(reference, result, data_range=1))
    if "ssim" in metrics:
        scores["ssim"] = ssim_toolbox(reference, result)
    if "ifc" in metrics:
        scores.update(evaluation.ifc(reference, result))
    return scores


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol("idn", _prepare_idn, _pair_8_bit, evaluation.score),
        Protocol("clamp", _prepare_clamp, _pair_8_bit, evaluation.score),
        Protocol("lr8", _prepare_lr8, _pair_8_bit, evaluation.score),
        Protocol("rgb", _prepare_rgb, _pair_rgb, _score_rgb),
    )
}
