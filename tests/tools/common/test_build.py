"""What is known of Caffe without loading it, and the project's version in results."""

import pytest

from tools.common import build, cli, provenance, version


def test_a_build_in_a_few_words(monkeypatch):
    facts = {"commit": "99bd99795dcd", "variant": "cpu", "blas": "OpenBLAS"}
    monkeypatch.setattr(build, "info", lambda: facts)
    monkeypatch.setattr(build, "cpu_engine", lambda: "onednn")
    assert build.described() == "Caffe 99bd997 (cpu, oneDNN)"
    facts.update(variant="cuda", cuda="13.0.88")
    monkeypatch.setattr(build, "cpu_engine", lambda: "blas")
    assert build.described() == "Caffe 99bd997 (CUDA 13.0.88, OpenBLAS)"


def test_a_caffe_of_the_users_own_is_not_taken_for_ours(monkeypatch):
    """Also where our wheel is installed beside it: nothing that our build says holds for the other."""
    monkeypatch.setenv("CAFFE_PYTHONPATH", "/opt/caffe/python")
    assert build.info() is None and build.cpu_engine() == "blas"
    assert build.described() == "Caffe of CAFFE_PYTHONPATH"


def test_a_wrong_engine_is_one_line(monkeypatch, capsys):
    monkeypatch.delenv("CAFFE_PYTHONPATH", raising=False)
    monkeypatch.setenv("CAFFE_CPU_ENGINE", "mkl")
    with pytest.raises(SystemExit) as end:
        cli.run(lambda: cli.Parser("").parse_args(["--version"]))
    said = capsys.readouterr().err
    assert end.value.code == 2 and said.count("\n") == 1 and "CAFFE_CPU_ENGINE=mkl: expected onednn or blas" in said


def test_results_carry_the_version():
    assert provenance.versions()["project"] == version.project()
