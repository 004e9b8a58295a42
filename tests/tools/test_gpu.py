"""What the GPU tools say where there is no GPU, no CUDA build, an old driver, wheels that do not belong together."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import skimage

from tools import gpu_check
from tools.common import cli, parent
from tools.common.errors import UserError
from tools.gpu import driver
from tools.gpu.device import CPU, Device
from tools.gpu_checks import report
from tools.nets import engines, runtime
from tools.training import stepping
from tools.training.pace import Counted
from tools.training.settings import Settings, intervals_of
from tools.training.stage import Stage

CPU_BUILD = {"variant": "cpu"}
# as caffe_build.info() has it for `make setup GPU=0`
CUDA_BUILD = {"variant": "cuda", "cuda": "13.0.88", "cuda_archs": "75-real 80-real 90-real 120-real 120-virtual",
              "cuda_libraries": "/opt/cuda"}  # fmt: skip
H100 = driver.Gpu("NVIDIA H100 80GB HBM3", 81079, (9, 0))

BOTH = Device((0, 1))


def found(*gpus, cuda=(13, 0)):
    return driver.Driver(cuda, list(gpus or (H100,)))


def has_gpu():
    try:
        return bool(driver.driver().gpus)
    except driver.GpuError:
        return False


def test_a_usable_gpu():
    assert driver.check_gpu(0, CUDA_BUILD, found()) == H100
    # a later minor version of CUDA needs no later driver
    assert driver.check_gpu(0, {**CUDA_BUILD, "cuda": "13.2.1"}, found()) == H100
    assert driver.check_gpu(1, CUDA_BUILD, found(driver.Gpu("old", 1, (5, 0)), H100)) == H100


def test_a_cpu_build_is_not_asked():
    with pytest.raises(driver.GpuError, match=r"gpu 0: this Caffe was built for the CPU only; run `make setup GPU=0`"):
        driver.check_gpu(0, CPU_BUILD, found())


def test_an_old_driver():
    text = r"gpu 0: the NVIDIA driver is too old, it supports CUDA 12\.4 .* with CUDA 13\.0: update .* CUDA 12 toolkit"
    with pytest.raises(driver.GpuError, match=text):
        driver.check_gpu(0, CUDA_BUILD, found(cuda=(12, 4)))


def test_no_such_gpu():
    with pytest.raises(driver.GpuError, match=r"gpu 3: no such GPU; there is 0 NVIDIA H100 80GB HBM3$"):
        driver.check_gpu(3, CUDA_BUILD, found())
    with pytest.raises(driver.GpuError, match=r"there are 0 NVIDIA H100 80GB HBM3, 1 b"):
        driver.check_gpu(2, CUDA_BUILD, found(H100, driver.Gpu("b", 1, (9, 0))))


@pytest.mark.parametrize(
    ("capability", "archs", "fits"),
    [
        ((9, 0), "90", True),  # machine code and PTX
        ((12, 0), "90", True),  # by PTX
        ((12, 0), "90-real", False),
        ((8, 9), "80-real", True),  # machine code of the same family
        ((8, 0), "89-real", False),
        ((7, 0), "75-real 80-virtual", False),
        ((9, 0), "90a-real", True),
    ],
)
def test_architectures(capability, archs, fits):
    gpu = driver.Gpu("a GPU", 1, capability)
    build = {**CUDA_BUILD, "cuda_archs": archs}
    if fits:
        assert driver.check_gpu(0, build, found(gpu)) == gpu
        return
    with pytest.raises(driver.GpuError, match=rf"compute capability {capability[0]}\.{capability[1]}, .* CUDA_ARCHS="):
        driver.check_gpu(0, build, found(gpu))


# versions of one release, as installed on the machine of results/gpu
WHEELS = {"nvidia-cublas": "13.1.0.3", "nvidia-cuda-nvrtc": "13.0.88", "nvidia-cuda-runtime": "13.0.96",
          "nvidia-cudnn-cu13": "9.19.0.56", "nvidia-curand": "10.4.0.35", "nvidia-nccl-cu13": "2.28.9"}  # fmt: skip


def test_wheels_of_one_release():
    driver.check_wheels((13, 0), WHEELS)


@pytest.mark.parametrize(
    ("name", "version"),
    [("nvidia-cudnn-cu12", "9.5.1.17"), ("nvidia-nccl-cu12", "2.21.5"), ("nvidia-cuda-runtime", "13.2.75")],
)
def test_wheels_of_several_releases(name, version):
    with pytest.raises(driver.GpuError, match=rf"several CUDA versions: expected 13\.0, got {name} {version};"):
        driver.check_wheels((13, 0), {**WHEELS, name: version})


@pytest.mark.skipif(has_gpu(), reason="this machine has a GPU")
def test_no_driver_is_one_line():
    with pytest.raises(driver.GpuError, match=r"NVIDIA driver .*leave GPU empty to run on the CPU"):
        driver.driver()
    with pytest.raises(driver.GpuError, match=r"^gpu 0: .*NVIDIA driver"):
        driver.check_gpu(0, CUDA_BUILD)


def test_several_gpus_are_for_training():
    with pytest.raises(UserError, match="gpu 0,1: only training runs on several GPUs"):
        runtime.use_device(BOTH)


def test_graphs_are_for_the_gpu():
    from prototxt.idn import idn

    runtime.use_device()
    message = idn(3, "deploy")
    net = runtime.build_net(message)
    with pytest.raises(UserError, match="engine cudagraph: needs Caffe built for NVIDIA GPUs and --gpu"):
        engines.convert(net, message, "cudagraph")
    assert isinstance(stepping.stepper(None, CPU), stepping.Plain)


@pytest.mark.skipif(has_gpu(), reason="this machine has a GPU")
@pytest.mark.parametrize("tool", ["gpu_check.py", "benchmark.py --tables 4", "train.py --scale 3", "demo.py"])
def test_tools_without_a_gpu(root, tmp_path, tool):
    name, *arguments = tool.split()
    if name == "benchmark.py":
        (tmp_path / "Set5").mkdir()
        shutil.copyfile(Path(skimage.__file__).parent / "data" / "chelsea.png", tmp_path / "Set5" / "chelsea.png")
        arguments += ["--data-dir", str(tmp_path), "--datasets", "Set5", "--methods", "IDN", "--random-weights"]
    run = [sys.executable, str(root / "tools" / name), *arguments, "--gpu", "0"]
    done = subprocess.run(run, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2, done
    assert done.stderr.count("\n") == 1 and f"{name}: gpu 0: " in done.stderr, done.stderr


def test_one_gpu_is_checked():
    with pytest.raises(UserError, match="--gpu: got 0,1, expected one GPU"):
        gpu_check.main(["--gpu", "0,1"])


REPORT = {
    "command": "tools/gpu_check.py", "date": "today", "seconds": 7,
    "machine": {
        "device": "NVIDIA H100", "memory_mb": 81079, "compute_capability": "9.0", "driver": "580.159.04",
        "driver_cuda": "13.0", "processor": "a CPU", "cores": 16, "packages": WHEELS,
        "build": {"commit": "99bd99795dcd", "cuda": "13.0.88", "cudnn": "9.19.1", "nccl": "", "cuda_archs": "90"},
        "versions": {"python": "3.12.3", "commit": None},
    },
    "parts": {
        "forward": {"ok": True, "seconds": 1.5, "lines": ["| a |", "|---|"]},
        "gradient": {"ok": False, "seconds": 2, "error": "Check failed"},
        "torch": {"ok": True, "seconds": 0.1, "skipped": "PyTorch is not installed"},
    },
}  # fmt: skip


def test_a_part_that_fails_says_why():
    said = "host:1 [0] NCCL WARN no interface found\nF1126 parallel.cpp:132] Check failed: result == ncclSuccess\n"
    found = gpu_check._result_of(subprocess.CompletedProcess([], -6, stdout="", stderr=said))
    why = "F1126 parallel.cpp:132] Check failed: result == ncclSuccess; no interface found"
    assert found == {"ok": False, "error": why}


def test_report():
    text = report.markdown(json.loads(json.dumps(REPORT)))
    assert "# GPU check: NVIDIA H100\n" in text and "nvidia-cudnn-cu13 9.19.0.56" in text
    assert "ok (1.5 s)\n\n| a |" in text and "FAILED: Check failed (2 s)" in text
    assert "not run: PyTorch is not installed" in text


@pytest.mark.skipif(not (has_gpu() and runtime.have_graphs()), reason="needs a GPU and the CUDA build")
@pytest.mark.parametrize("part", ["forward", "gradient", "graphs", "time"])
def test_parts_on_a_gpu(root, part):
    run = parent.command("tools.gpu_checks.parts", part, 0, "weights", "data")
    environment = {**os.environ, **gpu_check.ENVIRONMENT.get(part, {})}
    done = subprocess.run(run, capture_output=True, text=True, cwd=root, env=environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["ok"]


# out of memory: what the CUDA build raises (pycaffe/cuda/memory.hpp) ------------------------------------------

FULL = "out of memory on GPU 0: 900 MB more are needed, 10 of 81079 MB are free"


def test_a_full_gpu_is_one_line(capsys):
    def full():
        raise MemoryError(FULL)

    with pytest.raises(SystemExit) as end:
        cli.run(full)
    said = capsys.readouterr().err
    assert end.value.code == 2 and said.count("\n") == 1 and FULL in said and "--tile" in said


@pytest.mark.skipif(not (has_gpu() and runtime.have_graphs()), reason="needs a GPU and the CUDA build")
def test_a_full_gpu_has_a_type():
    """Caffe itself raises it, whoever calls: no text has to be read."""
    code = (
        "import caffe; caffe.set_mode_gpu(); from tools.nets import runtime\n"
        "from prototxt.idn import idn; net = runtime.build_net(idn(3, 'deploy'))\n"
        "try:\n    net.blobs['data'].reshape(1, 1, 5000, 5000); net.forward()\n"
        "except MemoryError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=cli.ROOT)
    assert "out of memory on GPU 0" in done.stdout, done.stderr


def test_training_says_which_batch_does_not_fit(tmp_path):
    class Full:
        def step(self, count):
            raise MemoryError(FULL)

    settings = Settings(3, "finetune", 10, 10, 0.0, 1e-5, 640, 1)
    stage = Stage(settings, Counted(settings, intervals_of(10)), tmp_path, None, None, [], None)
    with pytest.raises(UserError, match=r"finetune: out of memory .*; batch 640 of finetune at x3 .* smaller --batch"):
        stage._steps(Full(), 1)
