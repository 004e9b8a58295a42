"""Where nets run: the CPU, or GPUs by the numbers that nvidia-smi gives them."""

from typing import NamedTuple

from tools.gpu.driver import GpuError


class Device(NamedTuple):
    """The CPU, or one or several GPUs.

    Attributes
    ----------
    gpus : tuple of int
        Numbers of the GPUs, in the order they were asked for; empty on the CPU.
    """

    gpus: tuple = ()

    @classmethod
    def parse(cls, asked):
        """The device (Device) of a --gpu option: "" and None are the CPU, "0" one GPU, "0,1" two.

        Raises
        ------
        GpuError
            The text is no such list, or names a GPU twice.
        """
        if asked is None or asked == "":
            return CPU
        parts = str(asked).split(",")
        if not all(part.strip().isdecimal() for part in parts):
            raise GpuError(
                f"gpu: got {asked!r}, expected the number of a GPU as in nvidia-smi, such as 0, or several: 0,1"
            )
        numbers = tuple(int(part) for part in parts)
        if len(set(numbers)) < len(numbers):
            raise GpuError(f"gpu: got {asked!r}, expected every GPU once")
        return cls(numbers)

    @property
    def on_gpu(self):
        """Whether this is a GPU, or several."""
        return bool(self.gpus)

    @property
    def number(self):
        """The GPU (int), of several the first; None on the CPU."""
        return self.gpus[0] if self.gpus else None

    def __str__(self):
        """As logs and results name it: "cpu", "gpu 0", "gpu 0,1"."""
        return f"gpu {','.join(map(str, self.gpus))}" if self.gpus else "cpu"


CPU = Device()
