"""OpenCV without its log: encoding, and what only it decodes at full depth, AVIF and colour JPEG 2000 beyond 8 bits."""

from contextlib import contextmanager

import cv2
import numpy as np

from .picture import Damaged


def read(content):
    """Pixels, (H, W) or (H, W, 3) RGB, and alpha (H, W) or None, of the class that the file has; raises Damaged.

    The caller has looked at the file's first bytes: OpenCV would try all its formats.
    """
    with _silent():
        stored = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if stored is None:
        raise Damaged("OpenCV cannot decode it")
    if stored.ndim == 2:
        return stored, None
    alpha = np.ascontiguousarray(stored[..., 3]) if stored.shape[2] == 4 else None
    return np.ascontiguousarray(stored[..., 2::-1]), alpha


def stretched(samples, bits):
    """Samples (uint16) of so many bits over 0..65535, rounded half up; raises Damaged where one has more bits."""
    if bits == 16 or samples is None:
        return samples
    most = (1 << bits) - 1
    if samples.max() > most:
        raise Damaged(f"a value of more than {bits} bits")
    table = (2 * 65535 * np.arange(most + 1, dtype=np.int64) + most) // (2 * most)
    return table.astype(np.uint16)[samples]


def write(suffix, stored):
    """Bytes of pixels (H, W, 1, 3 or 4) in B, G, R order in a suffix' format; None when OpenCV cannot."""
    try:
        with _silent():
            done, content = cv2.imencode(suffix, stored)
    except cv2.error:
        return None
    return content.tobytes() if done else None


@contextmanager
def _silent():
    before = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(before)
