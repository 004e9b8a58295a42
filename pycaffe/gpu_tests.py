"""Upstream's C++ tests that run on a GPU, for the layers, solver and memory that this project's nets use."""

import os
import re
import subprocess

# tests of typed cases 2 and 3 are those for GPUDevice<float> and GPUDevice<double>
BOTH_DEVICES = (
    "AdamSolverTest", "BatchNormLayerTest", "ConcatLayerTest", "ConvolutionLayerTest", "DeconvolutionLayerTest",
    "EltwiseLayerTest", "EuclideanLossLayerTest", "HDF5DataLayerTest", "L1LossLayerTest", "NetTest", "NeuronLayerTest",
    "ReductionLayerTest", "ReshapeLayerTest", "ScaleLayerTest", "SliceLayerTest", "SplitLayerTest",
)  # fmt: skip
GPU_ONLY = ("CuDNNConvolutionLayerTest", "CuDNNDeconvolutionLayerTest", "CuDNNNeuronLayerTest", "GPUMathFunctionsTest")
FILTER = ":".join([
    *(f"{name}/{case}.*" for name in BOTH_DEVICES for case in (2, 3)),
    *(f"{name}/*" for name in GPU_ONLY),
    "SyncedMemoryTest.*GPU*",
])  # fmt: skip


def run(program, gpu, seconds):
    """Run the tests, for so many seconds at most.

    Parameters
    ----------
    program : Path
        Upstream's tests, compiled. Beside it lies `upstream`, the source with the tests' data.
    gpu : int
        Number of the GPU.
    seconds : int

    Returns
    -------
    dict
        "ok", "passed", "failed" (names), "stopped" (whether the time was up), "lines" for the report.
    """
    try:
        text, stopped, status = _output(program.resolve(), gpu, seconds)
    except OSError as error:
        return {"ok": False, "error": str(error)}
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


def _visible(gpu):
    """CUDA_VISIBLE_DEVICES for this GPU alone: gtest's program takes the first it sees."""
    seen = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return seen[gpu] if gpu < len(seen) else str(gpu)


def _output(program, gpu, seconds):
    """What the program printed, whether it was stopped, its exit status."""
    environment = {**os.environ, "GLOG_minloglevel": "2", "OPENBLAS_NUM_THREADS": "1"}
    environment["CUDA_VISIBLE_DEVICES"] = _visible(gpu)
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
