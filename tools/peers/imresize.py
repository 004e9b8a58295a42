"""Other people's bicubic resizing with one signature, for tools/bench_matlab_compat.py.

Every entry takes a uint8 RGB image (H, W, 3) and a scale and gives uint8 back, set as close to MATLAB's imresize as it
can be. What is not installed is left out: none of these packages is a dependency of this project, which is why each is
imported by its own entry.
"""

import importlib.util
import math
from importlib import metadata

import cv2
import numpy as np

from matlab_compat.contributions import contributions


def peers():
    """The peers that can be imported.

    Returns
    -------
    dict
        Name (with version and settings) to function(img, scale).
    """
    found = {"numpy, plain gather of all taps": gather}
    for package, module, label, make in _PEERS:
        try:
            importlib.import_module(module)
            version = metadata.version(package)
        except (ImportError, metadata.PackageNotFoundError):
            continue
        found[label.format(version)] = make()
    return found


def absent():
    """Names (list of str) of the packages that cannot be imported."""
    return [package for package, module, _, _ in _PEERS if not importlib.util.find_spec(module.split(".")[0])]


def gather(img, scale):
    """What one writes first in numpy: fetch all taps of all pixels, multiply, sum; exact, slow and hungry."""
    for axis in (0, 1):
        length = img.shape[axis]
        weights, indices = contributions(length, math.ceil(length * scale), scale, "bicubic", True, "replicate")
        taps = np.moveaxis(img, axis, 0)[indices]  # (out, taps, other, 3)
        out = (taps * weights[:, :, None, None]).sum(axis=1)
        img = np.moveaxis(np.clip(np.floor(out + 0.5), 0, 255).astype(np.uint8), 0, axis)
    return img


def _size(img, scale):
    return tuple(math.ceil(length * scale) for length in img.shape[:2])


def _to_bytes(values):
    return np.clip(np.floor(np.asarray(values) + 0.5), 0, 255).astype(np.uint8)


def _pillow():
    from PIL import Image  # here: --help must not wait for it

    def resize(img, scale):
        height, width = _size(img, scale)
        return np.asarray(Image.fromarray(img).resize((width, height), Image.BICUBIC))

    return resize


def _opencv(flag):
    def resize(img, scale):
        height, width = _size(img, scale)
        return cv2.resize(img, (width, height), interpolation=flag)

    return resize


def _skimage():
    from skimage.transform import resize as skimage_resize  # slow to import

    def resize(img, scale):
        out = skimage_resize(img, _size(img, scale), order=3, mode="edge", anti_aliasing=scale < 1, preserve_range=True)
        return _to_bytes(out)

    return resize


def _torch():
    import torch  # optional

    def resize(img, scale):
        planes = torch.from_numpy(np.ascontiguousarray(img)).permute(2, 0, 1)[None]
        out = torch.nn.functional.interpolate(planes, size=_size(img, scale), mode="bicubic", antialias=True)
        return out[0].permute(1, 2, 0).numpy()

    return resize


def _torch_float():
    import torch  # optional

    def resize(img, scale):
        planes = torch.from_numpy(img.astype(np.float32)).permute(2, 0, 1)[None]
        out = torch.nn.functional.interpolate(planes, size=_size(img, scale), mode="bicubic", antialias=True)
        return _to_bytes(out[0].permute(1, 2, 0))

    return resize


def _tensor_port(module):
    """bicubic-pytorch and its copy in pyiqa."""
    import torch  # optional

    function = importlib.import_module(module).imresize

    def resize(img, scale):
        planes = torch.from_numpy(img.astype(np.float32)).permute(2, 0, 1)[None]
        return _to_bytes(function(planes, scale=scale)[0].permute(1, 2, 0))

    return resize


def _basicsr():
    from basicsr.utils.matlab_functions import imresize  # optional

    def resize(img, scale):
        return _to_bytes(255 * imresize(img.astype(np.float32) / 255, scale))

    return resize


def _resize_right():
    from resize_right import resize as right  # optional

    def resize(img, scale):
        return _to_bytes(right(img.astype(np.float64), scale_factors=scale, pad_mode="edge"))

    return resize


# distribution, module, label, maker of the function
_PEERS = (
    ("pillow", "PIL.Image", "Pillow {} BICUBIC", _pillow),
    ("opencv-python-headless", "cv2", "OpenCV {} INTER_CUBIC", lambda: _opencv(cv2.INTER_CUBIC)),
    ("opencv-python-headless", "cv2", "OpenCV {} INTER_AREA", lambda: _opencv(cv2.INTER_AREA)),
    ("scikit-image", "skimage.transform", "scikit-image {} resize, order 3, anti_aliasing", _skimage),
    ("torch", "torch", "torch {} interpolate bicubic, antialias, uint8", _torch),
    ("torch", "torch", "torch {} interpolate bicubic, antialias, float32", _torch_float),
    ("basicsr-fixed", "basicsr.utils.matlab_functions", "BasicSR {} matlab_functions.imresize", _basicsr),
    ("bicubic-pytorch", "bicubic_pytorch", "bicubic-pytorch {} imresize", lambda: _tensor_port("bicubic_pytorch.core")),
    ("pyiqa", "pyiqa.matlab_utils", "pyiqa {} matlab_utils.imresize", lambda: _tensor_port("pyiqa.matlab_utils")),
    ("resize-right", "resize_right", "resize-right {} resize, edge padding", _resize_right),
)
