#!/usr/bin/env python3
"""Run upstream Caffe's own tests, Python and C++, against the wheel that is installed in this environment.

    .venv/bin/python pycaffe/run_upstream_tests.py --out results/caffe_tests.md
    .venv/bin/python pycaffe/run_upstream_tests.py --gpu 0 --seconds 240      # those for a GPU; prints JSON last

The C++ tests are compiled (about 4 minutes on 2 cores, the first time) in the cache folder and linked with the
installed libcaffe.so, so that what is tested is what users run. Upstream's test of caffe.draw needs Graphviz
(apt-get install graphviz) and is left out, by name, where it is missing. Exit status 0 when every test passed, 1
when one failed, 2 when they could not be run.
"""

import argparse
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import caffe_cache
import gpu_tests
from caffe_source import PIN
from caffe_wheel import cause, cuda_settings, key_of, key_parts, locked

HERE = Path(__file__).resolve().parent
COMMAND = "pycaffe/run_upstream_tests.py --out results/caffe_tests.md"
# upstream's own filter for a build without CUDA (its `runtest` target)
CPU_FILTER = "-*GPU*"
# inside #ifdef USE_OPENCV and compiled all the same: cmake/Tests.cmake
WITHOUT_OPENCV = ("test_data_layer.cpp", "test_data_transformer.cpp")
DRAW = "python/caffe/test/test_draw.py"


class RunError(Exception):
    """The tests cannot be run; the text is one line for the user."""


@dataclass
class Suite:
    """What came of one test suite.

    Attributes
    ----------
    name : str
    seconds : float
        Wall clock.
    passed : int
    failed : dict of str to str
        Test to the first line of what it said.
    left_out : dict of str to str
        Test to the reason.
    """

    name: str
    seconds: float
    passed: int = 0
    failed: dict = field(default_factory=dict)
    left_out: dict = field(default_factory=dict)


def installed_wheel():
    """What the installed wheel was built from, and its libcaffe.so.

    Raises
    ------
    RunError
        When this environment's caffe is not our wheel.
    """
    if importlib.util.find_spec("caffe_build") is None:
        raise RunError(f"{sys.executable} has no caffe wheel of this project: run `make setup`")
    import caffe_build  # here: only now is it known to be there

    library = Path(caffe_build.__file__).parent.parent / "caffe" / "libcaffe.so"
    info = caffe_build.info()
    if (library.parent.parent / "caffe.libs").is_dir():
        raise RunError(
            "the installed caffe carries libraries under names of their own, so that nothing can be compiled for it: "
            "run `make setup` without CAFFE_WHEEL"
        )
    if info["source_sha256"] != PIN["content_sha256"]:
        raise RunError("the installed caffe was built from another source than pin.json says: run `make setup`")
    return info, library


# building ---------------------------------------------------------------------------------------------------


def obtain():
    """The C++ tests of the installed wheel, compiled when they are not in the cache: the program, source's folder."""
    info, library = installed_wheel()
    work = work_folder(info)
    with locked(work.with_name(work.name + ".lock")):
        return build(work, library, info)


def work_folder(info):
    """Folder (Path) of the cache for the tests of the wheel with these facts."""
    cache = caffe_cache.cache_folder()
    # what lies there is run: nobody else may write to it, neither now nor to what the build makes
    os.umask(os.umask(0) | 0o022)
    return caffe_cache.make(cache / f"tests-{key_of(key_parts(variant=info['variant']))}", cache)


def build(folder, library, info):
    """Compile upstream's C++ tests below `folder` (Path); returns the program and the source's folder.

    A second run builds only what has changed.
    """
    cmake = shutil.which("cmake")
    if not cmake:
        raise RunError("no cmake: apt-get install cmake")
    forget_another_checkout(folder)
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    configure = [
        *(cmake, "-S", str(HERE), "-B", str(folder), *generator),
        *("-DCAFFE_BUILD_TESTS=ON", f"-DCAFFE_TEST_LIBRARY={library}", f"-DPython_EXECUTABLE={sys.executable}"),
        *(_cuda_options() if info["variant"] == "cuda" else []),
    ]
    log = folder.with_name(folder.name + ".log")
    print(f"compiling upstream's C++ tests (log: {log})", flush=True)
    with log.open("w", encoding="utf-8") as file:
        for command in (configure, [cmake, "--build", str(folder), "--parallel", str(os.cpu_count())]):
            if subprocess.run(["nice", *command], stdout=file, stderr=subprocess.STDOUT).returncode:
                raise RunError(f"{cause(log.read_text(encoding='utf-8'))}; the whole log: {log}")
    return folder / "caffe_tests", folder / "upstream"


