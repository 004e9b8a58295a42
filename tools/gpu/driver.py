"""What the NVIDIA driver says of this machine's GPUs, and whether a Caffe built for CUDA can run on one.

Asked of the driver itself (libcuda), because Caffe ends the whole process when something is missing. Standard library
only: the set-up asks it before there is an environment.
"""

import ctypes
from dataclasses import dataclass

# CUDA's own numbers of cuDeviceGetAttribute
_MAJOR, _MINOR = 75, 76
# what CUDA_ERROR_NO_DEVICE is
_NO_DEVICE = 100
# releases of these are numbered as the CUDA toolkit is; the others have numbers of their own
_NUMBERED_AS_CUDA = ("nvidia-cuda-runtime", "nvidia-cuda-nvrtc")


class GpuError(Exception):
    """The GPU that was asked for cannot be used; the text is one line for the user."""


@dataclass(frozen=True)
class Gpu:
    """One GPU as this process sees it (CUDA_VISIBLE_DEVICES applies).

    Attributes
    ----------
    name : str
    memory_mb : int
        All of its memory, MB of 2^20 bytes.
    capability : tuple of int
        Compute capability, (9, 0) for sm_90.
    """

    name: str
    memory_mb: int
    capability: tuple


@dataclass(frozen=True)
class Driver:
    """The NVIDIA driver: the CUDA version (major, minor) it supports, and its GPUs (list of Gpu)."""

    cuda: tuple
    gpus: list


def driver():
    """Ask the NVIDIA driver.

    Returns
    -------
    Driver

    Raises
    ------
    GpuError
        There is no driver, it does not start, or it has no GPU.
    """
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        raise GpuError("this machine has no NVIDIA driver (libcuda.so.1 is not found): install it, or leave GPU empty "
                       "to run on the CPU") from None  # fmt: skip
    status = cuda.cuInit(0)
    if status not in (0, _NO_DEVICE):
        raise GpuError(
            f"the NVIDIA driver does not start ({_error_name(cuda, status)}): see whether nvidia-smi works, or leave "
            "GPU empty to run on the CPU"
        )
    version = ctypes.c_int()
    cuda.cuDriverGetVersion(ctypes.byref(version))
    count = ctypes.c_int()
    if status == 0:
        cuda.cuDeviceGetCount(ctypes.byref(count))
    if not count.value:
        raise GpuError("the NVIDIA driver has no GPU for this process: see nvidia-smi and CUDA_VISIBLE_DEVICES, or "
                       "leave GPU empty to run on the CPU")  # fmt: skip
    return Driver(_split(version.value), [_gpu(cuda, number) for number in range(count.value)])


def _split(version):
    """13000 as (13, 0)."""
    return version // 1000, version % 1000 // 10


def _error_name(cuda, status):
    text = ctypes.c_char_p()
    cuda.cuGetErrorName(status, ctypes.byref(text))
    return text.value.decode() if text.value else f"error {status}"


def _gpu(cuda, number):
    handle, name = ctypes.c_int(), ctypes.create_string_buffer(256)
    memory, major, minor = ctypes.c_size_t(), ctypes.c_int(), ctypes.c_int()
    cuda.cuDeviceGet(ctypes.byref(handle), number)
    cuda.cuDeviceGetName(name, len(name), handle)
    cuda.cuDeviceTotalMem_v2(ctypes.byref(memory), handle)
    cuda.cuDeviceGetAttribute(ctypes.byref(major), _MAJOR, handle)
    cuda.cuDeviceGetAttribute(ctypes.byref(minor), _MINOR, handle)
    return Gpu(name.value.decode(errors="replace"), memory.value >> 20, (major.value, minor.value))


