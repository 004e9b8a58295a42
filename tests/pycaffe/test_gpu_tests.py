"""Upstream's tests for a GPU: what gtest prints is counted; programs stand in that print the same."""

import json

import gpu_tests
import pytest
import run_upstream_tests


def program_of(folder, script):
    (folder / "upstream").mkdir()
    program = folder / "caffe_tests"
    program.write_text(f"#!/bin/sh\n{script}")
    program.chmod(0o755)
    return program


def test_upstreams_tests_are_counted(tmp_path):
    program = program_of(tmp_path, 'echo "[       OK ] A/2.x (3 ms)"; echo "[       OK ] A/3.x"; echo "$1"')
    result = gpu_tests.run(program, 0, 20)
    assert result["ok"] and (result["passed"], result["failed"], result["stopped"]) == (2, [], False)
    assert "ConvolutionLayerTest/2.*" in gpu_tests.FILTER and "ConvolutionLayerTest/0.*" not in gpu_tests.FILTER


def test_upstreams_failures_are_named(tmp_path):
    lines = ["[       OK ] A/2.x", "[  FAILED  ] B/2.y, where TypeParam = z (1 ms)", "[  FAILED  ] B/2.y"]
    result = gpu_tests.run(program_of(tmp_path, "\n".join(f"echo '{line}'" for line in lines) + "\nexit 1"), 0, 20)
    assert not result["ok"] and result["failed"] == ["B/2.y"] and "- FAILED B/2.y" in result["lines"]


def test_upstreams_tests_end_with_their_time(tmp_path):
    result = gpu_tests.run(program_of(tmp_path, "echo '[       OK ] A/2.x'\nexec sleep 60"), 0, 1)
    assert result["ok"] and result["stopped"] and "before the time was up" in result["lines"][0]


def test_upstreams_tests_that_crash_or_do_not_run(tmp_path):
    (tmp_path / "a").mkdir()
    result = gpu_tests.run(program_of(tmp_path / "a", "echo '[       OK ] A/2.x'; echo 'F1 no device'; exit 134"), 0, 9)
    assert not result["ok"] and "status 134: F1 no device" in result["error"]
    (tmp_path / "b").mkdir()
    assert not gpu_tests.run(program_of(tmp_path / "b", "true"), 0, 9)["ok"]
    assert not gpu_tests.run(tmp_path / "missing", 0, 9)["ok"]


@pytest.mark.parametrize(("visible", "gpu", "seen"), [(None, 1, "1"), ("3,5", 1, "5"), ("", 0, "0")])
def test_the_program_sees_the_gpu_that_was_asked_for(tmp_path, monkeypatch, visible, gpu, seen):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    program = program_of(tmp_path, 'echo "[  FAILED  ] device.$CUDA_VISIBLE_DEVICES"; exit 1')
    assert gpu_tests.run(program, gpu, 9)["failed"] == [f"device.{seen}"]


def test_the_command_prints_json_last(tmp_path, capsys):
    program = program_of(tmp_path, "echo '[       OK ] A/2.x'")
    assert run_upstream_tests.main(["--gpu", "0", "--seconds", "9", "--program", str(program)]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["passed"] == 1
