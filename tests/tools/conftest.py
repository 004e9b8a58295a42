"""Fixtures for the tests of the tools."""

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_prep import weights as data_prep_weights
from tools import upscale
from tools.methods.registry import METHODS
from tools.nets import runtime


@pytest.fixture(scope="session")
def same_bits_everywhere():
    """Whether the engine here computes a pixel alike at any place of a blob.

    With AVX-512 OpenBLAS does (CAFFE_CPU_ENGINE=blas); its kernels for older processors, which OPENBLAS_CORETYPE forces
    as well, sum the last columns of a matrix in another order. The fast engine's 3x3 convolutions compute tiles of 4x4
    pixels, which lie elsewhere in another window.
    """
    info = Path("/proc/cpuinfo")
    plain = os.environ.get("CAFFE_CPU_ENGINE") == "blas" and "OPENBLAS_CORETYPE" not in os.environ
    return plain and info.is_file() and "avx512f" in info.read_text().split()


@pytest.fixture
def no_models(tmp_path, monkeypatch):
    """Nothing was trained here: an empty folder in the place of results/models."""
    monkeypatch.setattr(data_prep_weights, "OURS", tmp_path / "no models")


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of 8 MB (Path); the test is skipped where none can be mounted."""
    folder = tmp_path / "small disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8000k", "tmpfs", folder]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.fixture(scope="session")
def measured():
    """Means of a set without this project's code: {(dataset, scale, method): (PSNR, SSIM, IFC)}; golden/README.md."""
    content = json.loads((Path(__file__).parent / "golden" / "measured.json").read_text(encoding="utf-8"))
    return {(r["dataset"], r["scale"], r["method"]): (r["psnr"], r["ssim"], r["ifc"]) for r in content["rows"]}


class Upscaling:
    """tools/upscale.py with weights as Caffe's filler makes them, and pictures for it.

    Parameters
    ----------
    weights : Path
        Folder of weights of IDN for x2 and x3.
    """

    def __init__(self, weights):
        self.weights, self.random = weights, np.random.default_rng(5)

    def picture(self, height, width, channels=3, kind=np.uint8):
        """Something smooth with edges and a little noise, (H, W, C)."""
        y, x = (axis / 9 for axis in np.ogrid[:height, :width])
        planes = [np.sin(y + k) * np.cos(x * (k + 1)) + (x > 3 + k) for k in range(channels)]
        img = np.dstack(planes) / 4 + 0.4 + 0.02 * self.random.random((height, width, channels))
        return (img.clip(0, 1) * np.iinfo(kind).max).astype(kind)

    @staticmethod
    def save(path, img):
        """Write an image (B, G, R order) and the folder for it; gives the path."""
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), img)
        return path

    def run(self, *argv):
        """Run the tool with these weights; gives the exit status."""
        return upscale.main([*map(str, argv), "--weights-dir", str(self.weights)])

    @staticmethod
    def in_process(*argv, before=""):
        """The tool as a process of its own: (status, stdout without the peak, stderr, peak in MB)."""
        code = (
            f"import sys, os; {before}\nfrom tools.common import cli, memory; from tools import upscale\n"
            "try: cli.run(upscale.main)\nfinally: print('PEAK', memory.peak_mb())"
        )
        done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True)
        out, peak = done.stdout.rsplit(b"PEAK ", 1)
        return done.returncode, out.decode(), done.stderr.decode(), int(peak)


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """Folder of IDN's weights for x2 and x3 as Caffe's filler makes them."""
    runtime.use_device()
    folder = tmp_path_factory.mktemp("weights")
    (folder / "idn").mkdir()
    for scale in (2, 3):
        METHODS["IDN"].load(scale).save(str(folder / "idn" / f"IDN_x{scale}.caffemodel"))
    return folder


@pytest.fixture
def upscaling(weights):
    """tools/upscale.py, and pictures for it: the same ones in every test."""
    return Upscaling(weights)


# several ranks -----------------------------------------------------------------------------------------------------

HOW = ".venv/bin/pip install -e '.[mpi-here]' brings one"
# Open MPI's: run as root, and with more ranks than cores, in a container of a continuous integration
VARIABLES = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe", "OMPI_MCA_rmaps_base_oversubscribe": "1",
}  # fmt: skip


@functools.lru_cache
def _launcher():
    """The mpirun (str) that starts two processes which know of each other; else why there is none, as a list."""
    beside = Path(sys.executable).with_name("mpirun")
    program = str(beside) if beside.exists() else shutil.which("mpirun")
    if program is None:
        return ["mpirun is not installed"]
    code = "from mpi4py import MPI; assert MPI.COMM_WORLD.size == 2"
    command, variables = [program, "-n", "2", sys.executable, "-c", code], {**os.environ, **VARIABLES}
    done = subprocess.run(command, capture_output=True, text=True, env=variables)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        return [f"{program} does not start two ranks of mpi4py ({lines[-1] if lines else done.returncode})"]
    return program


@pytest.fixture
def mpirun(monkeypatch):
    """Function (count) that gives the beginning of a command line; skips where no MPI works."""
    found = _launcher()
    if isinstance(found, list):
        pytest.skip(f"{found[0]}; {HOW}")
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    return lambda count: [found, "-n", str(count)]
