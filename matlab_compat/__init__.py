"""MATLAB's image functions, exact, on numpy arrays.

Images are (H, W) or (H, W, C) arrays; colour channels are R, G, B. The class that goes in comes out, integers round
halves away from zero and saturate, as in MATLAB. One file holds one function; see `docs/matlab.md` for which MATLAB
generation does what.

    $ python -m matlab_compat imresize in.png out.png --scale 1/3
    $ python -m matlab_compat psnr a.png b.png --y --border 3
"""

from . import _opencv  # noqa: F401 - first: OpenCV must find its variables checked
from .flip import flip
from .ifc import ifc
from .im2double import im2double
from .im2single import im2single
from .im2uint8 import im2uint8
from .im2uint16 import im2uint16
from .imresize import imresize
from .imresize_strips import ImresizeStrips
from .imrotate import imrotate
from .modcrop import modcrop
from .psnr import psnr
from .rgb2ycbcr import luma as luma
from .rgb2ycbcr import rgb2ycbcr
from .rmse import rmse
from .rounding import matlab_round
from .shave import shave
from .ssim import ssim
from .ycbcr2rgb import ycbcr2rgb

__all__ = [
    "ImresizeStrips",
    "flip",
    "ifc",
    "im2double",
    "im2single",
    "im2uint8",
    "im2uint16",
    "imresize",
    "imrotate",
    "matlab_round",
    "modcrop",
    "psnr",
    "rgb2ycbcr",
    "rmse",
    "shave",
    "ssim",
    "ycbcr2rgb",
]
