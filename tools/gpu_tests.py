"""Upstream's C++ tests that run on a GPU, for the layers, solver and memory that this project's nets use."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# tests of typed cases 2 and 3 are those for GPUDevice<float> and GPUDevice<double>
BOTH_DEVICES = (
    "AdamSolverTest", "BatchNormLayerTest", "ConcatLayerTest", "ConvolutionLayerTest", "DeconvolutionLayerTest",
    "EltwiseLayerTest", "EuclideanLossLayerTest", "HDF5DataLayerTest", "NetTest", "NeuronLayerTest",
    "ReductionLayerTest", "ReshapeLayerTest", "ScaleLayerTest", "SliceLayerTest", "SplitLayerTest",
)  # fmt: skip
GPU_ONLY = ("CuDNNConvolutionLayerTest", "CuDNNDeconvolutionLayerTest", "CuDNNNeuronLayerTest", "GPUMathFunctionsTest")
FILTER = ":".join([
    *(f"{name}/{case}.*" for name in BOTH_DEVICES for case in (2, 3)),
    *(f"{name}/*" for name in GPU_ONLY),
    "SyncedMemoryTest.*GPU*",
])  # fmt: skip


def built():
    """Upstream's test program (Path), built into the cache when it is not there; raises OSError when it cannot be."""
    sys.path.append(str(ROOT / "pycaffe"))
    import run_upstream_tests

    try:
        return run_upstream_tests.obtain()[0]
    except run_upstream_tests.RunError as error:
        raise OSError(str(error)) from None


def run(program, seconds):
    """Run the tests, for so many seconds at most.

    Parameters
    ----------
    program : Path or None
        None: built when it is not in the cache. Beside it lies `upstream`, the source with the tests' data.
    seconds : int

    Returns
    -------
    dict
        "ok", "passed", "failed" (names), "stopped" (whether the time was up), "lines" for the report.
    """
    try:
        program = Path(program or built()).resolve()
        done = _output(program, seconds)
    except OSError as error:
        return {"ok": False, "error": str(error)}
    text, stopped, status = done
    passed = len(re.findall(r"^\[       OK \] ", text, re.MULTILINE))
    failed = sorted(set(re.findall(r"^\[  FAILED  \] ([\w/.]+)", text, re.MULTILINE)))
    lines = [f"{passed} passed, {len(failed)} failed{' before the time was up' if stopped else ''}."]
    lines += [f"- FAILED {name}" for name in failed]
    crashed = not stopped and status and not failed
    result = {"ok": bool(passed) and not failed and not crashed, "passed": passed, "failed": failed, "stopped": stopped}
    if crashed:
        last = [line for line in text.splitlines() if line.startswith(("F", "[ RUN"))] or ["no message"]
        result["error"] = f"ended with status {status}: {last[-1]}"
    return {**result, "lines": lines}


def _output(program, seconds):
    """What the program printed, whether it was stopped, its exit status."""
    environment = {**os.environ, "GLOG_minloglevel": "2", "OPENBLAS_NUM_THREADS": "1"}
    command = [str(program), f"--gtest_filter={FILTER}"]
    with subprocess.Popen(
        command, cwd=program.parent / "upstream", env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace",
    ) as process:  # fmt: skip
        try:
            return process.communicate(timeout=seconds)[0], False, process.returncode
        except subprocess.TimeoutExpired:
            process.kill()
            return process.communicate()[0], True, process.returncode
