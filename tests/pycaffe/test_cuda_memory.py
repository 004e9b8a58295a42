"""The CUDA build's word for a full GPU; no GPU is needed, since the runtime's calls are replaced."""

import os
import subprocess
import sys

import caffe_build
import pytest

# cudaErrorMemoryAllocation is 2
FULL = """
#include <stddef.h>
int cudaMalloc(void **pointer, size_t size) { return 2; }
int cudaMemGetInfo(size_t *available, size_t *total) { *available = 10u << 20; *total = 80u << 20; return 0; }
int cudaGetDevice(int *device) { *device = 0; return 0; }
int cudaGetLastError(void) { return 0; }
"""
NET = """
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 1 dim: 1 dim: 64 dim: 64 } } }
layer { name: "square" type: "Power" bottom: "data" top: "square" power_param { power: 2 scale: 3 } }
"""
CODE = """
import sys, caffe
net = caffe.Net(sys.argv[1], caffe.TEST)
caffe.set_mode_gpu()
try:
    net.forward()
except MemoryError as error:
    print(error)
"""


@pytest.mark.skipif(caffe_build.info()["variant"] != "cuda", reason="needs the CUDA build")
def test_a_full_gpu_is_a_memory_error(tmp_path):
    (tmp_path / "full.c").write_text(FULL)
    (tmp_path / "net.prototxt").write_text(NET)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "full.so", tmp_path / "full.c"], check=True)
    environment = {**os.environ, "LD_PRELOAD": str(tmp_path / "full.so")}
    command = [sys.executable, "-c", CODE, tmp_path / "net.prototxt"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.stdout == "out of memory on GPU 0: 1 MB more are needed, 10 of 80 MB are free\n", done.stderr
