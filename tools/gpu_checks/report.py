"""The report of tools/gpu_check.py as Markdown."""

TITLES = {
    "forward": "Forward pass, GPU against CPU",
    "gradient": "Gradients of one training iteration, GPU against CPU",
    "graphs": "CUDA graphs against launches one by one, 20 iterations, deterministic algorithms",
    "nccl": "NCCL with one rank against no NCCL, 20 iterations, deterministic algorithms",
    "training": "Training at x3, batch 64",
    "torch": "PyTorch eager on the same net, the same batch",
    "time": "Table 4 for IDN",
    "upstream": "Upstream's GPU tests of the layers used here",
}


def markdown(report):
    """The report as Markdown."""
    m = report["machine"]
    lines = [
        f"# GPU check: {m['device']}", "",
        f"Made by `{report['command']}` on {report['date']}, {report['seconds']} s.", "",
        f"- GPU: {m['device']}, {m['memory_mb']} MB, compute capability {m['compute_capability']}, driver "
        f"{m['driver']} (CUDA {m['driver_cuda']})",
        f"- Caffe: commit {m['build']['commit'][:7]}, CUDA {m['build']['cuda']}, cuDNN {m['build']['cudnn']}, NCCL "
        f"{m['build']['nccl'] or 'none'}, built for {m['build']['cuda_archs']}",
        f"- NVIDIA's packages: {', '.join(f'{k} {v}' for k, v in m['packages'].items() if k in PACKAGES)}",
        f"- Host: {m['processor']}, {m['cores']} cores; Python {m['versions']['python']}; commit "
        f"{m['versions']['commit'] or 'unknown'}",
    ]  # fmt: skip
    for name, part in report["parts"].items():
        verdict = "ok" if part["ok"] else f"FAILED{': ' + part['error'] if 'error' in part else ''}"
        if part.get("skipped"):
            verdict = f"not run: {part['skipped']}"
        lines += ["", f"## {TITLES[name]}", "", f"{verdict} ({part['seconds']} s)"]
        lines += ["", *part["lines"]] if part.get("lines") else []
    return "\n".join(lines) + "\n"


PACKAGES = ("nvidia-cublas", "nvidia-cuda-runtime", "nvidia-cudnn-cu13", "nvidia-curand", "nvidia-nccl-cu13")
