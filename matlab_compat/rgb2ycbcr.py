"""rgb2ycbcr as in MATLAB."""

from ._checks import check_channels, check_image
from ._color import COLOR_CLASSES, OFFSET, TO_YCBCR, combine

# by dtype: factors of the matrix and of the offset that bring the input to 0..1 and the output to its class's range
_SCALES = {
    "uint8": (1 / 255, 1.0),
    "uint16": (257 / 65535, 257.0),
    "float32": (1 / 255, 1 / 255),
    "float64": (1 / 255, 1 / 255),
}


def rgb2ycbcr(img):
    """Convert RGB to YCbCr (ITU-R BT.601, studio range) as MATLAB's rgb2ycbcr does.

    Parameters
    ----------
    img : ndarray, (H, W, 3), R, G, B in this order
        uint8 [0, 255], uint16 [0, 65535], float32 or float64 [0, 1].

    Returns
    -------
    ndarray, (H, W, 3), same dtype
        uint8: Y in [16, 235], Cb and Cr in [16, 240]; uint16: 257 times that; floats: 1/255 of it. Integers are
        rounded, halves away from zero.

    Raises
    ------
    TypeError
        Another class.
    ValueError
        Not three channels, empty, NaN or Inf.

    Notes
    -----
    The luma of the paper's tests is ``rgb2ycbcr(img)[..., 0]`` of the uint8 image. OpenCV's YCrCb is full-range and
    orders the channels differently. MATLAB takes single since R2013; a gray image or a colour map is not accepted here.
    Source: MATLAB rgb2ycbcr.m.
    """
    return _converted(img, 3)


def luma(img):
    """``rgb2ycbcr(img)[..., 0]`` in a third of its time; (H, W)."""
    return _converted(img, 1)[..., 0]


def _converted(img, channels):
    img = check_image("rgb2ycbcr", img, classes=COLOR_CLASSES)
    check_channels("rgb2ycbcr", img)
    matrix_scale, offset_scale = _SCALES[img.dtype.name]
    return combine(img, matrix_scale * TO_YCBCR, offset_scale * OFFSET, channels=channels)
