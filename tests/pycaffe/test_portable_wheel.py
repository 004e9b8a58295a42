"""portable_wheel.py: a small real wheel with its libraries is made to travel, and does."""

import csv
import ctypes
import os
import shutil
import subprocess
import sys
import zipfile

import pytest

pytest.importorskip("elftools", reason="pip install auditwheel, which brings pyelftools along")
import portable_wheel  # noqa: E402

if not (shutil.which("cc") and shutil.which("dpkg-query")):
    pytest.skip("no C compiler, or not a Debian", allow_module_level=True)

# HDF5 in small: it asks the network's library for something when it is opened
NETWORK = "void *curl_easy_init(void) { return (void *) 1; }\n"
HDF5 = "void *curl_easy_init(void); int H5open(void) { return curl_easy_init() ? 1 : 42; }\n"
CAFFE = "int H5open(void); int opened(void) { return H5open(); }\n"


def library(folder, name, code, *options):
    """Compile C code (str) to the shared library `name` in a folder (Path)."""
    output = ["-o", folder / name, f"-Wl,-soname,{name}", f"-L{folder}"]
    subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", *output, *options], input=code, text=True, check=True)


@pytest.fixture
def plain(tmp_path, monkeypatch):
    """A wheel as the build makes it: its library needs two of this machine's; they lie in LD_LIBRARY_PATH."""
    system, content = tmp_path / "system", tmp_path / "content"
    for folder in (system, content / "caffe", content / "caffe-1.0.dist-info"):
        folder.mkdir(parents=True)
    (tmp_path / "versions").write_text("CURL_OPENSSL_4 { curl_easy_init; };\n")
    library(system, "libcurl.so.4", NETWORK, f"-Wl,--version-script,{tmp_path / 'versions'}")
    library(system, "libhdf5_small.so.1", HDF5, "-l:libcurl.so.4")
    library(content / "caffe", "libcaffe.so", CAFFE, f"-L{system}", "-l:libhdf5_small.so.1")
    for name in ("LICENSE", "LICENSE_1_0.txt", "__init__.py"):
        (content / "caffe" / name).write_text("free\n")
    info = content / "caffe-1.0.dist-info"
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: caffe\nVersion: 1.0\nRequires-Dist: six\n\nCaffe.\n")
    tag = "cp{0}{1}-cp{0}{1}-linux_{2}".format(*sys.version_info, os.uname().machine)
    (info / "WHEEL").write_text(f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: {tag}\n")
    (info / "RECORD").write_text("")
    wheel = tmp_path / f"caffe-1.0-{tag}.whl"
    portable_wheel.pack(content, wheel)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(system))
    return wheel


@pytest.fixture
def made(plain, tmp_path, monkeypatch):
    """The wheel that travels, and where it was unpacked."""
    monkeypatch.setattr(portable_wheel, "_licence", lambda library: f"of {library}\n".encode())
    wheel = portable_wheel.make(plain, tmp_path / "dist")
    monkeypatch.delenv("LD_LIBRARY_PATH")
    shutil.rmtree(tmp_path / "system")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    return wheel, tmp_path / "site"


def test_it_carries_its_libraries_and_leaves_the_network_out(made):
    """The system's libraries are gone; HDF5's is found, and is told that there is no network."""
    wheel, site = made
    assert "manylinux" in wheel.name
    assert ctypes.CDLL(site / "caffe" / "libcaffe.so").opened() == 42
    carried = sorted(path.name for path in (site / "caffe.libs").iterdir())
    assert len(carried) == 2 and carried[0] == "libcaffe_no_curl.so" and carried[1].startswith("libhdf5_small-")


def test_names_are_our_own(made):
    """Another HDF5 in the process has other names, so that neither takes the other's place."""
    _, site = made
    (carried,) = (site / "caffe.libs").glob("libhdf5*")
    assert "caffe_H5open" in portable_wheel.symbols(carried, defined=True)
    wanted = portable_wheel.symbols(site / "caffe" / "libcaffe.so", defined=False)
    assert "caffe_H5open" in wanted and "H5open" not in wanted