def forget_another_checkout(folder):
    """Remove what CMake has noted in a build `folder` (Path) that was made from another checkout: it would refuse this.

    The cache is one for all checkouts of a user. What has been compiled stays, and is used where it still fits.
    """
    notes = folder / "CMakeCache.txt"
    if notes.is_file() and f"\nCMAKE_HOME_DIRECTORY:INTERNAL={HERE}\n" not in notes.read_text(encoding="utf-8"):
        notes.unlink()


def _cuda_options():
    return [option.partition("=")[2].replace("cmake.define.", "-D") for option in cuda_settings()]


def install_pydot(folder):
    """Put pydot, which caffe.draw needs and the project does not, into a folder of its own."""
    if not (folder / "pydot").exists():
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        done = subprocess.run([*pip, "--target", str(folder), "pydot>=1.4,<5"], capture_output=True, text=True)
        if done.returncode:
            raise RunError(f"pip could not install pydot: {done.stderr.strip().splitlines()[-1]}")


# running ----------------------------------------------------------------------------------------------------


def run_cpp(program, source, report):
    """Run the C++ tests that need no GPU, in upstream's folder, where they look for their data."""
    environment = dict(os.environ, GLOG_minloglevel="2", OPENBLAS_NUM_THREADS="1")
    command = ["nice", str(program), f"--gtest_filter={CPU_FILTER}", f"--gtest_output=xml:{report}"]
    suite = _run("C++ (gtest)", command, source, environment, report)
    suite.left_out.update(not_compiled(source))
    listing = subprocess.run([str(program), "--gtest_list_tests", f"--gtest_filter={CPU_FILTER[1:]}"], **_quiet())
    group = ""
    for line in listing.stdout.splitlines():
        if not line.startswith(" "):
            group = line.split("#")[0].strip()
        elif group:
            suite.left_out[group + line.strip()] = "needs a GPU; upstream leaves it out of a CPU build too"
    return suite


def not_compiled(source):
    """Test files with tests for libraries that this build is without, and which ones they are."""
    left_out = {}
    for path in sorted((source / "src" / "caffe" / "test").glob("*.cpp")):
        guards = set()
        for line in re.findall(r"^#if.*", path.read_text(), re.MULTILINE):
            guards.update(re.findall(r"\bUSE_(?:OPENCV|LEVELDB|CUDNN|NCCL)\b", line))
        if path.name in WITHOUT_OPENCV:
            guards.discard("USE_OPENCV")
        if guards:
            left_out[path.name] = f"its tests inside #ifdef {', '.join(sorted(guards))} are not compiled"
    return left_out


def run_python(source, report, extra):
    """Run upstream's Python tests by pytest, without our configuration."""
    paths = os.pathsep.join([str(HERE), str(extra)])
    environment = dict(os.environ, GLOG_minloglevel="2", PYTHONPATH=paths)
    pytest = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", ".", "-p", "no:cacheprovider"]
    command = ["nice", *pytest, "-p", "unittest_names", "-W", "ignore", f"--junitxml={report}", "python/caffe/test"]
    graphviz = shutil.which("dot")
    if not graphviz:
        command.append(f"--ignore={DRAW}")
    suite = _run("Python (unittest)", command, source, environment, report)
    if not graphviz:
        suite.left_out["test_draw"] = "needs Graphviz's dot: apt-get install graphviz"
    return suite


def _quiet():
    return {"capture_output": True, "text": True}


def _run(name, command, folder, environment, report):
    """Run a suite that writes a JUnit-like `report`; a crash shows in the last lines of what it printed."""
    report.unlink(missing_ok=True)
    print(f"running: {name}", flush=True)
    started = time.monotonic()
    done = subprocess.run(command, cwd=folder, env=environment, **_quiet())
    seconds = time.monotonic() - started
    if not report.exists():
        last = " / ".join((done.stdout + done.stderr).strip().splitlines()[-3:])
        raise RunError(f"{name}: ended with status {done.returncode} and no report: {last}")
    return read_report(name, report, seconds)


