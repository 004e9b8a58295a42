"""log.csv: what it holds, and what is no log."""

import cv2
import pytest

from tools.common.errors import UserError
from tools.training.log import Log, read


def test_learning_log_has_loss_rate_and_psnr(finished):
    rows = read(finished / "log.csv")
    last = [r for r in rows if r["stage"] == "train"][-1]
    assert last["iteration"] == 37
    assert last["learning_rate"] == pytest.approx(1e-6)  # the steps at 15 and 31 of 37, as 250,000 of 600,000
    assert last["loss"] > 0 and last["iterations_per_second"] > 0
    assert [r["iteration"] for r in rows if r["stage"] == "train" and "psnr" in r] == [12, 24, 36, 37]
    assert cv2.imread(str(finished / "learning_curve.png")).std() > 1


def test_a_damaged_log_is_refused(tmp_path):
    (tmp_path / "log.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="not a training log; expected the columns stage,iteration"):
        Log(tmp_path / "log.csv")
