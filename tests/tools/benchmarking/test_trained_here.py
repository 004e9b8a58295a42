"""Weights that were trained here: used when the authors' are not there, by name forced, and always named."""

import json

import cv2
import numpy as np
import pytest

from data_prep import weights as data_prep_weights
from data_prep.digests import file_sha256
from tools import benchmark
from tools.benchmarking import tradeoff
from tools.benchmarking.tables import shown_method
from tools.common.errors import UserError
from tools.methods import trained
from tools.methods.registry import METHODS


def save(folder, method, scale, record):
    """Random weights of a method at its place in `folder`, with a record beside them if asked for."""
    path = folder / data_prep_weights.place(method, scale)
    path.parent.mkdir(parents=True, exist_ok=True)
    METHODS[method].load(scale).save(str(path))
    if record:
        path.with_suffix(".json").write_text(json.dumps({"method": method, "net": {}}))
    return path


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Function (*arguments) that scores ESPCN x3 on a picture and gives row and printed report's folder."""
    rows, columns = np.mgrid[:60, :66]
    picture = np.uint8(120 + 80 * np.sin(rows / 7) * np.cos(columns / 5))
    (tmp_path / "data" / "Set5").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "data" / "Set5" / "one.png"), np.dstack([picture] * 3))
    monkeypatch.setattr(data_prep_weights, "OURS", tmp_path / "models")

    def run(*arguments):
        argv = ["--tables", "2", "--datasets", "Set5", "--scales", "3", "--methods", "ESPCN", "--repeats", "0"]
        argv += ["--data-dir", tmp_path / "data", "--out", tmp_path / "out", "--fresh", *arguments]
        assert benchmark.main([str(a) for a in argv]) == 0
        (row,) = json.loads((tmp_path / "out" / "benchmark.json").read_text())["rows"]
        return row

    return run


def test_authors_weights_come_first_and_ours_can_be_forced(bench, tmp_path, capsys):
    theirs = save(tmp_path / "weights", "ESPCN", 3, record=False)
    ours = save(tmp_path / "models", "ESPCN", 3, record=True)
    net = METHODS["ESPCN"].load(3)
    net.params["conv1"][0].data[...] = 0  # so that the two give different figures
    net.save(str(ours))
    authors = bench("--weights-dir", tmp_path / "weights")
    assert authors["trained_here"] is False and "trained here" not in capsys.readouterr().out
    forced = bench("--weights-dir", tmp_path / "weights", "--trained-here")
    assert forced["trained_here"] is True and forced["psnr"] != authors["psnr"]
    assert "ESPCN (trained here)" in capsys.readouterr().out
    assert bench("--weights-dir", "none")["psnr"] == forced["psnr"]
    theirs.unlink()
    stand_in = bench("--weights-dir", tmp_path / "weights")
    assert stand_in["trained_here"] is True and stand_in["psnr"] == forced["psnr"]
    for name in ("benchmark.md", "benchmark.csv"):
        assert "ESPCN (trained here)" in (tmp_path / "out" / name).read_text()


def test_a_folder_laid_out_as_weights_is_one(bench, tmp_path):
    save(tmp_path / "models", "ESPCN", 3, record=True)
    assert bench("--weights-dir", tmp_path / "models")["trained_here"] is True


def test_forced_but_not_there_is_one_line(bench, tmp_path):
    save(tmp_path / "weights", "ESPCN", 3, record=False)
    with pytest.raises(UserError, match="no weights of ESPCN at x3 were trained here .*; tools/train.py makes some"):
        bench("--weights-dir", tmp_path / "weights", "--trained-here")


def test_figures_say_it():
    assert shown_method({"method": "FSRCNN", "trained_here": True}) == f"FSRCNN ({trained.HERE})"
    assert shown_method({"method": "FSRCNN", "trained_here": False}) == shown_method({"method": "FSRCNN"}) == "FSRCNN"
    row = {"dataset": "Set5", "scale": 3, "method": "FSRCNN", "psnr": 32.0, "seconds": 0.1, "trained_here": True}
    report = {"rows": [row]}
    found = tradeoff.points(report, [report], "Set5", 3)["measured"]
    assert [name for name, _, _ in found] == ["FSRCNN (trained here)"]


def test_the_models_of_this_repository_have_records():
    """Each .caffemodel in results/models says how it was made, and is what its record says."""
    found = list(data_prep_weights.OURS.rglob("*.caffemodel"))
    assert found
    for path in found:
        record = trained.record(path)
        assert file_sha256(path) == (record.get("weights_sha256") or record["sha256"])