def check_gpu(number, build, found=None):
    """See whether a Caffe build can run on a GPU.

    Parameters
    ----------
    number : int
        Of the GPU.
    build : dict
        What caffe_build.info() says of the build.
    found : Driver, optional
        Asked for when it is not given.

    Returns
    -------
    Gpu

    Raises
    ------
    GpuError
        The build has no CUDA; there is no driver, or one too old; no such GPU; no code for it; or NVIDIA's wheels are
        of several CUDA versions.
    """
    if build.get("variant") != "cuda":
        raise GpuError(
            f"gpu {number}: this Caffe was built for the CPU only; run `make setup GPU={number}` to build it for "
            "NVIDIA GPUs, or leave GPU empty to run on the CPU"
        )
    try:
        found = found or driver()
    except GpuError as error:
        raise GpuError(f"gpu {number}: {error}") from None
    wanted = tuple(int(n) for n in build["cuda"].split(".")[:2])
    if found.cuda[0] < wanted[0]:
        raise GpuError(
            f"gpu {number}: the NVIDIA driver is too old, it supports CUDA {_dotted(found.cuda)} and this Caffe was "
            f"built with CUDA {_dotted(wanted)}: update the driver, or set CUDA_HOME to a CUDA {found.cuda[0]} toolkit "
            f"and run `make setup GPU={number}`"
        )
    if number >= len(found.gpus):
        there = ", ".join(f"{i} {gpu.name}" for i, gpu in enumerate(found.gpus))
        raise GpuError(f"gpu {number}: no such GPU; there {'is' if len(found.gpus) == 1 else 'are'} {there}")
    gpu = found.gpus[number]
    _check_architecture(number, gpu, build)
    if not build.get("cuda_libraries"):  # a toolkit's libraries are its own affair
        check_wheels(wanted)
    return gpu


def _dotted(version):
    return ".".join(map(str, version))


def _check_architecture(number, gpu, build):
    """Raise GpuError unless `build` holds machine code of the GPU's family, or PTX that the driver can translate."""
    ours = 10 * gpu.capability[0] + gpu.capability[1]
    for arch in build["cuda_archs"].split():
        name, _, kind = arch.partition("-")
        code = int(name.rstrip("af"))
        if kind != "virtual" and code // 10 == ours // 10 and code <= ours:
            return
        if kind != "real" and code <= ours:
            return
    raise GpuError(
        f"gpu {number}: {gpu.name} has compute capability {_dotted(gpu.capability)}, this Caffe was built for "
        f"{build['cuda_archs']}: run `make setup GPU={number} CUDA_ARCHS={ours}`"
    )


def check_wheels(cuda, installed=None):
    """See whether NVIDIA's wheels in this environment belong together.

    Parameters
    ----------
    cuda : tuple of int
        CUDA version (major, minor) of the build.
    installed : dict of str to str, optional
        Versions of the packages whose name begins with "nvidia-"; this environment's by default.

    Raises
    ------
    GpuError
        Some are for another CUDA version; they overwrite each other's files, or crash later. The text names them.
    """
    if installed is None:
        installed = nvidia_packages()
    wrong = []
    for name, version in sorted(installed.items()):
        suffix = name.rpartition("-cu")[2]
        other_major = "-cu" in name and suffix.isdigit() and int(suffix) != cuda[0]
        other_release = name in _NUMBERED_AS_CUDA and tuple(map(int, version.split(".")[:2])) != cuda
        if (other_major and name.startswith(("nvidia-cudnn", "nvidia-nccl"))) or other_release:
            wrong.append(f"{name} {version}")
    if wrong:
        raise GpuError(
            f"NVIDIA's packages in this environment are of several CUDA versions: expected {_dotted(cuda)}, got "
            f"{', '.join(wrong)}; pip uninstall those and run `make setup GPU=0`"
        )


def nvidia_packages():
    """Versions (dict of str to str) of the installed packages whose name begins with "nvidia-"."""
    from importlib import metadata  # here: --help must not wait for it

    found = {}
    for package in metadata.distributions():
        name = (package.metadata["Name"] or "").lower().replace("_", "-")
        if name.startswith("nvidia-"):
            found[name] = package.version
    return found