def test_the_list_of_files_is_right_and_the_licences_are_there(made, tmp_path):
    wheel, site = made
    with (site / "caffe-1.0.dist-info" / "RECORD").open() as file:
        rows = {row[0]: row for row in csv.reader(file)}
    files = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert set(rows) == files
    licences = {path.name: path.read_text() for path in (site / "caffe-1.0.dist-info" / "licenses").iterdir()}
    assert licences == {"caffe.txt": "free\n", "boost.txt": "free\n", "libhdf5_small.txt": "of libhdf5_small.so.1\n"}
    # pip checks each hash of the list
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--target", tmp_path / "installed", wheel], check=True)


def test_the_cuda_build_requires_nvidias_packages(tmp_path):
    """Its libraries look beside themselves in site-packages; its version is another than the CPU build's."""
    system, folder = tmp_path / "system", tmp_path / "wheel"
    info = folder / "caffe-1.0+git2018.dist-info"
    for path in (system, folder / "caffe", info):
        path.mkdir(parents=True)
    head = "Metadata-Version: 2.1\nName: caffe\nVersion: 1.0+git2018\nRequires-Dist: six"
    (info / "METADATA").write_text(f"{head}\n\nText\n")
    library(system, "libcudart.so.13", "int cudaGetDevice(void) { return 0; }\n")
    library(folder / "caffe", "libcaffe.so", "int cudaGetDevice(void); int x(void) { return cudaGetDevice(); }\n",
            f"-L{system}", "-l:libcudart.so.13")  # fmt: skip
    assert portable_wheel.is_for_nvidia(folder)
    assert portable_wheel.for_nvidia(folder, info) == ("1.0+git2018", "1.0+git2018.cu13")
    text = (folder / "caffe-1.0+git2018.cu13.dist-info" / "METADATA").read_text()
    assert "\nVersion: 1.0+git2018.cu13\n" in text and text.endswith("\n\nText\n")
    assert "\nRequires-Dist: nvidia-cuda-runtime==13.0.*\n" in text
    # as pip lays NVIDIA's package out
    place = folder / "nvidia" / "cu13" / "lib"
    place.mkdir(parents=True)
    shutil.move(system / "libcudart.so.13", place)
    assert ctypes.CDLL(folder / "caffe" / "libcaffe.so").x() == 0


def test_a_library_without_a_licence_is_not_carried(plain, tmp_path):
    with pytest.raises(portable_wheel.PortableError, match=r"libhdf5_small\.so\.1: no licence found"):
        portable_wheel.make(plain, tmp_path / "dist")
    assert list((tmp_path / "dist").iterdir()) == []


def test_the_licence_of_a_real_library():
    """The C++ library, which GCC's runtime exception covers, as Debian's package has it."""
    assert b"GCC RUNTIME LIBRARY EXCEPTION" in portable_wheel._licence("libstdc++.so.6").upper()


def test_a_wheel_that_is_none(tmp_path, capsys):
    (tmp_path / "caffe-1-cp311-cp311-linux_x86_64.whl").write_text("no zip")
    options = [str(tmp_path / "caffe-1-cp311-cp311-linux_x86_64.whl"), "--out", str(tmp_path / "dist")]
    assert portable_wheel.main(options) == 2
    said = capsys.readouterr().err
    assert said.startswith("portable_wheel.py: ") and said.count("\n") == 1


@pytest.mark.parametrize(
    "name",
    [
        *("H5Fopen", "cblas_sgemm", "dnnl_engine_create", "_ZN6google8protobuf7Message4CopyEv"),
        *("_ZNK6google10LogMessage5streamEv", "_ZN6gflags5RegisterEv"),
    ],
)
def test_which_names_are_made_our_own(name):
    assert portable_wheel.OURS.search(name)


@pytest.mark.parametrize(
    "name", ["PyInit__caffe", "_ZNSt6vectorIiSaIiEE", "omp_get_thread_num", "_ZN5caffe3NetIfE7ForwardEPf"]
)
def test_which_names_stay(name):
    assert not portable_wheel.OURS.search(name)
