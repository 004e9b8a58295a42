"""What nvidia-smi says of a GPU: its name, its driver, its memory. Whatever cannot be told is None."""

import os
import subprocess


def identity(number):
    """What nvidia-smi calls GPU `number` (int or str) of this process, which CUDA_VISIBLE_DEVICES may renumber."""
    visible = [one.strip() for one in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if one.strip()]
    number = str(number)
    return visible[int(number)] if number.isdigit() and int(number) < len(visible) else number


def _ask(query, number):
    """Answer of nvidia-smi to `query` ("gpu=name") as a list of lines, each a list of str; empty without one."""
    command = ["nvidia-smi", f"--id={identity(number)}", f"--query-{query}", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [[cell.strip() for cell in line.split(",")] for line in answer.splitlines() if line.strip()]


def _first(query, number):
    answer = _ask(f"gpu={query}", number)
    return answer[0][0] if answer else None


def _mb(text):
    """A number of MB; "[N/A]" and the like, which drivers give in containers and for parts of a GPU, are None."""
    return int(text) if text is not None and text.isdigit() else None


def name(number):
    """Name (str) of GPU `number`."""
    return _first("name", number)


def uuid(number):
    """What tells GPU `number` from all others (str)."""
    return _first("uuid", number)


def driver(number):
    """Version (str) of the driver of GPU `number`."""
    return _first("driver_version", number)


def used_mb(number):
    """Memory (int, MB of 2^20 bytes) in use on GPU `number` by all processes together."""
    return _mb(_first("memory.used", number))


def process_mb(number, pid):
    """Memory (int, MB of 2^20 bytes) of process `pid` on GPU `number`; None too when the driver does not list it."""
    for cells in _ask("compute-apps=pid,used_memory", number):
        if len(cells) == 2 and cells[0] == str(pid):
            return _mb(cells[1])
    return None
