"""Nets that share memory, and several of them at once: the figures of one net that does neither."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tools.common import build
from tools.methods.registry import METHODS
from tools.nets import deploying, forward_memory, runtime

pytestmark = pytest.mark.skipif(build.info() is None, reason="a Caffe of the user's own")


@pytest.fixture
def idn():
    """IDN's method for x3, its message, a net of it, and images of several sizes."""
    runtime.use_device()
    method, rng = METHODS["IDN"], np.random.default_rng(1)
    images = [rng.random((30 + 7 * i, 50 - 3 * i), np.float32) for i in range(8)]
    return method, method.build(3), method.load(3), images


def test_the_outputs_are_those_of_a_plain_net(idn):
    method, message, net, images = idn
    expected = [runtime.forward(net, image, method.blob) for image in images]
    several = deploying.Several(deploying.copies(net, message, method.blob, 3))
    assert several.number == 3
    with ThreadPoolExecutor(3) as pool:
        for found, value in zip(pool.map(lambda image: runtime.forward(several, image, method.blob), images), expected):
            np.testing.assert_array_equal(found, value)


def test_a_net_is_run_by_one_thread_at_a_time_and_comes_back_after_an_error():
    running, most, lock = set(), [], threading.Lock()

    def net(number):
        def run(image, output):
            with lock:
                assert number not in running
                running.add(number)
                most.append(len(running))
            time.sleep(0.01)
            with lock:
                running.remove(number)
            if output == "bad":
                raise ValueError("bad")
            return image

        return run

    several = deploying.Several([net(0), net(1)])
    with ThreadPoolExecutor(6) as pool:
        with pytest.raises(ValueError, match="bad"):
            list(pool.map(several, range(12), ["bad"] * 12))
        assert list(pool.map(several, range(12), ["good"] * 12)) == list(range(12))
    assert max(most) == 2


def test_stock_layers_and_gpus_run_one_image_at_a_time(monkeypatch):
    monkeypatch.setattr(build, "cpu_engine", lambda: "onednn")
    assert deploying.at_once(3) == 3
    monkeypatch.setattr(build, "cpu_engine", lambda: "blas")
    assert deploying.at_once(3) == 1
    monkeypatch.setattr(build, "cpu_engine", lambda: "onednn")
    monkeypatch.setattr(runtime, "on_gpu", lambda: True)
    assert deploying.at_once(3) == 1


def test_a_net_of_another_caffe_or_on_a_gpu_stays_as_it_is(idn, monkeypatch):
    _, _, net, _ = idn
    for name, found in (("info", None), ("_has_deploy", False)):  # another Caffe, an older wheel
        monkeypatch.setattr(build, name, lambda found=found: found)
        assert deploying.share_memory(net, "upsample") is net and deploying.shared_bytes(net) is None
        assert runtime.forward(net, np.zeros((8, 8), np.float32)).shape == (22, 22)
        monkeypatch.undo()
    assert deploying.shared_bytes(net) is None
    monkeypatch.setattr(runtime, "on_gpu", lambda: True)
    deploying.share_memory(net, "upsample")
    monkeypatch.undo()
    assert deploying.shared_bytes(net) is None


def test_shared_memory_takes_a_part_of_what_blobs_take_apart(idn):
    method, message, net, _ = idn
    apart = forward_memory.forward_bytes(net, message, True)[0]
    deploying.share_memory(net, method.blob)
    # of IDN's 2,630 maps 248 are left, and the working memory of oneDNN's layers
    assert 4 * forward_memory.forward_bytes(net, message, True)[0] < apart
