"""Whether a batch fits into memory is said before anything is built."""

import pytest

from tools.training import needed_memory, subject


@pytest.mark.parametrize(
    ("limit", "batch", "message"),
    [
        ("", "2147483647", "a blob of more than 2^31-1 values, which Caffe cannot count; expected at most 119,304"),
        ("", "100000", "pairs of pretrain at x3 take about 535,0"),
        ("from prototxt.engine import caffe; from tools.training import run\ncaffe.Net\n"  # loads it
         "soft = int(open('/proc/self/statm').read().split()[0]) * 4096 + 10**8\n"
         "resource.setrlimit(resource.RLIMIT_AS, (soft, soft))", "64", "within `ulimit -v` are free; "),
    ],
)  # fmt: skip
def test_a_batch_that_does_not_fit_is_one_line(training, tmp_path, limit, batch, message):
    """119,304 = (2^31 - 1) // 18,000: conv3_6 has 80 maps of 15 x 15 pixels."""
    done = training.limited(training.arguments(tmp_path, "--iters", "3", "--batch", batch), limit)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done
    assert message in done.stderr and not list(tmp_path.iterdir())


def test_memory_of_a_batch_is_foretold(training, tmp_path):
    """Two real trainings; what the larger batch takes more is what the pairs are said to take."""
    peaks = {}
    for batch in (4, 64):
        out = tmp_path / str(batch)
        done = training.limited(training.arguments(out, "--stage", "pretrain", "--iters", "1", "--batch", str(batch)))
        assert done.returncode == 0, done
        peaks[batch] = training.read_json(out / "summary.json")["peak_memory_mb"]
    each, _ = needed_memory.pair_bytes(subject.DEFAULT, "pretrain")
    assert (peaks[64] - peaks[4]) * 2**20 / 60 == pytest.approx(each, rel=0.15)
