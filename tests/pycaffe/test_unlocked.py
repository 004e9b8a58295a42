"""Passes that let other threads of Python run, and their number of threads."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from caffe_build import cpu_engine, memory, unlocked

from prototxt.engine import caffe


@pytest.fixture
def make(root):
    """IDN's nets for x3, which share their weights."""
    text = str(root / "prototxt" / "generated" / "idn_x3_deploy.prototxt")
    first = caffe.Net(text, caffe.TEST)

    def build():
        net = caffe.Net(text, caffe.TEST)
        net.share_with(first)
        memory.share(net)
        return net

    return build


def run(net, image, forward):
    net.blobs["data"].reshape(1, 1, *image.shape)
    net.blobs["data"].data[...] = image
    forward(net)
    return net.blobs["upsample"].data.copy()


def moments_of_others(net, forward):
    """How often this thread could look at the clock while another one ran `forward`."""
    span = []

    def work():
        span.append(time.perf_counter())
        forward(net)
        span.append(time.perf_counter())

    thread, seen = threading.Thread(target=work), []
    thread.start()
    while thread.is_alive():
        seen.append(time.perf_counter())
        time.sleep(1e-4)
    margin = (span[1] - span[0]) / 10
    return sum(span[0] + margin < moment < span[1] - margin for moment in seen)


def test_other_threads_run_meanwhile(make):
    net = make()
    image = np.zeros((150, 150), np.float32)
    run(net, image, unlocked.forward)
    assert moments_of_others(net, lambda net: net.forward()) == 0
    assert moments_of_others(net, unlocked.forward) > 0


def test_nets_at_the_same_time_give_the_bits_of_one_after_the_other(make):
    rng = np.random.default_rng(1)
    images = [rng.random((20 + i, 50 - i), dtype=np.float32) for i in range(12)]
    with unlocked.threads(1):
        net = make()
        expected = [run(net, image, lambda net: net.forward()) for image in images]
    nets = [make() for _ in range(3)]

    def work(image):
        net = nets.pop()
        try:
            with unlocked.threads(1):
                return run(net, image, unlocked.forward)
        finally:
            nets.append(net)

    with ThreadPoolExecutor(3) as pool:
        for found, value in zip(pool.map(work, images), expected):
            np.testing.assert_array_equal(found, value)


@pytest.mark.skipif(cpu_engine.chosen() != "onednn", reason="stock layers have OpenBLAS's threads")
def test_the_number_of_threads_is_the_calling_threads_own():
    library = unlocked._library()
    before = library.caffe_onednn_set_threads(3)
    try:
        with unlocked.threads(1):
            assert library.caffe_onednn_set_threads(1) == 1
        assert library.caffe_onednn_set_threads(3) == 3
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(library.caffe_onednn_set_threads, 2).result() != 0
        assert library.caffe_onednn_set_threads(3) == 3
    finally:
        library.caffe_onednn_set_threads(before)


def test_where_python_takes_part_the_lock_is_held(make):
    net, seen = make(), []
    net.after_forward(seen.append)
    unlocked.forward(net)
    assert seen == list(range(len(net.layers)))


def test_an_exception_in_the_pass_arrives(make):
    net = make()

    def stop(layer):
        if layer == 5:
            raise ValueError("stopped")

    net.before_forward(stop)
    with pytest.raises(ValueError, match="stopped"):
        unlocked.forward(net)
