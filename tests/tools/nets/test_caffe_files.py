"""Caffe's files in memory: any name, a full disk, nothing short and nothing left."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prototxt.idn import idn
from tools.common.errors import UserError
from tools.nets import caffe_files, caffemodels, net_bytes, runtime

ODD = [b"caf\xe9", b"a blank", "веса".encode(), b"\xff\xfe ", b"line\nbreak", b"plain"]


@pytest.fixture(scope="module")
def net():
    return runtime.build_net(idn(2))


def fill(net, seed):
    for blobs in net.params.values():
        for blob in blobs:
            blob.data[...] = np.random.default_rng(seed).standard_normal(blob.data.shape)


@pytest.mark.parametrize("name", ODD)
def test_a_model_is_what_caffe_itself_writes(net, tmp_path, name):
    fill(net, 1)
    net.save(str(tmp_path / "own.caffemodel"))
    path = tmp_path / os.fsdecode(name)
    net_bytes.save_model(net, path)
    assert path.read_bytes() == (tmp_path / "own.caffemodel").read_bytes()
    fill(net, 2)
    caffemodels.load_weights(net, path)
    fill(other := runtime.build_net(idn(2)), 1)
    for layer in net.params:
        for a, b in zip(net.params[layer], other.params[layer]):
            np.testing.assert_array_equal(a.data, b.data)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("name", ODD)
def test_caffe_reads_by_the_names_it_gets(tmp_path, name):
    path = tmp_path / os.fsdecode(name)
    path.write_text(str(idn(2)))
    with caffe_files.Names() as names:
        given = names.of(path)
        given.encode("utf-8")
        assert len(given.split()) == 1
        assert (given == str(path)) == (name in (b"plain", "веса".encode()))
        assert "upsample" in runtime.caffe.Net(given, 1).blobs
        assert len(names.descriptors) == (given != str(path))
    assert not names.descriptors


@given(st.binary(max_size=3000))
def test_content_in_memory(content):
    with caffe_files.Names() as names:
        assert Path(names.of_content(content)).read_bytes() == content
    assert caffe_files.written(lambda name: Path(name).write_bytes(content), len(content)) == content


@pytest.mark.parametrize("kept", [0, 100, 0.5, 0.999, -1])
def test_a_short_model_is_never_written(net, tmp_path, monkeypatch, kept):
    """What Caffe does not notice: that the last bytes did not get into the file."""
    path = tmp_path / "a.caffemodel"
    path.write_bytes(b"old")
    written = caffe_files.written

    def short(write, most):
        content = written(write, most)
        return content[: int(kept * len(content)) if isinstance(kept, float) else kept]

    monkeypatch.setattr(caffe_files, "written", short)
    with pytest.raises(UserError, match=r"a.caffemodel: Caffe wrote only [\d,]+ bytes of these weights"):
        net_bytes.save_model(net, path)
    assert path.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


SAVE = """
import resource, sys
from prototxt.idn import idn
from tools.nets import runtime as caffe_runtime
from tools.common import cli
from tools.nets import net_bytes
net = caffe_runtime.build_net(idn(2))
soft, hard = eval(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
cli.run(lambda: net_bytes.save_model(net, sys.argv[1]))
"""


@pytest.mark.parametrize("limits", [(100_000, 100_000), (1_000_000, 5_000_000), (1_000_000, -1)])
def test_a_disk_that_takes_no_more_is_one_line(root, tmp_path, limits):
    """A limit on file size is as near to a full disk as an ordinary user gets; it holds in memory as well."""
    path = tmp_path / "a.caffemodel"
    done = subprocess.run([sys.executable, "-c", SAVE, path, str(limits)], cwd=root, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, f"-c: {path}: File too large\n")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_line(root, small_disk):
    path = small_disk / "a.caffemodel"
    (small_disk / "other").write_bytes(bytes(7_000_000))
    done = subprocess.run([sys.executable, "-c", SAVE, path, "-1, -1"], cwd=root, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, f"-c: {path}: No space left on device\n")
    assert [one.name for one in small_disk.iterdir()] == ["other"]
