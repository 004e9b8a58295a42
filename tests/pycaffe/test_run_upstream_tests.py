"""run_upstream_tests.py: counts are read right, and nothing run never looks like nothing failed."""

import json
import subprocess

import pytest
import run_upstream_tests as runner

GTEST = """<testsuites tests="3" failures="1"><testsuite name="BlobTest/0" tests="3">
<testcase name="TestA" status="run" time="0.1" classname="BlobTest/0" />
<testcase name="TestB" status="run" time="0.1" classname="BlobTest/0">
<failure message="blob.cpp:3&#x0A;Expected: 1" type=""/></testcase>
<testcase name="TestGPU" status="notrun" time="0" classname="BlobTest/0" /></testsuite></testsuites>"""
PYTEST = """<testsuites><testsuite name="pytest" tests="3">
<testcase classname="test_io.TestIO" name="test_a" time="0.1" />
<testcase classname="test_io.TestIO" name="test_b"><skipped message="no NCCL" /></testcase>
<testcase classname="test_io.TestIO" name="test_c"><error message="ImportError: pydot">long</error></testcase>
</testsuite></testsuites>"""


@pytest.fixture
def suites(tmp_path):
    """Both reports, read."""
    (tmp_path / "cpp.xml").write_text(GTEST)
    (tmp_path / "py.xml").write_text(PYTEST)
    return [runner.read_report("C++", tmp_path / "cpp.xml", 9.6), runner.read_report("Py", tmp_path / "py.xml", 1)]


def test_reports_are_counted(suites):
    cpp, python = suites
    assert (cpp.passed, cpp.failed, cpp.left_out) == (1, {"BlobTest/0.TestB": "blob.cpp:3"}, {})
    assert python.passed == 1
    assert python.failed == {"test_io.TestIO.test_c": "ImportError: pydot"}
    assert python.left_out == {"test_io.TestIO.test_b": "no NCCL"}


def test_a_report_without_tests_is_refused(tmp_path):
    (tmp_path / "empty.xml").write_text("<testsuites></testsuites>")
    with pytest.raises(runner.RunError, match=r"C\+\+: no test ran"):
        runner.read_report("C++", tmp_path / "empty.xml", 1)


def test_a_crash_is_an_error_with_its_last_words(tmp_path):
    with pytest.raises(runner.RunError, match=r"C\+\+: ended with status 3 and no report: .*Check failed") as error:
        runner._run("C++", ["sh", "-c", "echo Check failed; exit 3"], tmp_path, {}, tmp_path / "none.xml")
    assert "\n" not in str(error.value)


def test_summary(suites, tmp_path):
    runner.write(tmp_path / "out" / "caffe_tests.md", suites, {"Caffe": "commit x"}, "2018-08-21")
    text = (tmp_path / "out" / "caffe_tests.md").read_text()
    assert "| C++ | 2 | 1 | 1 | 10 |" in text and "- `BlobTest/0.TestB`: blob.cpp:3" in text
    data = json.loads((tmp_path / "out" / "caffe_tests.json").read_text())
    assert data["suites"][0]["failed"] == {"BlobTest/0.TestB": "blob.cpp:3"}
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["caffe_tests.json", "caffe_tests.md"]


def test_a_build_of_another_checkout_is_configured_anew(tmp_path):
    """CMake's own refusal is the reason, and its own word the proof: a small project, built from two places."""
    one, other, build = (tmp_path / name for name in ("one", "other", "build"))
    for place in (one, other):
        place.mkdir()
        (place / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.18)\nproject(p NONE)\n")

    def configured(place):
        return subprocess.run(["cmake", "-S", place, "-B", build], capture_output=True, text=True)

    assert configured(one).returncode == 0
    (build / "compiled.o").write_bytes(b"x")
    assert "does not match the source" in configured(other).stderr
    runner.forget_another_checkout(build)
    assert configured(other).returncode == 0 and (build / "compiled.o").exists()


def test_the_notes_of_this_checkout_are_kept(tmp_path):
    runner.forget_another_checkout(tmp_path)  # a first build has none
    notes = tmp_path / "CMakeCache.txt"
    notes.write_text(f"# CMake\nCMAKE_HOME_DIRECTORY:INTERNAL={runner.HERE}\nOTHER:INTERNAL=1\n")
    runner.forget_another_checkout(tmp_path)
    assert notes.is_file()
    notes.write_text(f"# CMake\nCMAKE_HOME_DIRECTORY:INTERNAL={runner.HERE}/other\n")
    runner.forget_another_checkout(tmp_path)
    assert not notes.exists()


def test_what_is_not_compiled_is_named(tmp_path):
    tests = tmp_path / "src" / "caffe" / "test"
    tests.mkdir(parents=True)
    (tests / "test_io.cpp").write_text("#ifdef USE_OPENCV\nTEST(A)\n#endif\n#if defined(USE_LMDB)\n#endif\n")
    (tests / "test_db.cpp").write_text("#if defined(USE_LEVELDB) && defined(USE_LMDB) && defined(USE_OPENCV)\n#endif\n")
    (tests / "test_data_layer.cpp").write_text("#ifdef USE_OPENCV\n#ifdef USE_LEVELDB\n#endif\n#ifdef USE_LMDB\n")
    (tests / "test_data_transformer.cpp").write_text("#ifdef USE_OPENCV\nTEST(A)\n#endif\n")
    (tests / "test_blob.cpp").write_text("// no USE_OPENCV here\nTEST(A)\n")
    assert runner.not_compiled(tmp_path) == {
        "test_data_layer.cpp": "its tests inside #ifdef USE_LEVELDB are not compiled",
        "test_db.cpp": "its tests inside #ifdef USE_LEVELDB, USE_OPENCV are not compiled",
        "test_io.cpp": "its tests inside #ifdef USE_OPENCV are not compiled",
    }


def test_committed_summary_is_of_this_source(root):
    """results/ says what ran here: both suites, the pinned commit, and every failure with a reason."""
    data = json.loads((root / "results" / "caffe_tests.json").read_text())
    assert runner.PIN["commit"] in data["versions"]["Caffe"]
    counts = {s["name"]: s["passed"] for s in data["suites"]}
    assert counts["C++ (gtest)"] > 1000 and counts["Python (unittest)"] > 45
    assert runner.COMMAND in (root / "results" / "caffe_tests.md").read_text()
    assert all(why for s in data["suites"] for kind in ("failed", "left_out") for why in s[kind].values())
