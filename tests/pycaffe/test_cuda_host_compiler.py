"""pycaffe/cmake/CudaHostCompiler.cmake: a C++ compiler that this nvcc takes, or one line that says what to install.

nvcc is a script here that refuses compilers as CUDA 12.4's does; a real one was seen to do so on Debian 13.
"""

import os
import shutil
import subprocess

import pytest

from tools.common.paths import ROOT

pytestmark = pytest.mark.skipif(not shutil.which("cmake"), reason="no cmake on this machine")

# what nvcc 12.4.131 of Debian 13 writes for g++ 14.2
REFUSAL = (
    "In file included from /usr/include/cuda_runtime.h:82,\n"
    "                 from <command-line>:\n"
    "/usr/include/crt/host_config.h:143:2: error: #error -- unsupported GNU version! gcc versions later than 13 are "
    "not supported! The nvcc flag '-allow-unsupported-compiler' can be used to override this version check\n"
)


def program(path, script):
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def nvcc(tmp_path):
    """An nvcc that takes compilers whose name ends in -13 or lower."""
    (tmp_path / "refusal").write_text(REFUSAL)
    return program(
        tmp_path / "nvcc",
        f'case "$2" in *-11|*-12|*-13) exit 0;; *broken) echo "nvcc fatal: no such compiler" >&2; exit 1;; esac\n'
        f'cat "{tmp_path / "refusal"}" >&2; exit 1',
    )


def choose(tmp_path, nvcc, cxx, *compilers, **settings):
    """What CMake prints with these compilers on PATH: the process."""
    path = tmp_path / "bin"
    path.mkdir(exist_ok=True)
    for name in compilers:
        program(path / name, "exit 0")
    script = tmp_path / "choose.cmake"
    script.write_text(
        f'include("{ROOT}/pycaffe/cmake/CudaHostCompiler.cmake")\n'
        f'caffe_cuda_host_compiler("{nvcc}" chosen)\nmessage(STATUS "chosen ${{chosen}}")\n'
    )
    given = [f"-D{name}={value}" for name, value in {"CMAKE_CXX_COMPILER": cxx, **settings}.items()]
    # no g++-13 of this machine's own may step in
    given += ["-DCMAKE_FIND_USE_CMAKE_SYSTEM_PATH=OFF", "-DCMAKE_FIND_USE_SYSTEM_ENVIRONMENT_PATH=OFF"]
    given += [f"-DCMAKE_PROGRAM_PATH={path}"]
    run = ["cmake", *given, "-P", script]
    return subprocess.run(run, capture_output=True, text=True, cwd=tmp_path, env=dict(os.environ))


def test_the_compiler_for_everything_else(tmp_path, nvcc):
    assert "chosen /usr/bin/g++-12\n" in choose(tmp_path, nvcc, "/usr/bin/g++-12", "g++-13").stdout


def test_the_latest_that_nvcc_takes(tmp_path, nvcc):
    done = choose(tmp_path, nvcc, "/usr/bin/c++", "g++-11", "g++-13", "g++-14")
    assert f"chosen {tmp_path}/bin/g++-13\n" in done.stdout, done.stderr
    (tmp_path / "bin" / "g++-13").unlink()
    assert f"chosen {tmp_path}/bin/g++-11\n" in choose(tmp_path, nvcc, "/usr/bin/c++").stdout


def test_the_users_compiler(tmp_path, nvcc):
    done = choose(tmp_path, nvcc, "/usr/bin/c++", CMAKE_CUDA_HOST_COMPILER="/opt/g++-12")
    assert "chosen /opt/g++-12\n" in done.stdout


def test_none_that_nvcc_takes(tmp_path, nvcc):
    done = choose(tmp_path, nvcc, "/usr/bin/c++", "g++-14")
    said = " ".join(done.stderr.split())
    assert done.returncode and "takes no GCC later than 13, and /usr/bin/c++ is one; apt-get install g++-13" in said


def test_another_refusal_is_handed_on(tmp_path, nvcc):
    said = " ".join(choose(tmp_path, nvcc, "/opt/broken").stderr.split())
    assert "does not work with /opt/broken: nvcc fatal: no such compiler; name another compiler in CUDAHOSTCXX" in said
