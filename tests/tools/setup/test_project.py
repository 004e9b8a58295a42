"""What the project is installed from."""

import json
import re

from tools.setup import project


def test_nvidias_packages_are_one_release(root):
    names = project.names_in("cuda13-build.txt") | project.names_in("cuda13.txt")
    assert {"nvidia-cuda-nvcc", "nvidia-cudnn-cu13", "nvidia-cublas", "nvidia-nccl-cu13"} <= names
    texts = "".join((root / "pycaffe" / name).read_text() for name in ("cuda13.txt", "cuda13-build.txt"))
    for package in ("cuda-runtime", "cuda-nvrtc", "cuda-nvcc", "nvvm", "cuda-crt", "cuda-cccl"):
        assert f"nvidia-{package}==13.0.*\n" in texts


def test_build_requirements_are_those_of_pyproject(root):
    text = (root / "pyproject.toml").read_text()
    requires = json.loads(re.search(r"^requires = (\[.*\])$", text, re.MULTILINE)[1])
    assert set(requires) <= set(project.BUILD_REQUIREMENTS)
