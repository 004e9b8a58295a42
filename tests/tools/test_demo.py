"""The demo as `make demo` runs it, with the fewest iterations."""

import json

import cv2

from tools import demo
from tools.training import log


def test_demo_goes_through_the_whole_job(tmp_path, capsys, root):
    assert demo.main(["--iters", "3", "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    commands = [line.split()[1] for line in out.splitlines() if line.startswith("$ ")]
    assert commands == ["tools/prepare_data.py"] * 3 + ["tools/train.py", "tools/benchmark.py"]
    rows = json.loads((tmp_path / "benchmark" / "benchmark.json").read_text())["rows"]
    psnr = {row["method"]: row["psnr"] for row in rows}
    assert 20 < psnr["IDN"] < 40
    # the closing words carry what was measured, and say what it is not
    assert f"{psnr['IDN']:.2f} dB, bicubic interpolation {psnr['Bicubic']:.2f} dB" in out
    assert "cannot show: the paper's figures" in out
    assert f"bicubic interpolation {psnr['Bicubic']:.2f} dB." in (root / "README.md").read_text()
    stages = {row["stage"] for row in log.read(tmp_path / "run" / "log.csv")}
    assert stages == {"pretrain", "train", "finetune"}
    for picture in ("comparison.png", "run/learning_curve.png"):
        assert cv2.imread(str(tmp_path / picture)).std() > 10


def test_training_and_test_photographs_are_five_different_ones(tmp_path):
    demo.copy_photos(tmp_path)
    names = sorted(p.stem.split("_")[0] for p in tmp_path.rglob("*") if p.is_file())
    assert names == ["astronaut", "chelsea", "coffee", "motorcycle", "rocket"]
