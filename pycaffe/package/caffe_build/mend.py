"""Mends upstream's Python files at import where current libraries broke them; the files stay as they are.

======================  ========================================================  ==============================
in caffe/io.py          what broke it                                             mended by
======================  ========================================================  ==============================
``load_image``          scikit-image dropped ``imread(as_grey=)`` and deprecated  `load_image`
                        ``skimage.img_as_float``
``array_to_datum``      NumPy 2.3 dropped ``ndarray.tostring``                    `array_to_datum`
``datum_to_array``      NumPy 2.3 dropped ``fromstring`` of bytes                 `datum_to_array`
``resize_image``        scikit-image 0.15 made antialiasing the default: other    ``resize`` bound to
                        pixels than in 2018, without a word                       ``anti_aliasing=False``
======================  ========================================================  ==============================

The C++ side needs one mend, in ``caffe_compat.h``. Nothing else of upstream's Python needs any.
"""

import functools
import sys

import numpy as np

# weights of scikit-image's rgb2gray, which `as_grey=True` went through
_LUMA = np.array([0.2125, 0.7154, 0.0721])


def apply():
    """Replace the broken functions of ``caffe.io``; called once, at the end of ``import caffe``."""
    io = sys.modules["caffe.io"]
    io.load_image = load_image
    io.array_to_datum = array_to_datum
    io.datum_to_array = datum_to_array
    io.resize = functools.partial(io.resize, anti_aliasing=False)


def load_image(filename, color=True):
    """Load an image as floats, gray or alpha converted as needed.

    Parameters
    ----------
    filename : str
    color : bool
        True: RGB, a gray image is repeated three times. False: intensity.

    Returns
    -------
    ndarray, (H, W, 3) or (H, W, 1), float32, [0, 1]
    """
    import skimage.io
    from skimage.util import img_as_float

    image = img_as_float(skimage.io.imread(filename))
    if image.ndim == 3 and image.shape[2] in (2, 4):
        image = image[:, :, :-1]  # alpha
    if image.ndim == 3 and image.shape[2] == 3 and not color:
        image = image @ _LUMA
    image = np.atleast_3d(image).astype(np.float32)
    return np.tile(image, (1, 1, 3)) if color and image.shape[2] == 1 else image


def array_to_datum(arr, label=None):
    """Convert an array to a Datum.

    Parameters
    ----------
    arr : ndarray, (C, H, W)
        uint8 becomes the bytes of ``data``, anything else ``float_data``.
    label : int, optional

    Returns
    -------
    Datum

    Raises
    ------
    ValueError
        When `arr` has not three dimensions.
    """
    from caffe.proto import caffe_pb2

    if arr.ndim != 3:
        raise ValueError(f"array_to_datum: expected an array (C, H, W), got shape {arr.shape}")
    datum = caffe_pb2.Datum()
    datum.channels, datum.height, datum.width = arr.shape
    if arr.dtype == np.uint8:
        datum.data = arr.tobytes()
    else:
        datum.float_data.extend(arr.astype(float).ravel())
    if label is not None:
        datum.label = label
    return datum


def datum_to_array(datum):
    """Convert a Datum to an array.

    Parameters
    ----------
    datum : Datum

    Returns
    -------
    ndarray, (C, H, W), uint8 or float64
        uint8 when the datum holds bytes.
    """
    shape = datum.channels, datum.height, datum.width
    if datum.data:
        return np.frombuffer(datum.data, dtype=np.uint8).reshape(shape).copy()
    return np.array(datum.float_data, dtype=float).reshape(shape)
