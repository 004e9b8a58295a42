"""What several trials need and is made once: databases to train on, weights, a finished training."""

import functools
import os
import subprocess
import threading
from pathlib import Path

import cv2
import numpy as np

from tools.fault_checks.case import Skipped

SCALE = 3
# a net's arrays filled with small numbers; independent of how the checkout calls its modules
FILL = """
import sys, numpy, caffe
rng = numpy.random.default_rng(int(sys.argv[3]))
net = caffe.Net(sys.argv[1], caffe.TEST)
for blobs in net.params.values():
    for blob in blobs:
        blob.data[...] = rng.normal(0, 0.03, blob.data.shape)
(net.save_hdf5 if sys.argv[2].endswith(".h5") else net.save)(sys.argv[2])
"""


def _once(method):
    """A method whose value is kept, also when trials ask for it at the same time."""

    @functools.wraps(method)
    def kept(self, *arguments):
        with self.lock:
            key = (method.__name__, *arguments)
            if key not in self.made:
                self.made[key] = method(self, *arguments)
            return self.made[key]

    return kept


class Material:
    """Made at the first need, in a folder of its own, by the checkout's own tools.

    Parameters
    ----------
    checkout, folder : Path
    """

    def __init__(self, checkout, folder):
        self.checkout, self.folder = checkout, folder
        self.lock, self.made = threading.RLock(), {}

    def _run(self, *command, **env):
        self.folder.mkdir(parents=True, exist_ok=True)
        env = {**os.environ, "GLOG_minloglevel": "2", "OMP_NUM_THREADS": "1", **env}
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env=env, timeout=300)
        if done.returncode:
            raise Skipped(f"what this needs cannot be made: {' '.join(done.stderr.split())[-200:]}")

    @_once
    def data(self):
        """A data folder (Path) with three pictures in 291, two in Set5 and one in Large."""
        for name, count, side in (("291", 3, 100), ("Set5", 2, 69), ("Large", 1, 192)):
            (self.folder / "data" / name).mkdir(parents=True, exist_ok=True)
            for i in range(count):
                assert cv2.imwrite(str(self.folder / "data" / name / f"{i}.png"), photograph(i, side, side + 6))
        return self.folder / "data"

    @_once
    def databases(self):
        """HDF5 folder (Path) of `data`, all stages, x3."""
        for stage in ("train", "finetune", "val"):
            self._run(self.checkout / "tools/prepare_data.py", "--scale", SCALE, "--stage", stage, "--data-dir",
                      self.data(), "--out", self.folder / "hdf5", "--workers", 1)
        return self.folder / "hdf5"

    @_once
    def weights(self, net="idn_x3_deploy", suffix=".caffemodel"):
        """A file (Path) of weights that nobody trained, for a net of prototxt/generated."""
        path = self.folder / f"{net}{suffix}"
        prototxt = self.checkout / "prototxt/generated" / f"{net}.prototxt"
        self._run(self.checkout / ".venv/bin/python", "-c", FILL, prototxt, path, 1)
        return path

    @_once
    def vdsr_mat(self):
        """A .mat (Path) of VDSR in the authors' layout, with random numbers."""
        import scipy.io  # here: it takes long to import, for this file alone

        rng = np.random.default_rng(1)
        depths = [(1, 64), *[(64, 64)] * 18, (64, 1)]
        cells = {"weight": np.empty((1, 20), object), "bias": np.empty((1, 20), object)}
        for k, (into, out) in enumerate(depths):
            filters = rng.normal(0, 0.05, (3, 3, into, out)).astype(np.float32)
            cells["weight"][0, k] = filters[..., 0] if out == 1 else filters
            cells["bias"][0, k] = np.zeros((out, 1), np.float32)
        self.folder.mkdir(parents=True, exist_ok=True)
        scipy.io.savemat(self.folder / "vdsr.mat", {"model": cells})
        return self.folder / "vdsr.mat"

    def training(self, out, *more):
        """Arguments (list) of tools/train.py for a short run into `out` (Path)."""
        return ["--scale", SCALE, "--data-dir", self.data(), "--hdf5-dir", self.databases(), "--out", Path(out),
                "--batch", 4, *more]


def photograph(seed, height, width):
    """A smooth picture with edges: (height, width, 3) uint8."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((height // 12, width // 12, 3)).astype(np.float32)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(255 * (0.7 * smooth + 0.3 * (smooth > 0.5)), 0, 255).astype(np.uint8)
