#!/usr/bin/env python3
"""Check this machine's GPU against the CPU, and measure it; takes a few minutes.

    tools/gpu_check.py --gpu 0                                # report in results/gpu/<device>/report.json and .md
    tools/gpu_check.py --gpu 0 --weights-dir weights --data-dir data --out runs/gpu_check
    tools/gpu_check.py --gpu 0 --skip upstream torch

Forward pass, gradients and training must give on the GPU what they give on the CPU, within rounding. Every part runs in
a process of its own, since Caffe ends the process when CUDA fails; a part that fails is a line in the report, and the
exit status is 1. Without a usable GPU: one line, exit status 2.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from data_prep.files import write_text
from tools.common import build, cli, parent, provenance
from tools.common.errors import UserError
from tools.common.paths import ROOT
from tools.gpu import driver as gpu_driver
from tools.gpu import smi
from tools.gpu.device import Device
from tools.gpu_checks.report import TITLES, markdown
from tools.nets import runtime

# what a part needs in the environment of its process
ENVIRONMENT = {
    "graphs": {"CAFFE_CUDNN_DETERMINISTIC": "1"},
    "nccl": {"CAFFE_CUDNN_DETERMINISTIC": "1", "NCCL_DEBUG": "WARN", "NCCL_DEBUG_FILE": "/dev/stderr"},
    "training": {"CAFFE_CUDNN_BENCHMARK": "1"},
}


def machine(number):
    """What was checked on what: versions, device, driver, packages (dict); raises GpuError without a usable GPU."""
    runtime.check_gpu(number)
    facts = build.info()
    if facts is None:
        raise UserError("CAFFE_PYTHONPATH points to another Caffe; unset it to check this project's build")
    driver = gpu_driver.driver()
    gpu = driver.gpus[number]
    return {
        "device": gpu.name,
        "memory_mb": gpu.memory_mb,
        "compute_capability": ".".join(map(str, gpu.capability)),
        "driver": smi.driver(number),
        "driver_cuda": ".".join(map(str, driver.cuda)),
        "processor": provenance.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "build": facts,
        "packages": gpu_driver.nvidia_packages(),
        "versions": provenance.versions(),
    }


def run_part(name, args):
    """Run one part in its own process; gives its result (dict with "ok", "seconds" and its figures)."""
    began = time.monotonic()
    if name == "upstream":
        command = [sys.executable, str(ROOT / "pycaffe" / "run_upstream_tests.py"), "--gpu", str(args.gpu)]
        command += ["--seconds", str(args.tests_seconds)]
        command += ["--program", str(args.tests_program)] if args.tests_program else []
    else:
        folders = args.weights_dir.resolve(), args.data_dir.resolve()
        command = parent.command("tools.gpu_checks.parts", name, args.gpu, *folders)
    environment = parent.environment(**ENVIRONMENT.get(name, {}))
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    return {**_result_of(done), "seconds": round(time.monotonic() - began, 1)}


def _result_of(done):
    """The JSON that a part printed last, or why there is none."""
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode in (0, 1) and lines:
        return json.loads(lines[-1])
    said = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith(("***", "WARNING"))]
    # Caffe's last line holds a number of NCCL's; NCCL itself has said why
    why = [line.partition("NCCL WARN")[2].strip() for line in said if "NCCL WARN" in line]
    return {"ok": False, "error": "; ".join([said[-1], *why]) if said else f"ended with status {done.returncode}"}


def parser():
    """Command line of this tool (argparse.ArgumentParser)."""
    p = cli.Parser(__doc__)
    p.add_argument("--gpu", metavar="N", default=os.environ.get("GPU") or "0", help="number of the GPU (default: 0)")
    cli.add_folder(p, "DATA", "Table 4 takes its Set5, or scikit-image's photographs when it is not there")
    cli.add_folder(p, "WEIGHTS", "IDN's weights; without them those trained here, or random ones")
    p.add_argument("--skip", nargs="+", choices=tuple(TITLES), default=[], metavar="PART",
                   help=f"parts to leave out: {', '.join(TITLES)}")  # fmt: skip
    p.add_argument("--tests-program", type=Path, metavar="FILE",
                   help="upstream's tests, built before (default: build them)")  # fmt: skip
    p.add_argument("--tests-seconds", type=int, metavar="S", default=240,
                   help="stop upstream's tests after this many seconds (default: 240)")  # fmt: skip
    p.add_argument("--out", type=Path, metavar="DIR", help="folder for the report (default: results/gpu/<device>)")
    return p


def one_gpu(asked):
    """The number (int) of a --gpu option that takes one; raises GpuError, UserError."""
    device = Device.parse(asked)
    if len(device.gpus) != 1:
        raise UserError(f"--gpu: got {asked}, expected one GPU")
    return device.number


def main(argv=None):
    """Check the GPU and write the report; gives the exit status."""
    args = parser().parse_args(argv)
    args.gpu = one_gpu(args.gpu)
    facts = machine(args.gpu)
    folder = args.out or ROOT / "results" / "gpu" / re.sub(r"[^a-z0-9]+", "-", facts["device"].lower()).strip("-")
    began = time.monotonic()
    parts = {}
    for name in TITLES:
        if name in args.skip:
            continue
        print(f"{TITLES[name]} ...", flush=True)
        parts[name] = run_part(name, args)
        print("\n".join(parts[name].get("lines", [parts[name].get("error") or parts[name].get("skipped") or ""])),
              flush=True)  # fmt: skip
        report = {
            "command": provenance.command("tools/gpu_check.py", sys.argv[1:] if argv is None else argv),
            "date": provenance.now(),
            "seconds": round(time.monotonic() - began),
            "machine": facts,
            "parts": parts,
        }
        # after every part: a machine whose time is over leaves what it has found
        write_text(folder / "report.json", json.dumps(report, indent=1) + "\n")
        write_text(folder / "report.md", markdown(report))
    failed = [TITLES[name] for name, part in parts.items() if not part["ok"]]
    print(f"report: {folder / 'report.md'}; {'failed: ' + '; '.join(failed) if failed else 'all parts passed'}")
    return 1 if failed else 0


if __name__ == "__main__":
    cli.run(main)
