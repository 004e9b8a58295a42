"""A net in bounded memory: the values of the whole image, the memory that is allowed, for images of any size."""

import subprocess
import sys

import numpy as np
import pytest

from tools.methods.registry import METHODS
from tools.nets import bounded, forward_memory, runtime

NETS = [("IDN", 2), ("IDN", 4), ("LapSRN", 2), ("LapSRN", 4), ("FSRCNN", 3)]


@pytest.mark.parametrize(("name", "scale"), NETS)
def test_the_values_are_those_of_the_whole_image(name, scale, same_bits_everywhere):
    runtime.use_device()
    method, image = METHODS[name], np.random.default_rng(3).random((90, 130), np.float32)
    net = method.load(scale)
    whole = runtime.forward(net, image, method.blob)
    a_pixel, besides = forward_memory.forward_bytes(net, method.build(scale))
    most = int(0.7 * image.size * a_pixel) + besides
    net = bounded.Bounded(net, method.build(scale), method.blob, most)
    rows, columns = net.windows(image.shape)
    assert len(rows.windows) * len(columns.windows) > 1
    found = runtime.forward(net, image, method.blob)
    if same_bits_everywhere:
        assert np.array_equal(found, whole)
    else:
        np.testing.assert_allclose(found, whole, atol=1e-5)
    assert whole.std() > 0


def test_small_images_and_those_without_room_are_run_whole():
    runtime.use_device()
    method = METHODS["ESPCN"]
    net, image = method.load(3), np.random.default_rng(3).random((40, 30), np.float32)
    expected = runtime.forward(net, image, method.blob)
    for most in (bounded.MOST, 1):  # of no room at all nothing can be made
        one = bounded.Bounded(net, method.build(3), method.blob, most)
        assert one.windows(image.shape) is None
        assert np.array_equal(runtime.forward(one, image, method.blob), expected)


# the rise of the resident memory, MB, for LapSRN x4 and an image of a size, in bounded memory and as a whole
RISES = """
import sys
import numpy as np
from tools.common import memory
from tools.methods.registry import METHODS
from tools.nets import bounded, runtime
runtime.use_device()
method, image = METHODS["LapSRN"], np.zeros((180, 180), np.float32)
net = method.load(4)
if len(sys.argv) > 1:
    net = bounded.Bounded(net, method.build(4), method.blob, int(sys.argv[1]) << 20)
print(memory.peak(lambda: runtime.forward(net, image, method.blob)) >> 20)
"""


def rise(*arguments):
    done = subprocess.run([sys.executable, "-c", RISES, *arguments], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_a_forward_takes_no_more_than_it_may(root, monkeypatch):
    """LapSRN x4 on 180 x 180 pixels: 900 MB as a whole, 134 MB in windows (measured)."""
    monkeypatch.chdir(root)
    monkeypatch.delenv("CAFFE_CPU_ENGINE", raising=False)
    assert rise("300") <= 300 < rise()
