"""Fixtures for the tests of the tools."""

import json
import os
import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def same_bits_everywhere():
    """Whether the engines here compute a pixel alike at any place of a blob.

    With AVX-512 OpenBLAS and oneDNN do; their kernels for older processors, which these variables force as well, sum
    the last columns of a matrix in another order.
    """
    info = Path("/proc/cpuinfo")
    forced = any(name in os.environ for name in ("OPENBLAS_CORETYPE", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"))
    return info.is_file() and "avx512f" in info.read_text().split() and not forced


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
