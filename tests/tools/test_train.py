"""Options of tools/train.py out of their range are one line; what they do is in tests/tools/training/."""

import pytest

from tools import train

HUGE = "9" * 5000


@pytest.mark.parametrize("name", ["--batch", "--snapshot", "--test-interval", "--iters", "--seed"])
@pytest.mark.parametrize("value", ["-1", "4294967296", str(2**64), "1.5", "1e3", "nan", "inf", "", HUGE])
def test_whole_numbers_out_of_range(name, value, capsys):
    with pytest.raises(SystemExit, match="2"):
        train.parse(["--scale", "3", f"{name}={value}"])
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and len(line) < 200
    assert f"argument {name}: got {value[:20]}" in line and "expected a whole number from " in line


@pytest.mark.parametrize("name", ["--batch", "--snapshot", "--test-interval", "--iters"])
@pytest.mark.parametrize("value", ["0", "2147483648"])
def test_counts_out_of_caffes_range(name, value, capsys):
    with pytest.raises(SystemExit, match="2"):
        train.parse(["--scale", "3", name, value])
    assert f"{name}: got {value}, expected a whole number from 1 to 2147483647" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name in ("--lr", "--beta1") for value in ("inf", "-inf", "nan", "-1", "x", "1e400")]
    + [("--lr", value) for value in ("0", "1e-50", "1e31", "1e39")] + [("--beta1", "1"), ("--beta1", "0.99999999")],
)
def test_rates_out_of_range(name, value, capsys):
    """1e-50 is 0 and 1e39 infinite, 0.99999999 is 1 in Caffe's float."""
    with pytest.raises(SystemExit, match="2"):
        train.parse(["--scale", "3", f"{name}={value}"])
    assert f"argument {name}: got {value}, expected a number from " in capsys.readouterr().err