def read_report(name, report, seconds):
    """Count a JUnit-like XML report, gtest's or pytest's.

    Raises
    ------
    RunError
        When it holds no test: nothing run must not look like nothing failed.
    """
    suite = Suite(name, seconds)
    for case in ET.parse(report).getroot().iter("testcase"):
        test = f"{case.get('classname')}.{case.get('name')}"
        bad = [child for kind in ("failure", "error") for child in case.findall(kind)]
        skipped = case.find("skipped")
        if bad:
            suite.failed[test] = (bad[0].get("message") or bad[0].text or "").strip().split("\n")[0]
        elif skipped is not None:
            suite.left_out[test] = skipped.get("message", "skipped")
        elif case.get("status") != "notrun":  # gtest lists what its filter left out
            suite.passed += 1
    if not suite.passed and not suite.failed:
        raise RunError(f"{name}: no test ran")
    return suite


# reporting --------------------------------------------------------------------------------------------------


def versions(info):
    """The versions that the result depends on."""
    of = metadata.version
    return {
        "Caffe": f"commit {PIN['commit']}, content digest {info['source_sha256'][:16]}, variant {info['variant']}",
        "system": f"{_system()}, {platform.machine()}, {os.cpu_count()} cores",
        "compiler": info["compiler"],
        "Python": f"{platform.python_version()}, NumPy {of('numpy')}, protobuf {of('protobuf')}, "
        f"scikit-image {of('scikit-image')}",
        "libraries": f"Boost {info['boost']}, libprotobuf {info['protobuf']}, {info['blas']}",
    }


def _system():
    release = Path("/etc/os-release")
    name = re.search(r'^PRETTY_NAME="?([^"\n]+)', release.read_text() if release.exists() else "", re.MULTILINE)
    return name[1] if name else platform.platform()


def markdown(suites, facts, date):
    """The summary as Markdown."""
    lines = ["# Upstream Caffe's own tests against this build", "", f"Made by `{COMMAND}` on {date}.", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += ["", "| suite | tests run | passed | failed | seconds |", "|---|---|---|---|---|"]
    for s in suites:
        ran = s.passed + len(s.failed)
        lines.append(f"| {s.name} | {ran} | {s.passed} | {len(s.failed)} | {s.seconds:.0f} |")
    for title, kind in (("Failed", "failed"), ("Left out", "left_out")):
        entries = [f"- `{test}`: {why}" for s in suites for test, why in getattr(s, kind).items()]
        lines += ["", f"## {title}", "", *(entries or ["None."])]
    return "\n".join(lines) + "\n"


def write(path, suites, facts, date):
    """Write the summary and, beside it, the same as JSON."""
    data = {"command": COMMAND, "date": date, "versions": facts, "suites": [vars(s) for s in suites]}
    texts = {path: markdown(suites, facts, date), path.with_suffix(".json"): json.dumps(data, indent=2) + "\n"}
    path.parent.mkdir(parents=True, exist_ok=True)
    for target, text in texts.items():
        temporary = target.with_name(f".{target.name}.part")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(target)


def run_all(out):
    """Run all tests that need no GPU, write the summary; gives the exit status."""
    info, library = installed_wheel()
    work = work_folder(info)
    with locked(work.with_name(work.name + ".lock")):
        program, source = build(work, library, info)
        install_pydot(work / "python")
        suites = [
            run_python(source, work / "python.xml", work / "python"),
            run_cpp(program, source, work / "cpp.xml"),
        ]
    write(out, suites, versions(info), time.strftime("%Y-%m-%d"))
    print(out.read_text(encoding="utf-8"))
    return 1 if any(s.failed for s in suites) else 0


def run_gpu(program, gpu, seconds):
    """Run the tests for a GPU, compiled before when `program` (Path) is given; gives the exit status."""
    result = gpu_tests.run(program or obtain()[0], gpu, seconds)
    print(json.dumps(result))
    return 0 if result["ok"] else 1


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--out", type=Path, help="run the tests that need no GPU; summary in Markdown, JSON beside it")
    what.add_argument("--gpu", type=int, metavar="N", help="run the tests for a GPU on this one")
    parser.add_argument("--seconds", type=int, default=240, help="stop the tests for a GPU then (default: 240)")
    parser.add_argument("--program", type=Path, help="the tests, compiled before (default: compile them)")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    try:
        return run_all(args.out) if args.out else run_gpu(args.program, args.gpu, args.seconds)
    except (RunError, OSError) as error:
        print(f"run_upstream_tests.py: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
