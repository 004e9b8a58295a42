"""Mends upstream's Python files at import where current libraries broke them; the files stay as they are.

=============================  ============================================================  =========================
what                           what broke it                                                 mended by
=============================  ============================================================  =========================
``io.load_image``              scikit-image dropped ``imread(as_grey=)``; its imread no      `pictures.load_image`
                               longer makes gray or RGB of every mode
``io.array_to_datum``          NumPy 2.3 dropped ``ndarray.tostring``                        `array_to_datum`
``io.datum_to_array``          NumPy 2.3 dropped ``fromstring`` of bytes                     `datum_to_array`
``io.resize_image``            scikit-image 0.15 made antialiasing the default: other        ``resize`` bound to
                               pixels than in 2018, without a word; NumPy no longer          ``anti_aliasing=False``;
                               subtracts booleans                                            `resize_image`
``Detector.crop``              NumPy 1.12 no longer cuts by floats                           `crop`
``Detector.configure_crop``    NumPy 1.10 no longer divides integers in place                `configure_crop`
``Detector.detect_windows``    ``zip`` is an iterator in Python 3: nothing was found         `detect_windows`
``Net.forward_backward_all``   a generator ends by StopIteration no longer (Python 3.7)      `batch`
``blob.reshape`` and others    ``numpy.int64`` is no ``int`` in Python 3                     `arguments`
=============================  ============================================================  =========================

The C++ side needs one mend, in ``compat/caffe_compat.hpp``.
"""

import functools
import sys

import numpy as np

from caffe_build import arguments, pictures


def apply():
    """Replace what is broken; called once, at the end of ``import caffe``."""
    caffe, library = sys.modules["caffe"], sys.modules["caffe._caffe"]
    arguments.apply(caffe, library)
    io = sys.modules["caffe.io"]
    io.load_image = pictures.load_image
    io.array_to_datum = array_to_datum
    io.datum_to_array = datum_to_array
    io.resize = functools.partial(io.resize, anti_aliasing=False)
    for owner, name, mended in (
        (io, "resize_image", resize_image),
        (caffe.Net, "_batch", batch),
        (caffe.Detector, "crop", crop),
        (caffe.Detector, "configure_crop", configure_crop),
        (caffe.Detector, "detect_windows", detect_windows),
    ):
        setattr(owner, name, _around(getattr(owner, name), mended))


def _around(upstream, mended):
    """Upstream's function as `mended` calls it, which gets it as its first argument."""

    @functools.wraps(upstream)
    def call(*args, **kwargs):
        return mended(upstream, *args, **kwargs)

    return call


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


def resize_image(upstream, im, new_dims, interp_order=1):
    """Upstream's, and masks (bool) count as 0 and 1."""
    return upstream(im.astype(np.float32) if im.dtype == bool else im, new_dims, interp_order)


def batch(upstream, net, blobs):
    """Upstream's batches; none of no blobs."""
    return upstream(net, blobs) if blobs else iter(())


class _CutByFloats(np.ndarray):
    """An array that takes floats in slices and drops their fractions, as NumPy did before 1.12."""

    def __getitem__(self, index):
        parts = index if isinstance(index, tuple) else (index,)
        return super().__getitem__(tuple(_whole(part) for part in parts))


def _whole(part):
    if not isinstance(part, slice):
        return part
    return slice(*(None if end is None else int(end) for end in (part.start, part.stop, part.step)))


def crop(upstream, detector, im, window):
    """Upstream's crop, whose box is made of floats where there is context around it; any sequence is a window."""
    return np.asarray(upstream(detector, np.asarray(im).view(_CutByFloats), np.asarray(window)))


def configure_crop(upstream, detector, context_pad):
    """Upstream's configuration, with the mean as floats, which are divided by `raw_scale`, and the order as a list."""
    transformer = detector.transformer
    transformer.mean = {name: mean.astype(float) for name, mean in transformer.mean.items()}
    transformer.channel_swap = {name: list(order) for name, order in transformer.channel_swap.items()}
    return upstream(detector, context_pad)


def detect_windows(upstream, detector, images_windows):
    """Upstream's detection, which goes through its windows twice."""
    return upstream(detector, [(name, list(windows)) for name, windows in images_windows])
