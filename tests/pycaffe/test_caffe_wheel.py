"""caffe_wheel.py: what makes another wheel, what never enters the cache, and which missing thing is named how."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import boost_source
import caffe_source
import caffe_wheel
import interpreter
import pinned_source
import pytest

# as `ldconfig -p` prints on Debian 12, with libraries beside that the wheel does not link
LISTING = """1234 libs found in cache `/etc/ld.so.cache'
\tlibprotobuf.so.32 (libc6,x86-64) => /lib/x86_64-linux-gnu/libprotobuf.so.32
\tlibprotobuf.so (libc6,x86-64) => /lib/x86_64-linux-gnu/libprotobuf.so
\tlibprotobuf-lite.so.32 (libc6,x86-64) => /lib/x86_64-linux-gnu/libprotobuf-lite.so.32
\tlibhdf5_serial.so.103 (libc6,x86-64) => /lib/x86_64-linux-gnu/libhdf5_serial.so.103
\tlibhdf5_serial_hl.so.100 (libc6,x86-64) => /lib/x86_64-linux-gnu/libhdf5_serial_hl.so.100
\tlibhdf5_openmpi.so.103 (libc6,x86-64) => /lib/x86_64-linux-gnu/libhdf5_openmpi.so.103
\tlibboost_thread.so.1.74.0 (libc6,x86-64) => /lib/x86_64-linux-gnu/libboost_thread.so.1.74.0
\tlibglog.so.1 (libc6,x86-64) => /lib/x86_64-linux-gnu/libglog.so.1
"""


@pytest.fixture
def recipe(root, tmp_path):
    """A copy of the recipe's files to change."""
    for name in (*caffe_wheel.RECIPE, "README.md"):
        source, target = root / "pycaffe" / name, tmp_path / "pycaffe" / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(source.read_bytes())
    return tmp_path / "pycaffe"


@pytest.fixture
def silent(monkeypatch):
    """`obtain` that says nothing and has the sources."""
    monkeypatch.setattr(pinned_source.PinnedSource, "obtain", lambda *_, **__: {})
    return lambda cache: caffe_wheel.obtain(cache, say=lambda line: None)


# the key ----------------------------------------------------------------------------------------------------


def test_every_file_of_the_recipe_counts(recipe, root):
    before = caffe_wheel.recipe_digest(recipe)
    assert before == caffe_wheel.recipe_digest(root / "pycaffe")
    files = [p for name in caffe_wheel.RECIPE for p in [recipe / name, *(recipe / name).rglob("*")] if p.is_file()]
    assert len(files) >= 12
    for path in files:
        content = path.read_bytes()
        path.write_bytes(content + b"\n")
        assert caffe_wheel.recipe_digest(recipe) != before, path
        path.write_bytes(content)
    (recipe / "cmake" / "New.cmake").write_text("")
    assert caffe_wheel.recipe_digest(recipe) != before
    (recipe / "cmake" / "New.cmake").unlink()
    (recipe / "README.md").write_text("another text")
    (recipe / "package" / "caffe" / "__pycache__").mkdir()
    (recipe / "package" / "caffe" / "__pycache__" / "x.pyc").write_bytes(b"")
    assert caffe_wheel.recipe_digest(recipe) == before


def test_all_that_the_build_reads_is_in_the_recipe(root):
    """Every file of pycaffe/ is in the recipe, or is known to leave the wheel as it is."""
    beside = {"README.md", "caffe_source.py", "caffe_wheel.py", "run_upstream_tests.py", "unittest_names.py"}
    beside |= {"boost_source.py", "caffe_cache.py", "gpu_tests.py", "interpreter.py", "pinned_source.py"}
    beside |= {"make_wheels.py", "portable_wheel.py", "source_download.py", "source_tar.py", "try_on_systems.py"}
    beside |= {"opencv_names", "upstream.sha256"}  # bound to pin.json by its digest
    names = {p.name for p in (root / "pycaffe").iterdir() if p.name not in ("__pycache__", "package.egg-info")}
    assert names - beside - {".clang-format"} == set(caffe_wheel.RECIPE) | set(caffe_wheel.CUDA_RECIPE)


def test_library_names_are_those_linked():
    assert caffe_wheel.library_names(LISTING) == [
        "libglog.so.1",
        "libhdf5_serial.so.103",
        "libhdf5_serial_hl.so.100",
        "libprotobuf.so.32",
    ]


def test_the_key_changes_with_each_part():
    parts = caffe_wheel.key_parts({})
    keys = {caffe_wheel.key_of(parts)}
    for name in parts:
        keys.add(caffe_wheel.key_of({**parts, name: "other"}))
    assert len(keys) == len(parts) + 1
    options = caffe_wheel.key_parts({"CXXFLAGS": "-march=native", "HOME": "/elsewhere"})["options"]
    assert options == {"CXXFLAGS": "-march=native"}
    assert {"recipe", "source", "variant", "python", "libraries", "options"} <= set(parts)


def test_the_cuda_variant_has_keys_of_its_own():
    cpu, cuda = caffe_wheel.key_parts({}), caffe_wheel.key_parts({}, "cuda")
    assert (cpu["variant"], cuda["variant"]) == ("cpu", "cuda") and cpu["recipe"] != cuda["recipe"]
    one_arch = {"CUDA_ARCHS": "90"}
    assert caffe_wheel.key_parts(one_arch) == cpu and caffe_wheel.key_parts(one_arch, "cuda") != cuda


def test_cuda_settings(tmp_path):
    def given(environ):
        return dict(s.replace("--config-settings=cmake.define.", "").split("=", 1)
                    for s in caffe_wheel.cuda_settings(environ))  # fmt: skip

    wheels = given({})
    assert wheels["CAFFE_CUDA"] == "ON" and wheels["CAFFE_NVIDIA_WHEELS"].endswith("site-packages/nvidia")
    assert given({"CUDA_ARCHS": "80 90"})["CAFFE_CUDA_ARCHS"] == "80,90"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "nvcc").touch()
    home = given({"CUDA_HOME": str(tmp_path), "CUDNN_HOME": "/cudnn"})
    assert home == {"CAFFE_CUDA": "ON", "CAFFE_CUDA_ROOT": str(tmp_path), "CAFFE_CUDNN_ROOT": "/cudnn"}


@pytest.mark.parametrize(
    ("environ", "text"),
    [
        ({"CUDA_HOME": "/nowhere"}, "CUDA_HOME=/nowhere has no bin/nvcc"),
        ({"CUDA_ARCHS": "9.0"}, "CUDA_ARCHS=9.0: expected compute capabilities without the dot"),
        ({"CUDA_ARCHS": "sm_90"}, "CUDA_ARCHS=sm_90: expected"),
        ({"CUDNN_HOME": "/cudnn"}, "CUDNN_HOME is set and CUDA_HOME is not"),
    ],
)
def test_cuda_settings_that_are_wrong(environ, text):
    with pytest.raises(caffe_wheel.WheelError, match=text):
        caffe_wheel.cuda_settings(environ)


def test_key_command(root):
    run = [sys.executable, root / "pycaffe" / "caffe_wheel.py", "--key"]
    printed = json.loads(subprocess.run(run, capture_output=True, text=True, check=True).stdout)
    key, wheel = printed.pop("key"), printed.pop("wheel")
    assert wheel is None or key in wheel
    assert key == caffe_wheel.key_of(printed) and len(key) == 16


# the cache --------------------------------------------------------------------------------------------------


def test_a_kept_wheel_is_taken_without_building(silent, monkeypatch, tmp_path):
    monkeypatch.setattr(caffe_wheel, "build", lambda *_: pytest.fail("built"))
    monkeypatch.setattr(caffe_wheel, "check_tools", lambda: pytest.fail("a compiler is not needed"))
    kept = tmp_path / "wheels" / caffe_wheel.key_of(caffe_wheel.key_parts()) / "caffe-1.whl"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"wheel")
    assert silent(tmp_path) == kept


def test_a_failed_build_leaves_nothing(silent, monkeypatch, tmp_path):
    def half(folder, log, variant):
        (folder / "caffe-1.whl").write_bytes(b"half")
        raise caffe_wheel.WheelError("no space")

    monkeypatch.setattr(caffe_wheel, "build", half)
    with pytest.raises(caffe_wheel.WheelError, match="no space"):
        silent(tmp_path)
    assert list((tmp_path / "wheels").iterdir()) == []


@pytest.mark.parametrize("source", [caffe_source.CAFFE, boost_source.BOOST])
def test_no_source_no_build(monkeypatch, tmp_path, source):
    monkeypatch.setenv(source.variable, str(tmp_path / "gone"))
    monkeypatch.setattr(caffe_wheel, "build", lambda *_: pytest.fail("built"))
    with pytest.raises(pinned_source.SourceError, match=f"gone: no such file or folder; set {source.variable}"):
        caffe_wheel.obtain(tmp_path, say=lambda line: None)
    assert list(tmp_path.iterdir()) == []


def test_three_at_once_build_once(silent, monkeypatch, tmp_path):
    built, taken = [], []
    all_there = threading.Barrier(3)
    lock = caffe_wheel.locked

    def locked(path):
        all_there.wait(timeout=60)  # all three have found no wheel before the first one builds
        return lock(path)

    def build(folder, log, variant):
        built.append(folder)
        (folder / "caffe-1.whl").write_bytes(b"wheel")

    monkeypatch.setattr(caffe_wheel, "locked", locked)
    monkeypatch.setattr(caffe_wheel, "build", build)
    threads = [threading.Thread(target=lambda: taken.append(silent(tmp_path))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1 and len(taken) == 3 and len(set(taken)) == 1
    assert taken[0].read_bytes() == b"wheel"
    assert json.loads((taken[0].parent / "key.json").read_text())["recipe"] == caffe_wheel.recipe_digest()


# what is missing --------------------------------------------------------------------------------------------


def test_no_compiler(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(caffe_wheel.WheelError, match=r"no C\+\+ compiler \(c\+\+, g\+\+ not found\): apt-get"):
        caffe_wheel.check_tools()


def test_a_wrong_cxx(monkeypatch):
    monkeypatch.setenv("CXX", "/nowhere/g++-99 -m64")
    with pytest.raises(caffe_wheel.WheelError, match=r"no C\+\+ compiler \(/nowhere/g\+\+-99 not found\): set CXX"):
        caffe_wheel.check_tools()


def test_no_python_headers(monkeypatch, tmp_path):
    monkeypatch.setattr(interpreter.sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(caffe_wheel.WheelError, match=rf"its header {tmp_path}/Python\.h is not there; .*PYTHON="):
        caffe_wheel.check_tools()


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (
            "-- Boost: /usr/lib\n  CMake Error at cmake/Dependencies.cmake:14 (message):\n"
            "    glog: header glog/logging.h not found; install it: apt-get install\n    libgoogle-glog-dev\n\n  Call",
            "glog: header glog/logging.h not found; install it: apt-get install libgoogle-glog-dev",
        ),
        (
            "CMake Error at cmake/Source.cmake:11 (message):\n  caffe_source.py: x.tar.gz: not the pinned source\n",
            "caffe_source.py: x.tar.gz: not the pinned source",
        ),
        ("[3/110] c++\nblob.cpp:3:1: error: expected ';'\nninja: stopped", "blob.cpp:3:1: error: expected ';'"),
        ("ERROR: No matching distribution found for scikit-build-core\n", "ERROR: No matching distribution found for"),
        (
            "CMake Error at x:1 (message):\n  no\n\n"
            "blob.cpp:9: fatal error: error writing to /tmp/a.s: No space left on device\n",
            "blob.cpp:9: fatal error: error writing to /tmp/a.s: No space left on device",
        ),
        ("one\nlast words\n\n", "last words"),
        ("", "no message"),
    ],
)
def test_the_cause_is_found_in_the_log(log, expected):
    assert caffe_wheel.cause(log).startswith(expected)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("a.cpp:1: fatal error: error writing to a.s: No space left on device", "takes 1 GB in .*TMPDIR.*IDN_CACHE"),
        ("ERROR: No matching distribution found for scikit-build-core", "is there a network.*CAFFE_WHEEL"),
        ("blob.cpp:3:1: error: expected ';'", "^$"),
    ],
)
def test_what_to_do_about_it(line, text):
    assert re.search(text, caffe_wheel.remedy(line))


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="only root can make a small disk")
def test_a_full_disk_is_named(root, tmp_path):
    """A real build, on a disk of 3 MB: one line, and nothing is left in the cache that would be taken for a wheel."""
    disk = tmp_path / "disk"
    disk.mkdir()
    own = {source.variable: str(source.kept_at(caffe_wheel.cache_folder())) for source in caffe_wheel.SOURCES}
    if not all(Path(path).exists() for path in own.values()):
        pytest.skip("the sources are not in the cache")
    run = f"mount -t tmpfs -o size=3m tmpfs {disk} && exec {sys.executable} {root}/pycaffe/caffe_wheel.py"
    environment = {**os.environ, **own, "IDN_CACHE": str(disk / "cache"), "TMPDIR": str(disk)}
    done = subprocess.run(["unshare", "--mount", "sh", "-c", run], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    said = done.stderr.splitlines()[-1]
    assert "No space left on device" in said and "IDN_CACHE" in said and "Traceback" not in done.stderr


@pytest.mark.skipif(not shutil.which("cmake"), reason="no cmake on this machine")
def test_cmake_passes_the_source_error_on(root, tmp_path):
    """The real CMake project, given a wrong source: the one line of caffe_source.py is the cause."""
    environment = dict(os.environ, CAFFE_SOURCE=str(tmp_path / "gone.tar.gz"))
    run = ["cmake", "-S", root / "pycaffe", "-B", tmp_path / "build", f"-DPython_EXECUTABLE={sys.executable}"]
    done = subprocess.run(run, env=environment, capture_output=True, text=True)
    assert done.returncode != 0
    text = caffe_wheel.cause(done.stdout + done.stderr)
    assert text.startswith("caffe_source.py: ") and "gone.tar.gz: no such file or folder" in text
