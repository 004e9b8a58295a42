"""Checks of what a caller hands in: one line that names the thing, what was got, what was expected, the remedy."""

import numpy as np

IMAGE_CLASSES = ("uint8", "uint16", "int16", "single", "double", "logical")
_MATLAB_NAMES = {"float32": "single", "float64": "double", "bool": "logical"}


def class_name(dtype):
    """MATLAB's name of a numpy dtype: float32 is single, float64 is double, bool is logical."""
    name = np.dtype(dtype).name
    return _MATLAB_NAMES.get(name, name)


def check_image(func, img, *, classes=IMAGE_CLASSES, name="img"):
    """Return `img` as a native-endian ndarray of at least two axes, or raise.

    Raises
    ------
    TypeError
        Not an array of one of `classes` (complex, object, int64, ...).
    ValueError
        Fewer than two axes, no pixels, or NaN or Inf among the values.
    """
    img = np.asarray(img)
    got = class_name(img.dtype)
    if got not in classes:
        raise TypeError(f"{func}: {name} is of class {got}; expected {_one_of(classes)}; {_class_remedy(img.dtype)}")
    if img.ndim < 2:
        raise ValueError(
            f"{func}: {name} has shape {img.shape}; expected (H, W) or (H, W, C); "
            "give a vector an axis, e.g. img[None, :]"
        )
    if img.size == 0:
        raise ValueError(
            f"{func}: {name} is empty, shape {img.shape}; expected at least one pixel; check how it was read or cropped"
        )
    if not img.dtype.isnative:
        img = img.astype(img.dtype.newbyteorder("="))
    if img.dtype.kind == "f":
        _check_finite(func, img, name)
    return img


def check_pair(func, ref, out, *, classes=IMAGE_CLASSES):
    """Return two images of one shape, each of its own class, or raise (see `check_image`)."""
    ref = check_image(func, ref, classes=classes, name="ref")
    out = check_image(func, out, classes=classes, name="out")
    if ref.shape != out.shape:
        raise ValueError(
            f"{func}: shapes differ, {ref.shape} vs {out.shape}; expected equal shapes; "
            "crop both alike, e.g. with modcrop(img, scale) and shave(img, scale)"
        )
    return ref, out


def check_plane(func, img):
    """Raise unless `img` has exactly two axes."""
    if img.ndim != 2:
        raise ValueError(
            f"{func}: images have shape {img.shape}; expected one channel, (H, W); "
            "compare the luma: rgb2ycbcr(img)[..., 0], or --y on the command line"
        )


def check_channels(func, img):
    """Raise unless `img` is (H, W, 3)."""
    if img.ndim != 3 or img.shape[2] != 3:
        raise ValueError(
            f"{func}: img has shape {img.shape}; expected three channels, (H, W, 3); "
            "stack a gray image with numpy.dstack([img] * 3), drop alpha with img[..., :3]"
        )


def check_range(func, data_range):
    """Return the peak value as a float, or raise when it is not a positive finite number."""
    if isinstance(data_range, (bool, str)) or not np.isscalar(data_range) or np.iscomplexobj(data_range):
        raise TypeError(
            f"{func}: data_range is {data_range!r}; expected a number; use 255 for 8-bit images, 1 for 0..1"
        )
    if not (np.isfinite(data_range) and data_range > 0):
        raise ValueError(
            f"{func}: data_range is {data_range}; expected a positive finite number; "
            "use 255 for 8-bit images, 1 for 0..1"
        )
    return float(data_range)


def check_count(func, name, value, lowest):
    """Return an integer >= `lowest`, or raise."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{func}: {name} is {value!r}; expected an integer of at least {lowest}; pass int({name})")
    if value < lowest:
        raise ValueError(f"{func}: {name} is {value}; expected an integer of at least {lowest}")
    return int(value)


def _check_finite(func, img, name):
    bad = img.size - np.count_nonzero(np.isfinite(img))
    if bad:
        raise ValueError(
            f"{func}: {name} holds NaN or Inf in {bad} of {img.size} values; expected finite values; "
            "replace them first, e.g. with numpy.nan_to_num"
        )


def _one_of(classes):
    return ", ".join(classes[:-1]) + " or " + classes[-1]


def _class_remedy(dtype):
    if dtype.kind == "c":
        return "take img.real or abs(img) first"
    if dtype.kind == "O":
        return "the rows may differ in length or hold non-numbers; build a numeric array first"
    if dtype.kind in "iu":
        return "convert with img.astype(numpy.uint8) when the values are 0..255, or to float64"
    return "convert with img.astype(numpy.float64)"
