"""What this process holds, and memory on a GPU: nvidia-smi is a program that answers as real ones do."""

import ctypes
import os
import sys

import cv2
import numpy as np
import pytest

from data_prep import memory as data_prep_memory
from tools.benchmarking import material, measure, plan
from tools.benchmarking.jobs import Job, Options
from tools.common import memory, provenance
from tools.gpu import smi as gpu_smi
from tools.gpu.device import Device
from tools.methods.registry import METHODS


@pytest.fixture
def smi(tmp_path, monkeypatch):
    """Give nvidia-smi the answers of a dict: query (name up to `,`) to text; a list is answered one by one."""

    def install(**answers):
        folder = tmp_path / "answers"
        folder.mkdir(exist_ok=True)
        for name, texts in answers.items():
            for k, text in enumerate([texts] if isinstance(texts, str) else texts):
                (folder / f"{name}.{k}").write_text(text)
        program = tmp_path / "nvidia-smi"
        program.write_text(
            f"#!{sys.executable}\n"
            "import pathlib, sys\n"
            f"folder = pathlib.Path({str(folder)!r})\n"
            "(folder / 'asked').open('a').write(' '.join(sys.argv[1:]) + '\\n')\n"
            "name = next(a for a in sys.argv if a.startswith('--query')).split('=')[1].split(',')[0]\n"
            "left = sorted(folder.glob(name + '.*'))\n"
            "if not left: sys.exit('No devices were found')\n"
            "print(left[0].read_text())\n"
            "if len(left) > 1: left[0].unlink()\n"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        return lambda: (folder / "asked").read_text().splitlines()

    return install


def test_a_process_that_the_driver_lists(smi):
    asked = smi(pid=f"1234, 7000\n{os.getpid()}, 2345\n", **{"memory.used": "9999"})
    gpu = memory.GpuMemory("1")
    assert gpu.held_mb is None
    gpu.read()
    assert gpu.held_mb == 2345
    assert asked()[1] == "--id=1 --query-compute-apps=pid,used_memory --format=csv,noheader,nounits"


@pytest.mark.parametrize("listed", ["", "1234, 7000\n", "{own}, [N/A]\n", "[Insufficient Permissions]"])
def test_a_process_that_the_driver_does_not_list(smi, listed):
    """In a container the driver has other numbers for the processes, or none: the memory in use tells."""
    smi(pid=listed.format(own=os.getpid()), **{"memory.used": ["600", "3456"]})
    gpu = memory.GpuMemory(0)
    gpu.read()
    assert gpu.held_mb == 2856


@pytest.mark.parametrize("used", [{}, {"memory.used": "[N/A]"}])
def test_nothing_can_be_told(smi, used):
    smi(pid="", **used)
    gpu = memory.GpuMemory(0)
    gpu.read()
    assert gpu.held_mb is None


def test_without_nvidia_smi(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpu_smi.used_mb(0) is None and gpu_smi.name(0) is None
    assert provenance.device_name(Device((3,))) == "GPU 3"


def test_a_row_is_read_at_its_end(smi, tmp_path):
    """The nets here run on the CPU: what is checked is when the GPU is asked, after the last image."""
    smi(pid=[f"{os.getpid()}, {mb}" for mb in (700, 800)], **{"memory.used": "0"})
    rng = np.random.default_rng(0)
    for name in ("one.png", "two.png"):
        cv2.imwrite(str(tmp_path / name), rng.integers(0, 255, (48, 48), np.uint8))
    gpu = memory.GpuMemory(0)
    options = Options(metrics=("psnr",), repeats=1, gpu=gpu)
    held = material.Material()
    job = Job("Mine", 3, METHODS["ESPCN"], sorted(tmp_path.glob("*.png")))
    (job,) = plan.inspected([job], held)
    results = measure.infer(job, options, held)
    assert [one.seconds_median > 0 for one in results] == [True, True] and gpu.held_mb == 700
    measure.infer(job, options, held)
    assert gpu.held_mb == 800


def test_names_and_numbers(smi, monkeypatch):
    asked = smi(name="NVIDIA H100 80GB HBM3", driver_version="550.90.07")
    assert (provenance.device_name(Device((0, 1))), gpu_smi.driver(0)) == ("NVIDIA H100 80GB HBM3", "550.90.07")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, GPU-5a")
    for number in (0, "1", 2, "x"):
        gpu_smi.name(number)
    assert [line.split()[0] for line in asked()][2:] == ["--id=3", "--id=GPU-5a", "--id=2", "--id=x"]


def test_resident_memory_and_its_peak():
    before = memory.resident_mb()
    held = np.ones(100 * memory.MIB, np.uint8)
    assert 95 <= memory.resident_mb() - before <= 110
    assert memory.peak_mb() >= before + 95
    del held
    assert memory.reset_peak() and memory.peak_mb() < before + 50


def test_peak_of_a_call():
    rise = memory.peak(lambda: np.ones(100 * memory.MIB, np.uint8).sum())
    assert 95 <= rise / memory.MIB <= 115


def test_a_system_without_proc(monkeypatch, tmp_path):
    monkeypatch.setattr(data_prep_memory, "STATUS", tmp_path / "status")
    monkeypatch.setattr(memory, "CLEAR", tmp_path / "missing" / "clear_refs")
    assert (memory.status(), memory.resident_mb(), memory.peak_mb(), memory.peak(list)) == ({}, None, None, None)


def test_freed_memory_is_given_back():
    """Small blocks below one that stays: glibc keeps what they took, here 60 MB, until it is asked."""
    if memory.resident_mb() is None or not hasattr(ctypes.CDLL(None), "malloc_trim"):
        pytest.skip("not Linux with glibc")
    blocks = [np.ones(60 << 10, np.uint8) for _ in range(1024)]
    del blocks[:-1]
    before = memory.resident_mb()
    memory.trim()
    assert memory.resident_mb() < before - 40
    assert blocks[0].all()
