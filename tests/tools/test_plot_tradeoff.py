"""tools/plot_tradeoff.py: which points it plots, what it writes, refusals."""

import json

import cv2
import pytest

from tools import plot_tradeoff
from tools.benchmarking import paper, tradeoff
from tools.common.errors import UserError


def report(path, rows, device="a processor"):
    """Write a benchmark.json of (method, psnr, seconds, seconds_median) on Set5 x3."""
    made = [
        {
            "dataset": "Set5", "scale": 3, "method": method, "psnr": psnr, "ssim": None, "ifc": None,
            "seconds": seconds, "seconds_median": median,
        }
        for method, psnr, seconds, median in rows
    ]  # fmt: skip
    path.write_text(json.dumps({"meta": {"device": device}, "rows": made}))
    return path


@pytest.fixture
def reports(tmp_path):
    psnr = report(tmp_path / "psnr.json", [("VDSR", 33.67, None, None), ("IDN", 34.11, None, None)])
    seconds = report(tmp_path / "s.json", [("VDSR", None, 3.0, 2.5), ("IDN", None, 1.0, None), ("DRRN", None, 90, 80)])
    return ["--psnr", str(psnr), "--seconds", str(seconds)]


def test_points(reports, tmp_path):
    read = [json.loads((tmp_path / name).read_text()) for name in ("psnr.json", "s.json")]
    found = tradeoff.points(read[0], [read[1]], "Set5", 3)
    assert found["measured"] == [("VDSR", 2.5, 33.67), ("IDN", 1.0, 34.11)]
    assert found["timed"] == [("DRRN", 80, paper.figures("Set5", 3, "DRRN")["psnr"])]
    assert ("IDN", 0.011, 34.11) in found["paper"] and len(found["paper"]) == 3
    later = {"rows": [{**read[1]["rows"][2], "seconds_median": 70}]}
    assert tradeoff.points(read[0], [read[1], later], "Set5", 3)["timed"][0][1] == 70


def test_writes_both_pictures_the_same_every_time(reports, tmp_path, capsys):
    contents = []
    for name in ("one", "two"):
        assert plot_tradeoff.main([*reports, "--out", str(tmp_path / name)]) == 0
        contents.append([(tmp_path / name / f"tradeoff.{kind}").read_bytes() for kind in ("png", "svg")])
    assert contents[0] == contents[1]
    assert cv2.imread(str(tmp_path / "one/tradeoff.png")).std() > 5
    svg = contents[0][1].decode()
    for word in ("VDSR", "DRRN", "IDN", "a processor", "PSNR (dB)"):
        assert word in svg
    assert sorted(p.name for p in (tmp_path / "one").iterdir()) == ["tradeoff.png", "tradeoff.svg"]
    assert "written: " in capsys.readouterr().out


def test_refusals(reports, tmp_path):
    with pytest.raises(UserError, match="no.json: no such file"):
        plot_tradeoff.main([*reports[:2], "--seconds", str(tmp_path / "no.json")])
    with pytest.raises(UserError, match="has no times for Set14 at x3; run tools/benchmark.py --tables 4"):
        plot_tradeoff.main([*reports, "--dataset", "Set14", "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()
